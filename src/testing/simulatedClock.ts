// Time that moves only when a test says so. Between two timers everything that promises and the event loop
// have waiting is done, so that a test sees what an app would after that time.

import type { Clock } from '../engines/clock.ts';

interface Timer {
  dueAt: number;
  order: number;
  callback: () => void;
}

export class SimulatedClock implements Clock {
  #monotonic = 0;
  #wallOffset = Date.UTC(2026, 0, 1);
  #order = 0;
  #timers = new Set<Timer>();
  readonly #settled: () => Promise<void>;

  /** `settled`: resolves when everything that time has set off is done. */
  constructor(settled = settle) {
    this.#settled = settled;
  }

  now(): number {
    return this.#monotonic + this.#wallOffset;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  setTimeout(callback: () => void, ms: number): unknown {
    const timer: Timer = { dueAt: this.#monotonic + ms, order: this.#order++, callback };
    if (ms !== Infinity) this.#timers.add(timer);
    return timer;
  }

  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer as Timer);
  }

  /** Timers that would still fire. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Sets the wall clock without any time passing. */
  jumpWall(ms: number): void {
    this.#wallOffset += ms;
  }

  async advance(seconds: number): Promise<void> {
    const target = this.#monotonic + seconds * 1000;
    await this.#settled();
    for (;;) {
      const next = [...this.#timers]
        .filter(({ dueAt }) => dueAt <= target)
        .sort((a, b) => a.dueAt - b.dueAt || a.order - b.order)[0];
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#monotonic = Math.max(this.#monotonic, next.dueAt);
      next.callback();
      await this.#settled();
    }
    this.#monotonic = target;
    await this.#settled();
  }
}

/** Lets everything that is ready to go on do so. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
}
