// The clock of one processor that can be made to lose a timer, which is what the monitor and the watchdog are there for.

import { HostClock } from '../../src/testing/hostClock.ts';

export class LosingClock extends HostClock {
  /** Of each timer, when it is due; monotonic ms. */
  readonly #dueAt = new Map<unknown, number>();

  override setTimeout(callback: () => void, ms: number): unknown {
    const timer: unknown = super.setTimeout(() => {
      this.#dueAt.delete(timer);
      callback();
    }, ms);
    this.#dueAt.set(timer, this.monotonic() + ms);
    return timer;
  }

  override clearTimeout(timer: unknown): void {
    this.#dueAt.delete(timer);
    super.clearTimeout(timer);
  }

  /** Those that are due from then to then, monotonic ms, never fire. Says how many. */
  lose(from: number, to: number): number {
    const lost = [...this.#dueAt].filter(([, dueAt]) => dueAt >= from && dueAt <= to);
    for (const [timer] of lost) this.clearTimeout(timer);
    return lost.length;
  }
}
