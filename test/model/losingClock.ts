// The clock of one processor that can be made to lose a timer, which is what the monitor and the watchdog are there for.

import { HostClock } from '../../src/testing/hostClock.ts';

export class LosingClock extends HostClock {
  /** Of each timer, when it is due, monotonic ms, and how many were set before it. */
  readonly #timers = new Map<unknown, { dueAt: number; number: number }>();
  #count = 0;

  /** Timers that were set so far. */
  get count(): number {
    return this.#count;
  }

  override setTimeout(callback: () => void, ms: number): unknown {
    const timer: unknown = super.setTimeout(() => {
      this.#timers.delete(timer);
      callback();
    }, ms);
    this.#timers.set(timer, { dueAt: this.monotonic() + ms, number: this.#count });
    this.#count += 1;
    return timer;
  }

  override clearTimeout(timer: unknown): void {
    this.#timers.delete(timer);
    super.clearTimeout(timer);
  }

  /** Those that were set after the first `since`, and are due from then to then, monotonic ms, never fire. Says how many. */
  lose(since: number, from: number, to: number): number {
    const lost = [...this.#timers].filter(
      ([, { dueAt, number }]) => number >= since && dueAt >= from && dueAt <= to,
    );
    for (const [timer] of lost) this.clearTimeout(timer);
    return lost.length;
  }
}
