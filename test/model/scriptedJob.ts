// A job whose code does, attempt by attempt, what a test orders: finish a chunk, go beyond the last, and end in one way or another.

import type { Isolation } from '../../src/actors/attempt.ts';
import { defineChunkedJob } from '../../src/index.ts';

export type Order = 'chunk' | 'last' | 'complete' | 'fail' | 'failForGood';

/** What the attempts wait for, by token. */
export class Orders {
  readonly #waiting = new Map<string, (order: Order) => void>();

  next(token: string): Promise<Order> {
    return new Promise((resolve) => this.#waiting.set(token, resolve));
  }

  /** False: it waits for none. */
  give(token: string, order: Order): boolean {
    const give = this.#waiting.get(token);
    this.#waiting.delete(token);
    give?.(order);
    return give !== undefined;
  }
}

/** With the input `quick` it waits for no orders. */
export function scriptedJob(orders: Orders, isolation: Isolation) {
  return defineChunkedJob({
    ...(isolation === 'inline' ? {} : { module: import.meta.url }),
    isolation,
    start: 0,
    async *chunks(input: 'scripted' | 'quick', { checkpoint, token }) {
      for (let n = checkpoint; input === 'scripted' && (await orders.next(token)) === 'chunk'; n += 1)
        yield [n];
    },
    process([n = 0], { append }) {
      append({ n });
      return n + 1;
    },
    async result(checkpoint, input, { token }) {
      const order = input === 'quick' ? 'complete' : await orders.next(token);
      if (order === 'complete') return checkpoint;
      throw Object.assign(new Error('no'), order === 'fail' ? {} : { retryable: false });
    },
  });
}
