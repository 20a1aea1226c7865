// What one processor sees of an engine that several share. It knows whether a call is under way, so that a test waits for
// answers and not for time; and it can keep calls waiting, let them fail, lose their answers, or be cut with its processor.

import { type Engine, EngineError, type Watcher } from '../../src/engines/engine.ts';

/** `fail`: the engine never sees the call. `lose`: it does what it is told, and the answer does not arrive. */
export type Passage = 'go' | 'fail' | 'lose';

type Gate = (method: string, args: readonly unknown[]) => Passage | Promise<Passage>;

/** More are none that anybody means, and would not let a test end. */
const mostInTurn = 10_000;

/** One for each who waits: a shared one would keep all of them. */
const never = () => new Promise<never>(() => {});

export class EngineLink {
  /** As the processor has it. */
  readonly engine: Engine;
  /** Calls that the engine has not answered; those that wait at the gate do not count. */
  underWay = 0;
  /** Calls so far. */
  calls = 0;
  /** What becomes of a call. */
  gate: Gate = () => 'go';
  /** Calls in this turn of the event loop. */
  #inTurn = 0;
  #isCut = false;
  readonly #store: Engine;
  readonly #watchers = new Set<Watcher>();

  constructor(store: Engine) {
    this.#store = store;
    this.engine = new Proxy(store, { get: (_, property) => this.#property(String(property)) });
  }

  /** Its processor is no more: nothing of it reaches the engine, nor it the engine's answers. */
  cut(): void {
    this.#isCut = true;
  }

  /** The engine says that changes were missed: the processor looks at everything, and beats. */
  tellMissed(): void {
    for (const watcher of this.#watchers) watcher.missed();
  }

  #property(name: string): unknown {
    if (name === 'name') return this.#store.name;
    // Opened and closed by whoever made the store.
    if (name === 'open' || name === 'close') return async () => {};
    if (name === 'watch') return (watcher: Watcher) => this.#watch(watcher);
    if (name === 'list' || name === 'queue' || name === 'rows')
      return (...args: unknown[]) => this.#iterate(name, args);
    const method = name as keyof Engine;
    if (typeof this.#store[method] !== 'function') return undefined;
    return (...args: unknown[]) =>
      this.#call(name, args, () =>
        (this.#store[method] as (...args: unknown[]) => Promise<unknown>)(...args),
      );
  }

  async #call<T>(method: string, args: readonly unknown[], call: () => Promise<T>): Promise<T> {
    this.calls += 1;
    if (this.#inTurn === 0) setImmediate(() => (this.#inTurn = 0));
    this.#inTurn += 1;
    if (this.#inTurn > mostInTurn) throw new EngineError(`${method}: who calls does so in a circle`);
    if (this.#isCut) return never();
    let passage = this.gate(method, args);
    if (typeof passage !== 'string') passage = await passage;
    if (this.#isCut) return never();
    if (passage === 'fail') throw new EngineError(`${method}: no answer`);
    this.underWay += 1;
    try {
      const answer = await call();
      if (passage === 'lose') throw new EngineError(`${method}: the answer was lost`);
      return this.#isCut ? never() : answer;
    } catch (error) {
      if (this.#isCut) return never();
      throw error;
    } finally {
      this.underWay -= 1;
    }
  }

  async *#iterate(method: 'list' | 'queue' | 'rows', args: readonly unknown[]): AsyncGenerator {
    const read = this.#store[method] as (...args: readonly unknown[]) => AsyncIterable<unknown>;
    const iterator = read.call(this.#store, ...args)[Symbol.asyncIterator]();
    for (;;) {
      const next = await this.#call(method, args, () => iterator.next());
      if (next.done) return;
      yield next.value;
    }
  }

  #watch(watcher: Watcher): () => void {
    const whole = (tell: () => void) => {
      if (!this.#isCut) tell();
    };
    const told: Watcher = {
      changed: (id, state) => whole(() => watcher.changed(id, state)),
      controlsChanged: () => whole(() => watcher.controlsChanged?.()),
      missed: () => whole(() => watcher.missed()),
    };
    this.#watchers.add(told);
    const unwatch = this.#store.watch(told);
    return () => {
      this.#watchers.delete(told);
      unwatch();
    };
  }
}
