// Processes and threads that are none: attempts of every isolation run here, on simulated time, and can be killed all the
// same (simulatedAttempt.ts). What a machine does with its processes, as far as a processor sees it.

import type { Isolation, Launch, Places } from '../actors/attempt.ts';
import type { JobCode } from '../actors/jobCode.ts';
import type { Clock } from '../engines/clock.ts';
import type { ProcessGroup } from '../engines/engine.ts';
import { type Point, SimulatedAttempt, type SimulatedMachine } from './simulatedAttempt.ts';

export interface SimulatedPlacesOptions {
  readonly clock: Clock;
  /** Of all processors on one machine: process ids, and the attempts that are alive. */
  readonly processes?: SimulatedProcesses;
  /** Called wherever code can be held, and waited for. */
  reached?(attempt: SimulatedAttempt, point: Point): void | Promise<void>;
  /** Brings what an attempt says to its host; `isSign`: that it lives, and nothing more. Default: at once. */
  tell?(attempt: SimulatedAttempt, say: () => void, isSign: boolean): void;
  /** The code that an attempt runs. Default: that of its definition, as it is here. */
  codeOf?(attempt: SimulatedAttempt): JobCode | Promise<JobCode>;
  /** See SimulatedMachine. */
  readonly unwinds?: boolean;
  /** Before its code runs; and when nothing of it does any more. */
  launched?(attempt: SimulatedAttempt): void;
  gone?(attempt: SimulatedAttempt): void;
}

/** The process table of a simulated machine. */
export class SimulatedProcesses {
  readonly #machine: string;
  readonly #byPid = new Map<number, SimulatedAttempt>();
  #lastPid = 0;

  constructor(machine = 'simulated') {
    this.#machine = machine;
  }

  nextGroup(startedAt: number): ProcessGroup {
    this.#lastPid += 1;
    return { boot: this.#machine, pid: this.#lastPid, startedAt: String(startedAt) };
  }

  add(attempt: SimulatedAttempt): void {
    if (attempt.group !== null) this.#byPid.set(attempt.group.pid, attempt);
  }

  remove(attempt: SimulatedAttempt): void {
    if (attempt.group !== null) this.#byPid.delete(attempt.group.pid);
  }

  /** What another machine runs is not seen here. */
  of({ boot, pid }: ProcessGroup): SimulatedAttempt | undefined {
    return boot === this.#machine ? this.#byPid.get(pid) : undefined;
  }
}

/** How often a process that was killed is looked for, ms. */
const lookMs = 250;

export class SimulatedPlaces implements Places {
  /** Started by this processor, and not gone. */
  readonly alive = new Set<SimulatedAttempt>();
  readonly #options: SimulatedPlacesOptions;
  readonly #processes: SimulatedProcesses;

  constructor(options: SimulatedPlacesOptions) {
    this.#options = options;
    this.#processes = options.processes ?? new SimulatedProcesses();
  }

  prepare(): void {}

  launchIn(isolation: Isolation): Launch {
    const { clock, reached, tell, codeOf, unwinds = false, launched, gone } = this.#options;
    const machine: SimulatedMachine = {
      clock,
      unwinds,
      reached: (attempt, point) => reached?.(attempt, point),
      tell: (attempt, say, isSign) => (tell === undefined ? say() : tell(attempt, say, isSign)),
      gone: (attempt) => {
        this.alive.delete(attempt);
        this.#processes.remove(attempt);
        gone?.(attempt);
      },
      ...(codeOf === undefined ? {} : { codeOf }),
    };
    return (spec, port) => {
      const group = isolation === 'process' ? this.#processes.nextGroup(clock.monotonic()) : null;
      const attempt = new SimulatedAttempt(machine, isolation, group, spec, port);
      this.alive.add(attempt);
      this.#processes.add(attempt);
      launched?.(attempt);
      return attempt;
    };
  }

  async endGroup(group: ProcessGroup): Promise<void> {
    for (;;) {
      const attempt = this.#processes.of(group);
      if (attempt === undefined) return;
      attempt.kill();
      if (!attempt.isAlive) return;
      await new Promise<void>((resolve) => this.#options.clock.setTimeout(resolve, lookMs));
    }
  }

  /** Its host is gone: what ran inside it went with it, and watchdogs end the processes. */
  hostGone(): void {
    for (const attempt of [...this.alive]) {
      if (attempt.isolation === 'process') attempt.kill();
      else attempt.end({ signal: 'SIGKILL' });
    }
  }

  async close(): Promise<void> {}
}
