// The real clock where nothing is waited for: test/runtime/clock.test.ts has the rest.

import { expect, test } from 'vitest';
import { systemClock } from '../../src/actors/systemClock.ts';

test('a timer that is due, and only waits for the messages that came before it, can be cleared', async () => {
  const timer = systemClock.setTimeout(() => expect.unreachable(), 0);
  systemClock.clearTimeout(timer);
  for (let turns = 0; turns < 3; turns += 1) await new Promise(setImmediate);
});

test('a timer that never fires keeps no process, and can be cleared', () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  const timer = systemClock.setTimeout(() => expect.unreachable(), Infinity);
  expect(timers()).toBe(before);
  systemClock.clearTimeout(timer);
});

test('an absence is noticed by whoever looks, though its ticker has not run since', () => {
  const absence = systemClock.watchAbsence?.() ?? expect.unreachable();
  expect(absence.look()).toEqual({ endedAt: -Infinity, totalMs: 0 });
  const until = systemClock.monotonic() + 500;
  // Really not there: no timer of this process runs.
  while (systemClock.monotonic() < until);
  const { endedAt, totalMs } = absence.look();
  expect(endedAt).toBeGreaterThanOrEqual(until);
  // All but the tick that was due anyway.
  expect(totalMs).toBeGreaterThanOrEqual(400 - 1);
  absence.stop();
});
