// The time that engines, actors and the runtime live on: injected everywhere, so that tests can move it.

export interface Clock {
  /** Wall time, ms since the epoch. It may jump: only due times that people set count on it. */
  now(): number;
  /** ms since the machine started. It never jumps: durations and leases count on it. */
  monotonic(): number;
  /** Never early, of any length; Infinity never fires. */
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
  /**
   * Begins to notice when this process was not there (its loop blocked, stopped). Absent where time is simulated:
   * nothing can be missed there.
   */
  watchAbsence?(): Absence;
}

export interface Absence {
  /** When the last absence ended, and how long all of them together were since the watch began. Monotonic ms. */
  look(): { endedAt: number; totalMs: number };
  stop(): void;
}
