// A processor's way to its engine: opened when it is first needed, where that fails tried again by the next who needs it, and closed
// for good. Who waits for a job is told of each of its changes, and, when they may have been missed or the door is closed, to look again.

import type { Clock } from '../engines/clock.ts';
import type { Engine } from '../engines/engine.ts';
import type { JobState } from '../machines/states.ts';
import { EngineError } from './errors.ts';

type Changed = (state: JobState | null) => void;

export interface EngineDoorOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  /** Done before the engine is first used. */
  prepare(): Promise<void>;
}

export class EngineDoor {
  readonly #options: EngineDoorOptions;
  readonly #watchers = new Map<string, Set<Changed>>();
  #opening: Promise<Engine> | null = null;
  #alive: NodeJS.Timeout | null = null;
  isClosed = false;

  constructor(options: EngineDoorOptions) {
    this.#options = options;
  }

  open(): Promise<Engine> {
    if (this.isClosed)
      return Promise.reject(new EngineError('the processor is stopped: make a new one to ask its engine'));
    if (this.#opening !== null) return this.#opening;
    const opening = this.#open();
    this.#opening = opening;
    // An engine that was not there may be later.
    opening.catch(() => {
      if (this.#opening === opening) this.#opening = null;
    });
    return opening;
  }

  async #open(): Promise<Engine> {
    const { engine, clock, prepare } = this.#options;
    await prepare();
    await engine.open(clock);
    engine.watch({
      changed: (id, state) => {
        for (const changed of this.#watchers.get(id) ?? []) changed(state);
      },
      missed: () => this.#wakeAll(),
    });
    return engine;
  }

  /** Calls `changed` whenever a job may have a new status, with its state where that is known; returns what ends it. */
  async watch(id: string, changed: Changed): Promise<() => void> {
    await this.open();
    const watchers = this.#watchers.get(id) ?? new Set();
    this.#watchers.set(id, watchers.add(changed));
    // Whoever waits for what another process does keeps this one alive.
    if (this.#options.engine.name !== 'memory') this.#alive ??= setInterval(() => {}, 2 ** 30);
    return () => {
      watchers.delete(changed);
      if (watchers.size === 0) this.#watchers.delete(id);
      if (this.#watchers.size > 0 || this.#alive === null) return;
      clearInterval(this.#alive);
      this.#alive = null;
    };
  }

  /** Whoever still waits for a job is told, rather than left waiting. */
  async close(): Promise<void> {
    this.isClosed = true;
    this.#wakeAll();
    const engine = await this.#opening?.catch(() => null);
    await engine?.close();
  }

  #wakeAll(): void {
    for (const watchers of this.#watchers.values()) for (const changed of watchers) changed(null);
  }
}
