// Holds the attempts of a job after each chunk, or at other points, until the test has looked and says go on.

import type { Point, SimulatedAttempt } from './simulatedAttempt.ts';

/** Where a job is held. */
export interface Step {
  readonly jobId: string;
  readonly attempt: number;
  /** The number of the chunk in the job, from 1; 0 before the first. */
  readonly chunk: number;
  readonly point: Point;
  /** The last that was acknowledged; undefined before the first. */
  readonly checkpoint: unknown;
  /** What was appended so far. */
  readonly rows: readonly unknown[];
}

/** A job that goes from point to point. */
export interface Steps {
  /** Goes on to the next point. Null: none is held; the job is over, hangs, or waits for time to pass. */
  next(): Promise<Step | null>;
  /** Holds it no more. */
  release(): void;
}

interface Held {
  readonly attempt: SimulatedAttempt;
  readonly point: Point;
  readonly goOn: () => void;
}

export class HeldSteps implements Steps {
  readonly #name: string;
  readonly #at: readonly Point[];
  readonly #settled: () => Promise<unknown>;
  readonly #describe: (attempt: SimulatedAttempt, point: Point) => Step;
  #held: Held | null = null;
  #isReleased = false;
  #isShown = false;

  constructor(
    name: string,
    at: readonly Point[],
    settled: () => Promise<unknown>,
    describe: (attempt: SimulatedAttempt, point: Point) => Step,
  ) {
    this.#name = name;
    this.#at = at;
    this.#settled = settled;
    this.#describe = describe;
  }

  async next(): Promise<Step | null> {
    // One that came to its point before it was asked for is still to be shown.
    if (this.#isShown) this.#goOn();
    this.#isShown = true;
    await this.#settled();
    if (this.#held === null || !this.#held.attempt.isAlive) return null;
    return this.#describe(this.#held.attempt, this.#held.point);
  }

  release(): void {
    this.#isReleased = true;
    this.#goOn();
  }

  /** One attempt at a time: others of the name are not held meanwhile. */
  reached(attempt: SimulatedAttempt, point: Point): Promise<void> | undefined {
    if (this.#isReleased || attempt.spec.start.name !== this.#name || !this.#at.includes(point)) return;
    if (this.#held?.attempt.isAlive) return;
    return new Promise((resolve) => {
      this.#held = { attempt, point, goOn: resolve };
    });
  }

  #goOn(): void {
    const held = this.#held;
    this.#held = null;
    held?.goOn();
  }
}
