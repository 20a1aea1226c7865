// The clock of one processor, on the time that all of a world share. A processor that is killed has no timers any more; and
// one can be made to lose a timer, which is what the monitor and the watchdog are there for.

import type { Clock } from '../../src/engines/clock.ts';

interface HostTimer {
  inner: unknown;
  /** Monotonic ms. */
  readonly dueAt: number;
}

export class HostClock implements Clock {
  readonly #time: Clock;
  readonly #timers = new Set<HostTimer>();
  #isStopped = false;

  constructor(time: Clock) {
    this.#time = time;
  }

  now(): number {
    return this.#time.now();
  }

  monotonic(): number {
    return this.#time.monotonic();
  }

  setTimeout(callback: () => void, ms: number): unknown {
    const timer: HostTimer = { inner: null, dueAt: this.monotonic() + ms };
    if (this.#isStopped) return timer;
    this.#timers.add(timer);
    timer.inner = this.#time.setTimeout(() => {
      this.#timers.delete(timer);
      callback();
    }, ms);
    return timer;
  }

  clearTimeout(given: unknown): void {
    const timer = given as HostTimer;
    this.#timers.delete(timer);
    this.#time.clearTimeout(timer.inner);
  }

  /** Those that are due from then to then, monotonic ms, never fire. Says how many. */
  lose(from: number, to: number): number {
    const lost = [...this.#timers].filter(({ dueAt }) => dueAt >= from && dueAt <= to);
    for (const timer of lost) this.clearTimeout(timer);
    return lost.length;
  }

  stop(): void {
    this.#isStopped = true;
    this.lose(-Infinity, Infinity);
  }
}
