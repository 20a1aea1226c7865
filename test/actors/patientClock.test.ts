// The clock that judges: what its own process missed is given to those it judges, and no more.

import { beforeEach, expect, test } from 'vitest';
import { patientClock, slowestBeatMs } from '../../src/actors/patientClock.ts';
import type { Absence, Clock } from '../../src/engines/clock.ts';
import { SimulatedClock } from '../../src/testing/simulatedClock.ts';

let simulated: SimulatedClock;
let missed: { endedAt: number; totalMs: number };
let watched: number;
let clock: Clock;
let fired: number[];

beforeEach(() => {
  simulated = new SimulatedClock();
  missed = { endedAt: -Infinity, totalMs: 0 };
  watched = 0;
  fired = [];
  const watchAbsence = (): Absence => {
    watched += 1;
    return {
      look: () => missed,
      stop() {
        watched -= 1;
      },
    };
  };
  clock = patientClock({
    now: () => simulated.now(),
    monotonic: () => simulated.monotonic(),
    setTimeout: (callback, ms) => simulated.setTimeout(callback, ms),
    clearTimeout(timer) {
      // As the real one takes only what it gave.
      if (timer === null) expect.unreachable();
      simulated.clearTimeout(timer);
    },
    watchAbsence,
  });
});

const timer = (ms: number, on = clock) => on.setTimeout(() => fired.push(simulated.monotonic()), ms);

test('it tells the times of the clock beneath', async () => {
  await simulated.advance(3);
  expect([clock.now(), clock.monotonic()]).toEqual([simulated.now(), 3000]);
});

test('where nothing was missed a timer fires when it is due', async () => {
  timer(500);
  await simulated.advance(1);
  expect(fired).toEqual([500]);
});

test('one that fires within a beat of an absence waits for the rest of that beat', async () => {
  timer(2400);
  missed = { endedAt: 2300, totalMs: 2000 };
  await simulated.advance(5);
  expect(fired).toEqual([2300 + slowestBeatMs]);
});

test('where absences keep coming, no more is given than was missed, and one beat', async () => {
  timer(1000);
  const absent = () => {
    missed = { endedAt: simulated.monotonic(), totalMs: 300 };
    simulated.setTimeout(absent, 200);
  };
  absent();
  await simulated.advance(10);
  expect(fired).toEqual([1000 + 300 + slowestBeatMs]);
});

test('what was missed before a timer was armed gives it nothing', async () => {
  missed = { endedAt: 0, totalMs: 5000 };
  timer(1000);
  const absent = () => {
    missed = { endedAt: simulated.monotonic(), totalMs: 5300 };
    simulated.setTimeout(absent, 200);
  };
  absent();
  await simulated.advance(10);
  expect(fired).toEqual([1000 + 300 + slowestBeatMs]);
});

test('a timer that was cleared does not fire, and can be cleared again', async () => {
  const cleared = timer(500);
  timer(1000);
  clock.clearTimeout(cleared);
  clock.clearTimeout(cleared);
  // The other is armed still.
  expect(watched).toBe(1);
  expect(simulated.pending).toBe(1);
  await simulated.advance(2);
  expect(fired).toEqual([1000]);
});

test('absences are watched for while a timer is armed, and no longer', async () => {
  const cleared = timer(500);
  timer(1000);
  expect(watched).toBe(1);
  clock.clearTimeout(cleared);
  expect(watched).toBe(1);
  await simulated.advance(2);
  expect(watched).toBe(0);
  // It has fired, or was cleared: to clear it again changes nothing.
  clock.clearTimeout(cleared);
  timer(500);
  expect(watched).toBe(1);
});

test('a timer that is off costs nothing', async () => {
  const off = timer(Infinity);
  expect(watched).toBe(0);
  clock.clearTimeout(off);
  expect(watched).toBe(0);
  expect(simulated.pending).toBe(0);
});

test('on a clock that misses nothing it is that clock', async () => {
  timer(500, patientClock(simulated));
  await simulated.advance(1);
  expect(fired).toEqual([500]);
});
