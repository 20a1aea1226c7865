// The engine as one simulated host has it: what it acknowledges is told to the record, a call can be made to fail, and a host
// that was killed gets no answer and hears of nothing any more.

import { type CheckpointWrite, type Engine, EngineError, type Watcher } from '../engines/engine.ts';

export interface HostEngineEvents {
  /** A call is made, or answered: something goes on. */
  active(): void;
  acknowledged(write: CheckpointWrite): void;
  refused(write: CheckpointWrite): void;
}

type Call = (...args: never[]) => unknown;

/** One for each who waits: a shared one would keep all of them. */
const never = () => new Promise<never>(() => {});

export class HostEngine {
  /** What the host is given. */
  readonly engine: Engine;
  readonly #inner: Engine;
  readonly #events: HostEngineEvents;
  readonly #calls = new Map<string | symbol, Call>();
  readonly #failing = new Map<string, (args: readonly unknown[]) => Promise<void>>();
  readonly #unwatch = new Set<() => void>();
  #isDead = false;

  constructor(inner: Engine, events: HostEngineEvents) {
    this.#inner = inner;
    this.#events = events;
    this.engine = new Proxy(inner, { get: (_, name) => this.#get(name) });
  }

  /** `before` the next call of this name is carried out; where it rejects, that is the answer. */
  once(name: keyof Engine, before: (args: readonly unknown[]) => Promise<void>): void {
    this.#failing.set(name, before);
  }

  /** The next call of this name is not carried out: the engine does not answer. */
  failNext(name: keyof Engine): void {
    this.once(name, async () => {
      throw new EngineError('the engine does not answer (simulated)');
    });
  }

  die(): void {
    this.#isDead = true;
    for (const unwatch of this.#unwatch) unwatch();
  }

  #get(name: string | symbol): unknown {
    const value = this.#inner[name as keyof Engine] as unknown;
    if (typeof value !== 'function') return value;
    const known = this.#calls.get(name);
    if (known !== undefined) return known;
    const call = this.#callOf(name, value.bind(this.#inner));
    this.#calls.set(name, call);
    return call;
  }

  #callOf(name: string | symbol, call: (...args: unknown[]) => unknown): Call {
    if (name === 'watch') return (watcher: Watcher) => this.#watch(watcher);
    // Their answers are read bit by bit, not awaited.
    if (name === 'list' || name === 'queue' || name === 'rows') return call as Call;
    return async (...args: unknown[]) => {
      this.#events.active();
      const before = this.#failing.get(name as string);
      this.#failing.delete(name as string);
      if (before !== undefined) await before(args);
      if (this.#isDead) return never();
      const answer = name === 'checkpoint' ? this.#checkpoint(args[0] as CheckpointWrite) : call(...args);
      const given = await answer;
      this.#events.active();
      return this.#isDead ? never() : given;
    };
  }

  async #checkpoint(write: CheckpointWrite): Promise<void> {
    try {
      await this.#inner.checkpoint(write);
    } catch (error) {
      this.#events.refused(write);
      throw error;
    }
    this.#events.acknowledged(write);
  }

  #watch(watcher: Watcher): () => void {
    const unwatch = this.#inner.watch(watcher);
    this.#unwatch.add(unwatch);
    return unwatch;
  }
}
