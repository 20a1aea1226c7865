// Time that moves only when a test says so. Between two timers everything that promises and the event loop
// have waiting is done, so that a test sees what an app would after that time.

import type { Clock } from '../engines/clock.ts';

interface Timer {
  dueAt: number;
  callback: () => void;
}

export class SimulatedClock implements Clock {
  #monotonic = 0;
  #wallOffset = Date.UTC(2026, 0, 1);
  #timers = new Set<Timer>();
  readonly #settled: () => Promise<unknown>;

  /** `settled`: resolves when everything that time has set off is done. */
  constructor(settled: () => Promise<unknown> = settle) {
    this.#settled = settled;
  }

  now(): number {
    return this.#monotonic + this.#wallOffset;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  setTimeout(callback: () => void, ms: number): unknown {
    const timer: Timer = { dueAt: this.#monotonic + ms, callback };
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

  /** ms until the first timer is due; null where there is none. */
  get nextIn(): number | null {
    const next = this.#next();
    return next === null ? null : Math.max(0, next.dueAt - this.#monotonic);
  }

  /** Goes on to the first timer, where it is due within so many ms, and fires it. */
  fireNext(withinMs = Infinity): boolean {
    const next = this.#next();
    if (next === null || next.dueAt > this.#monotonic + withinMs) return false;
    this.#timers.delete(next);
    this.#monotonic = Math.max(this.#monotonic, next.dueAt);
    next.callback();
    return true;
  }

  /** So many ms pass in which no timer is due. */
  pass(ms: number): void {
    this.#monotonic += ms;
  }

  async advance(seconds: number): Promise<void> {
    const target = this.#monotonic + seconds * 1000;
    do await this.#settled();
    while (this.fireNext(target - this.#monotonic));
    this.pass(Math.max(0, target - this.#monotonic));
    await this.#settled();
  }

  /** Of those due at the same time, the one that was set first: so they stand in the set. */
  #next(): Timer | null {
    let next: Timer | null = null;
    for (const timer of this.#timers) {
      if (next === null || timer.dueAt < next.dueAt) next = timer;
    }
    return next;
  }
}

/** Lets everything that is ready to go on do so. */
export async function settle(): Promise<void> {
  for (let count = 0; count < 5; count += 1) await turn();
}

// As they were when this was loaded: a test may put others in their place.
const { setImmediate: realImmediate, setTimeout: realTimeout } = globalThis;

/** One turn of the event loop: what promises have waiting is done. */
export function turn(): Promise<void> {
  return new Promise((resolve) => realImmediate(resolve));
}

/** Real time passes. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => realTimeout(resolve, ms));
}
