// The engine's side of all links: carries out calls, one at a time, on the real engine, and passes its news on to whoever
// watches. Everything that is stored goes through here, so here it is witnessed.

import { type Engine, EngineError } from '../../src/engines/engine.ts';
import type { JobState } from '../../src/machines/states.ts';
import type { Network } from './network.ts';
import type { Timeline } from './timeline.ts';

/** `controls`: schedules, or the paused names. */
export type News = [id: string, state: JobState] | 'controls';

export interface ServerWitness {
  /** A job has changed. */
  changed(id: string): void;
  asked(method: string, args: readonly unknown[]): void;
  answered(method: string, args: readonly unknown[], answer: { value: unknown } | { error: unknown }): void;
}

const reads = new Set([
  ...['get', 'list', 'queue', 'count', 'countEnded', 'oldestWaiting', 'openJobs', 'rows'],
  ...['due', 'nextDueAt', 'nextStartAt', 'lapsed', 'schedules', 'pausedNames'],
]);
const streams = new Set(['list', 'queue', 'rows']);

export class Server {
  readonly engine: Engine;
  readonly #timeline: Timeline;
  readonly #network: Network;
  readonly #witness: ServerWitness;
  readonly #readers = new Set<(news: News[]) => void>();
  #news: News[] = [];
  /** Calls are carried out one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(engine: Engine, timeline: Timeline, network: Network, witness: ServerWitness) {
    this.engine = engine;
    this.#timeline = timeline;
    this.#network = network;
    this.#witness = witness;
    engine.watch({
      changed: (id, state) => {
        witness.changed(id);
        this.#tell([id, state]);
      },
      controlsChanged: () => this.#tell('controls'),
      missed: () => {},
    });
  }

  /** Answers when it is durable. */
  call(method: string, args: readonly unknown[], answer: (settled: () => Promise<unknown>) => void): void {
    if (this.#network.isDiskFull && !reads.has(method)) {
      answer(() => Promise.reject(new EngineError('the disk is full: free some space')));
      return;
    }
    this.#last = this.#carryOut(method, args).then(
      (value) => this.#answer(method, args, { value }, answer),
      (error) => this.#answer(method, args, { error }, answer),
    );
  }

  watch(read: (news: News[]) => void): () => void {
    this.#readers.add(read);
    return () => this.#readers.delete(read);
  }

  async #carryOut(method: string, args: readonly unknown[]): Promise<unknown> {
    await this.#last;
    this.#witness.asked(method, args);
    const act = (this.engine as unknown as Record<string, (...args: unknown[]) => unknown>)[method];
    if (act === undefined) throw new EngineError(`the engine has no ${method}`);
    const made = act.apply(this.engine, [...args]);
    if (!streams.has(method)) return made;
    const all: unknown[] = [];
    for await (const each of made as AsyncIterable<unknown>) all.push(each);
    return all;
  }

  #answer(
    method: string,
    args: readonly unknown[],
    settled: { value: unknown } | { error: unknown },
    answer: (settled: () => Promise<unknown>) => void,
  ): void {
    this.#witness.answered(method, args, settled);
    const tell = () =>
      answer(() => ('value' in settled ? Promise.resolve(settled.value) : Promise.reject(settled.error)));
    const durableIn = this.#network.durableIn(this.#timeline.now);
    if (durableIn === 0) tell();
    else this.#timeline.in(durableIn, tell);
  }

  #tell(news: News): void {
    this.#news.push(news);
    if (this.#news.length > 1) return;
    this.#timeline.in(this.#network.commitMs ?? 0, () => {
      const told = this.#news;
      this.#news = [];
      for (const read of this.#readers) read(told);
    });
  }
}
