// Time as one simulated host has it: when the host is killed its timers are gone with it, and it sets none any more.

import type { Clock } from '../engines/clock.ts';

export class HostClock implements Clock {
  readonly #clock: Clock;
  readonly #timers = new Set<unknown>();
  #isDead = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  monotonic(): number {
    return this.#clock.monotonic();
  }

  setTimeout(callback: () => void, ms: number): unknown {
    if (this.#isDead) return null;
    const timer: unknown = this.#clock.setTimeout(() => {
      this.#timers.delete(timer);
      callback();
    }, ms);
    this.#timers.add(timer);
    return timer;
  }

  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer);
    this.#clock.clearTimeout(timer);
  }

  die(): void {
    this.#isDead = true;
    for (const timer of this.#timers) this.#clock.clearTimeout(timer);
    this.#timers.clear();
  }
}
