// One process of an app: a real JobProcessor on a clock of its own, with a link to the engine and places for its attempts. When it
// crashes nothing of it goes on: its clock fires no more, what it waits for does not come.

import type { Logger } from 'pino';
import type { Engine } from '../../src/engines/engine.ts';
import { JobProcessor } from '../../src/index.ts';
import { jobStates } from '../../src/machines/states.ts';
import type { Jobs } from '../../src/runtime/definitions.ts';
import { placesOption } from '../../src/runtime/processorOptions.ts';
import type { SimulatedProcesses } from '../../src/testing/simulatedPlaces.ts';
import type { Behaviour } from './behaviour.ts';
import { Life, type Wall } from './life.ts';
import { engineOver, Link } from './link.ts';
import type { Network } from './network.ts';
import { HostPlaces } from './places.ts';
import type { NodePlan } from './plan.ts';
import { Random } from './random.ts';
import type { Server, Store } from './store.ts';
import type { Timeline } from './timeline.ts';
import type { Witness } from './witness.ts';

export interface HostOptions {
  readonly seed: number;
  readonly plan: NodePlan;
  readonly timeline: Timeline;
  readonly wall: Wall;
  readonly network: Network;
  readonly store: Store;
  readonly processes: SimulatedProcesses;
  readonly machine: Life;
  readonly behaviour: Behaviour;
  readonly definitions: Jobs;
  readonly witness: Witness;
  readonly patienceMs: number;
  readonly spansMachines: boolean;
  readonly altered: Alterations;
  happened(fault: string): void;
}

/** For tests that plant a fault: what stands in place of the real thing. */
export interface Alterations {
  engine?(engine: Engine): Engine;
  life?(life: Life): void;
  places?(places: HostPlaces): void;
}

/** Writes nothing. */
const silent = new Proxy({} as Logger, {
  get: (_, name) => (name === 'child' ? () => silent : name === 'level' ? 'silent' : () => {}),
});

export class Host {
  readonly plan: NodePlan;
  /** Its event loop, and its threads. */
  readonly loop: Life;
  readonly places: HostPlaces;
  readonly processor: JobProcessor<Jobs>;
  readonly server: Server;
  readonly #threads: Life;
  readonly #link: Link;
  #frozen = 0;
  #blocked = 0;
  isStopping = false;

  constructor(options: HostOptions) {
    const { seed, plan, timeline, wall, network, store, processes, machine, behaviour, witness } = options;
    const { patienceMs, spansMachines, happened, altered } = options;
    this.plan = plan;
    this.loop = new Life(timeline, wall);
    this.#threads = new Life(timeline, wall);
    altered.life?.(this.loop);
    this.server = store.serverFor(this.loop, this.#threads);
    const { server } = this;
    const { history } = witness;
    const places = new HostPlaces({
      ...{ seed, timeline, processes, machine, threads: this.#threads, loop: this.loop },
      reached: (attempt, point) => {
        witness.reached(attempt, point);
        const life = { process: machine, thread: this.#threads, inline: this.loop }[attempt.isolation];
        return behaviour.reached(attempt, point, life.clock);
      },
      launched: (attempt) => witness.launched(attempt, this),
      signed: (attempt) => witness.signed(attempt),
    });
    this.places = places;
    altered.places?.(places);
    const link = {
      node: plan.index,
      life: this.loop,
      timeline,
      network,
      server,
      history,
      patienceMs,
      spansMachines,
      happened,
    };
    this.#link = new Link(link);
    const random = new Random(seed, `jitter ${plan.index} ${timeline.now}`);
    this.processor = new JobProcessor({
      engine: engineOver(this.#link),
      jobs: options.definitions,
      clock: this.loop.clock,
      random: () => random.next(),
      logger: silent,
      telemetry: false,
      spares: 0,
      maxConcurrentJobs: plan.maxConcurrentJobs,
      monitorIntervalSeconds: plan.monitorIntervalSeconds,
      [placesOption]: this.places,
    });
    for (const state of jobStates) {
      this.processor.on(state, (status) => {
        if (this.loop.isDead) return;
        witness.told.told(status, `node${plan.index}`);
        if (state === 'stopping') witness.told.stopping(this, status);
      });
    }
  }

  get isUp(): boolean {
    return !this.loop.isDead && !this.isStopping;
  }

  block(ms: number, timeline: Timeline): void {
    this.#blocked += 1;
    this.#obey();
    timeline.in(ms, () => {
      this.#blocked -= 1;
      this.#obey();
    });
  }

  freeze(ms: number, timeline: Timeline): void {
    this.#frozen += 1;
    this.#obey();
    timeline.in(ms, () => {
      this.#frozen -= 1;
      this.#obey();
    });
  }

  /** `kill -9`. */
  crash(): void {
    if (this.loop.isDead) return;
    this.loop.die();
    this.#threads.die();
    this.#link.cut();
    this.places.hostGone();
  }

  #obey(): void {
    if (this.#frozen > 0) this.#threads.pause();
    else this.#threads.goOn();
    if (this.#frozen + this.#blocked > 0) this.loop.pause();
    else this.loop.goOn();
  }
}
