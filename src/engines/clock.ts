// The time that engines, actors and the runtime live on: injected everywhere, so that tests can move it.

export interface Clock {
  /** Wall time, ms since the epoch. It may jump: only due times that people set count on it. */
  now(): number;
  /** ms since the machine started. It never jumps: durations and leases count on it. */
  monotonic(): number;
  /** Never early, of any length; Infinity never fires. */
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}
