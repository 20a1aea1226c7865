// The real clock where nothing is waited for: test/runtime/clock.test.ts has the rest.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
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

test('its time of day is that of the machine', () => {
  vi.useFakeTimers({ toFake: ['Date'], now: 1_764_000_000_000 });
  expect(systemClock.now()).toBe(1_764_000_000_000);
  vi.useRealTimers();
});

describe('an absence, by a ticker in our hands', () => {
  let at: number;
  beforeEach(() => {
    at = 5000;
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    vi.spyOn(process, 'hrtime').mockImplementation(() => [Math.floor(at / 1000), (at % 1000) * 1e6]);
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  const watch = () => systemClock.watchAbsence?.() ?? expect.unreachable();
  /** So many ms pass until its next tick. */
  const tickAfter = (ms: number) => {
    at += ms;
    vi.advanceTimersByTime(100);
  };
  const none = { endedAt: -Infinity, totalMs: 0 };

  test('a tick that is little late is none', () => {
    const absence = watch();
    for (const ms of [100, 101, 350]) tickAfter(ms);
    expect(absence.look()).toEqual(none);
  });

  test('what a tick comes later than that was missed, and adds up', () => {
    const absence = watch();
    tickAfter(351);
    expect(absence.look()).toEqual({ endedAt: 5351, totalMs: 251 });
    tickAfter(100);
    expect(absence.look()).toEqual({ endedAt: 5351, totalMs: 251 });
    tickAfter(2100);
    expect(absence.look()).toEqual({ endedAt: 7551, totalMs: 2251 });
  });

  test.each([50, 100])(
    'a look before the ticker is due, %d ms after its last, does not tick for it',
    (ms) => {
      const absence = watch();
      at += ms;
      expect(absence.look()).toEqual(none);
      tickAfter(440 - ms);
      expect(absence.look()).toEqual({ endedAt: 5440, totalMs: 340 });
    },
  );

  test('once nobody watches nothing ticks', () => {
    const absence = watch();
    expect(vi.getTimerCount()).toBe(1);
    absence.stop();
    expect(vi.getTimerCount()).toBe(0);
  });
});
