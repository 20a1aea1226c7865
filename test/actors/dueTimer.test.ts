// The timer of what is due: it is told of changes, asks when the next is due, and forgets none that came due meanwhile.

import { expect, test } from 'vitest';
import { createActor } from 'xstate';
import { createDueTimer } from '../../src/actors/dueTimer.ts';
import { SimulatedClock } from '../../src/testing/simulatedClock.ts';

test('what comes due while it is asking is seen to, though the answer knows it no more', async () => {
  const clock = new SimulatedClock();
  const dueAt = clock.now() + 100;
  let seen = 0;
  const timer = createActor(
    createDueTimer(clock, {
      // As an engine does: what is due by now only waits for whoever sees to it. The answer takes a commit.
      async nextDueAt() {
        const next = seen === 0 && clock.now() < dueAt ? dueAt : null;
        await new Promise<void>((resolve) => clock.setTimeout(resolve, 10));
        return next;
      },
      async due() {
        if (clock.now() >= dueAt) seen += 1;
      },
      failed(error) {
        throw error;
      },
    }),
  );
  timer.start();
  await clock.advance(0.095);
  timer.send({ type: 'due.changed' });
  await clock.advance(1);
  expect(seen).toBeGreaterThan(0);
  timer.stop();
  await clock.advance(1);
  expect(clock.pending).toBe(0);
});

test('what is still due after it was seen to is not seen to again at once', async () => {
  const clock = new SimulatedClock();
  const dueAt = clock.now() + 100;
  let seen = 0;
  const timer = createActor(
    createDueTimer(clock, {
      nextDueAt: async () => dueAt,
      // The engine does not store it.
      async due() {
        if (clock.now() >= dueAt) seen += 1;
      },
      failed(error) {
        throw error;
      },
    }),
  );
  timer.start();
  await clock.advance(0.1);
  expect(seen).toBe(1);
  await clock.advance(0.9);
  expect(seen).toBe(1);
  await clock.advance(0.1);
  expect(seen).toBe(2);
  timer.stop();
});

test('an engine that does not answer is asked again', async () => {
  const clock = new SimulatedClock();
  let asked = 0;
  let failures = 0;
  const timer = createActor(
    createDueTimer(clock, {
      async nextDueAt() {
        asked += 1;
        if (asked < 3) throw new Error('disk full');
        return null;
      },
      async due() {},
      failed() {
        failures += 1;
      },
    }),
  );
  timer.start();
  await clock.advance(10);
  expect([asked, failures]).toEqual([3, 2]);
  expect(clock.pending).toBe(0);
  timer.stop();
});
