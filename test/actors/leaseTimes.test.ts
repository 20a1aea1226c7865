// The times of a lease: several renewals in it, and whoever acts before its end, in their order.

import { expect, test } from 'vitest';
import { leaseTimes } from '../../src/actors/leaseTimes.ts';

test('of the usual lease', () => {
  expect(leaseTimes(12)).toEqual({
    leaseMs: 12_000,
    intervalMs: 1000,
    hostMarginMs: 3000,
    watchdogMarginMs: 1500,
  });
});

test.each([3, 12, 3600])(
  'of %s s: renewed six times or more, and ended by the host before the watchdog',
  (seconds) => {
    const { leaseMs, intervalMs, hostMarginMs, watchdogMarginMs } = leaseTimes(seconds);
    expect(leaseMs / intervalMs).toBeGreaterThanOrEqual(6);
    // The host looks once an interval.
    expect(hostMarginMs).toBeGreaterThan(intervalMs);
    expect(hostMarginMs).toBeGreaterThan(watchdogMarginMs);
    expect(watchdogMarginMs).toBeGreaterThan(300);
  },
);
