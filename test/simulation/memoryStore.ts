// The memory engine as if it were a server: one for all hosts, which carries out calls one after the other. It forgets nothing, for
// nothing of it crashes; its disk is slow or full as the network says.

import type { Clock } from '../../src/engines/clock.ts';
import { type Engine, EngineError, type StoredJob } from '../../src/engines/engine.ts';
import type { Network } from './network.ts';
import { carryOut, type News, type Server, type Store, type StoreWitness } from './store.ts';
import type { Timeline } from './timeline.ts';
import type { Answered } from './witness.ts';

export const reads: ReadonlySet<string> = new Set([
  ...['get', 'list', 'queue', 'count', 'countEnded', 'oldestWaiting', 'openJobs', 'rows'],
  ...['due', 'nextDueAt', 'nextStartAt', 'lapsed', 'schedules', 'pausedNames', 'nodes'],
]);

export interface MemoryStoreOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly timeline: Timeline;
  readonly network: Network;
  readonly witness: StoreWitness;
}

export class MemoryStore implements Store, Server {
  readonly #options: MemoryStoreOptions;
  readonly #readers = new Set<(news: News[]) => void>();
  #news: News[] = [];
  /** Calls are carried out one after the other. */
  #last: Promise<unknown>;

  constructor(options: MemoryStoreOptions) {
    this.#options = options;
    const { engine, clock, witness } = options;
    this.#last = engine.open(clock);
    engine.watch({
      changed: (id, state) => {
        witness.changed(id);
        this.#tell([id, state]);
      },
      controlsChanged: () => this.#tell('controls'),
      missed: () => {},
    });
  }

  serverFor(): Server {
    return this;
  }

  async open(): Promise<void> {}

  async close(): Promise<void> {}

  get(id: string): Promise<StoredJob | null> {
    return this.#options.engine.get(id);
  }

  rows(id: string): AsyncIterable<string> {
    return this.#options.engine.rows(id);
  }

  call(method: string, args: readonly unknown[], answer: (settled: () => Promise<unknown>) => void): void {
    const { engine, network } = this.#options;
    if (network.isDiskFull && !reads.has(method)) {
      answer(() => Promise.reject(new EngineError('the disk is full: free some space')));
      return;
    }
    this.#last = this.#last
      .then(() => carryOut(engine, method, args))
      .then(
        (value) => this.#answer(method, args, { value }, answer),
        (error) => this.#answer(method, args, { error }, answer),
      );
  }

  watch(read: (news: News[]) => void): () => void {
    this.#readers.add(read);
    return () => this.#readers.delete(read);
  }

  #answer(
    method: string,
    args: readonly unknown[],
    settled: Answered,
    answer: (settled: () => Promise<unknown>) => void,
  ): void {
    const { witness, network, timeline } = this.#options;
    witness.answered(method, args, settled);
    const tell = () =>
      answer(() => ('value' in settled ? Promise.resolve(settled.value) : Promise.reject(settled.error)));
    const durableIn = network.durableIn(timeline.now);
    if (durableIn === 0) tell();
    else timeline.in(durableIn, tell);
  }

  #tell(news: News): void {
    this.#news.push(news);
    if (this.#news.length > 1) return;
    this.#options.timeline.in(this.#options.network.commitMs ?? 0, () => {
      const told = this.#news;
      this.#news = [];
      for (const read of this.#readers) read(told);
    });
  }
}
