// One machine of a test: an engine, the time, and the processors that come and go on them. What time or an act has set off is
// over when no call of any processor is under way and the event loop has nothing left.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Places } from '../../src/actors/attempt.ts';
import type { Engine } from '../../src/engines/engine.ts';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { SqliteEngine } from '../../src/engines/sqlite/sqlite.ts';
import { JobProcessor, type Jobs } from '../../src/index.ts';
import { type ProcessorOptions, placesOption } from '../../src/runtime/processorOptions.ts';
import { SimulatedClock, settle } from '../../src/testing/simulatedClock.ts';
import { EngineLink } from './engineLink.ts';
import { LosingClock } from './losingClock.ts';

export type EngineName = 'memory' | 'sqlite';
export const engineNames: readonly EngineName[] = ['memory', 'sqlite'];

const logger = pino({ level: 'silent' });

/** Between two timers nothing that ends asks the engine so often. */
const mostCalls = 10_000;

/** One processor, with all that is its own. */
export interface Host<P extends Places = Places> {
  // biome-ignore lint/suspicious/noExplicitAny: the names of its jobs are a matter of each test.
  readonly processor: JobProcessor<any>;
  readonly link: EngineLink;
  readonly clock: LosingClock;
  readonly places: P;
}

export class World {
  readonly clock = new SimulatedClock(() => this.calm());
  readonly #folder: string | null;
  readonly #links = new Set<EngineLink>();
  /** The engine itself: asked by tests, beside what the processors do. */
  readonly store: Engine;

  constructor(engine: EngineName) {
    this.#folder = engine === 'sqlite' ? mkdtempSync(join(tmpdir(), 'unstuck-')) : null;
    this.store =
      this.#folder === null
        ? new MemoryEngine()
        : new SqliteEngine({ path: join(this.#folder, 'jobs.db'), durability: 'normal' });
  }

  async open(): Promise<this> {
    await this.store.open(this.clock);
    return this;
  }

  async close(): Promise<void> {
    await this.store.close();
    if (this.#folder !== null) rmSync(this.#folder, { recursive: true });
  }

  host<P extends Places>(places: P, options: Omit<ProcessorOptions<Jobs>, 'engine'>): Host<P> {
    const link = new EngineLink(this.store);
    this.#links.add(link);
    const clock = new LosingClock(this.clock);
    const processor = new JobProcessor({
      engine: link.engine,
      clock,
      logger,
      telemetry: false,
      ...options,
      [placesOption]: places,
    });
    return { processor, link, clock, places };
  }

  /** As by kill -9. What ran in it is for `places` to end. */
  kill(host: Host): void {
    host.link.cut();
    host.clock.die();
    this.#links.delete(host.link);
  }

  async stop(host: Host): Promise<void> {
    const stopped = host.processor.stop();
    await this.advance(0.001);
    await stopped;
    this.#links.delete(host.link);
  }

  /** Resolves when nothing is under way any more. */
  async calm(): Promise<void> {
    const began = this.#calls();
    for (;;) {
      const before = this.#calls();
      if (before - began > mostCalls)
        throw new Error(`${mostCalls} calls, and it is not over: something turns in a circle`);
      await settle();
      if (this.#underWay() === 0 && this.#calls() === before) return;
    }
  }

  async advance(seconds: number): Promise<void> {
    await this.clock.advance(seconds);
  }

  #calls(): number {
    return [...this.#links].reduce((sum, { calls }) => sum + calls, 0);
  }

  #underWay(): number {
    return [...this.#links].reduce((sum, { underWay }) => sum + underWay, 0);
  }
}
