// Where the attempts of a host run: processes, which have a clock of their own and outlive their host for a moment; threads, which
// go on while the host's event loop is blocked, and stand still with the process; and the loop itself.

import type { Isolation, Launch, Places } from '../../src/actors/attempt.ts';
import type { ProcessGroup } from '../../src/engines/engine.ts';
import type { Point, SimulatedAttempt } from '../../src/testing/simulatedAttempt.ts';
import { SimulatedPlaces, type SimulatedProcesses } from '../../src/testing/simulatedPlaces.ts';
import type { Life } from './life.ts';
import { Random } from './random.ts';
import type { Timeline } from './timeline.ts';

export interface HostPlacesOptions {
  readonly seed: number;
  readonly timeline: Timeline;
  readonly processes: SimulatedProcesses;
  /** Runs always: processes are not paused with their host. */
  readonly machine: Life;
  readonly threads: Life;
  readonly loop: Life;
  reached(attempt: SimulatedAttempt, point: Point): void | Promise<void>;
  launched(attempt: SimulatedAttempt): void;
  /** It has sent a sign of life. */
  signed(attempt: SimulatedAttempt): void;
}

/** How often a process that was killed is looked for, ms. */
const lookMs = 250;

export class HostPlaces implements Places {
  readonly #options: HostPlacesOptions;
  readonly #of: Record<Isolation, SimulatedPlaces>;
  /** `lastAt`: when the last message of an attempt reaches the host, for they come in order. */
  readonly #channels = new WeakMap<SimulatedAttempt, { random: Random; lastAt: number }>();

  constructor(options: HostPlacesOptions) {
    this.#options = options;
    const { processes, reached, machine, threads, loop } = options;
    const on = (life: Life) =>
      new SimulatedPlaces({
        clock: life.clock,
        processes,
        reached,
        tell: (attempt, say, isSign) => this.#tell(attempt, say, isSign),
      });
    this.#of = { process: on(machine), thread: on(threads), inline: on(loop) };
  }

  /** Of this host. */
  *alive(): Iterable<SimulatedAttempt> {
    for (const places of Object.values(this.#of)) yield* places.alive;
  }

  prepare(): void {}

  launchIn(isolation: Isolation): Launch {
    const places = this.#of[isolation];
    const launch = places.launchIn(isolation);
    return (spec, port) => {
      const handle = launch(spec, port);
      this.#options.launched(handle as SimulatedAttempt);
      return handle;
    };
  }

  async endGroup(group: ProcessGroup): Promise<void> {
    const { processes, loop } = this.#options;
    for (;;) {
      const attempt = processes.of(group);
      if (attempt === undefined) return;
      attempt.kill();
      if (!attempt.isAlive) return;
      await new Promise<void>((resolve) => loop.clock.setTimeout(resolve, lookMs));
    }
  }

  /** What ran in the host went with it; watchdogs end the processes as soon as they see it. */
  hostGone(): void {
    const { seed, timeline } = this.#options;
    for (const isolation of ['thread', 'inline'] as const) this.#of[isolation].hostGone();
    const random = new Random(seed, `gone ${timeline.now}`);
    for (const attempt of [...this.#of.process.alive]) timeline.in(random.long(3, 190), () => attempt.kill());
  }

  async close(): Promise<void> {}

  #tell(attempt: SimulatedAttempt, say: () => void, isSign: boolean): void {
    const { seed, timeline, loop } = this.#options;
    if (attempt.isolation === 'inline') {
      loop.receive(say);
      return;
    }
    if (isSign) this.#options.signed(attempt);
    const { input, attempt: number } = attempt.spec.start;
    const channel = this.#channels.get(attempt) ?? {
      random: new Random(seed, `channel ${input} ${number}`),
      lastAt: 0,
    };
    this.#channels.set(attempt, channel);
    channel.lastAt = Math.max(channel.lastAt, timeline.now + channel.random.long(0.1, 20));
    timeline.in(channel.lastAt - timeline.now, () => loop.receive(say));
  }
}
