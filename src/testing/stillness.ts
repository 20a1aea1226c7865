// When nothing goes on any more without time moving: no promise of the runtime has anything to do, and no attempt's code is
// at work. Code that does real work (files, sockets) is waited for in real time, while simulated time stands still; but not
// for ever: after `patienceMs` between two points it is taken to hang.

import type { SimulatedAttempt } from './simulatedAttempt.ts';
import { pause, turn } from './simulatedClock.ts';

/** So many turns of the event loop in which nothing happens: the runtime waits for up to two. */
const quietTurns = 3;
/** Turns before it is waited for without taking the processor. */
const busyTurns = 50;

// As it was when this was loaded, as with the timers.
const realNow = performance.now.bind(performance);

export class Stillness {
  readonly patienceMs: number;
  readonly #attempts: () => Iterable<SimulatedAttempt>;
  /** When each was last at a point, real ms. */
  readonly #pointAt = new WeakMap<SimulatedAttempt, number>();
  #activity = 0;

  constructor(patienceMs: number, attempts: () => Iterable<SimulatedAttempt>) {
    this.patienceMs = patienceMs;
    this.#attempts = attempts;
  }

  /** Something happened. */
  active(): void {
    this.#activity += 1;
  }

  /** It came to a point. */
  reached(attempt: SimulatedAttempt): void {
    this.#activity += 1;
    this.#pointAt.set(attempt, realNow());
  }

  /** Resolves with the attempts whose code is taken to hang. */
  async reach(): Promise<SimulatedAttempt[]> {
    let turns = 0;
    for (let quiet = 0; quiet < quietTurns; ) {
      const before = this.#activity;
      await (turns < busyTurns ? turn() : pause(1));
      turns += 1;
      if (this.#activity !== before) quiet = 0;
      else if (this.#isWorkUnderWay()) quiet = 0;
      else quiet += 1;
    }
    return [...this.#attempts()].filter(({ isAtWork }) => isAtWork);
  }

  #isWorkUnderWay(): boolean {
    for (const attempt of this.#attempts())
      if (attempt.isAtWork && !this.#isTakenToHang(attempt)) return true;
    return false;
  }

  #isTakenToHang(attempt: SimulatedAttempt): boolean {
    const at = this.#pointAt.get(attempt);
    if (at === undefined) this.#pointAt.set(attempt, realNow());
    return at !== undefined && realNow() - at >= this.patienceMs;
  }
}
