// How long a silent owner keeps its jobs, and who acts when before that is over. Where another machine may take a job over, the
// attempt has ended by then: its host ends it, and where that cannot, its own watchdog does.

export interface LeaseTimes {
  readonly leaseMs: number;
  /** Between two renewals. */
  readonly intervalMs: number;
  /** Before its end: the host gives up, then the watchdog does. What is left after that is for a kill to be carried out. */
  readonly hostMarginMs: number;
  readonly watchdogMarginMs: number;
}

export function leaseTimes(leaseSeconds: number): LeaseTimes {
  const leaseMs = leaseSeconds * 1000;
  return {
    leaseMs,
    intervalMs: Math.min(1000, leaseMs / 6),
    hostMarginMs: leaseMs / 4,
    watchdogMarginMs: leaseMs / 8,
  };
}
