// The timer of what is due: it is told of changes, asks when the next is due, and forgets none that came due meanwhile.

import { expect, test } from 'vitest';
import { createActor } from 'xstate';
import { createDueTimer } from '../../src/actors/dueTimer.ts';
import { SimulatedClock, settle } from '../../src/testing/simulatedClock.ts';

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

/** Each of its questions waits for the test. */
function held() {
  const clock = new SimulatedClock();
  const asked: ((next: number | null) => void)[] = [];
  let dues = 0;
  // The real one takes only what it gave.
  const strict = {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    setTimeout: (callback: () => void, ms: number) => clock.setTimeout(callback, ms),
    clearTimeout: (timer: unknown) => (timer === null ? expect.unreachable() : clock.clearTimeout(timer)),
  };
  const timer = createActor(
    createDueTimer(strict, {
      nextDueAt: () => new Promise((resolve) => asked.push(resolve)),
      async due() {
        dues += 1;
      },
      failed(error) {
        throw error;
      },
    }),
  ).start();
  const answer = async (next: number | null) => {
    asked.at(-1)?.(next);
    await settle();
  };
  return { clock, timer, answer, seen: () => ({ asked: asked.length, dues }) };
}

test('where nothing will come it asks once, and again when something has changed', async () => {
  const { clock, timer, answer, seen } = held();
  await settle();
  await answer(null);
  await clock.advance(100);
  expect(seen()).toEqual({ asked: 1, dues: 1 });
  timer.send({ type: 'due.changed' });
  await settle();
  await answer(null);
  // Something new is no reason to see to what is due.
  expect(seen()).toEqual({ asked: 2, dues: 1 });
  expect(clock.pending).toBe(0);
});

test('it asks one question at a time; however much has changed meanwhile, it asks once more', async () => {
  const { clock, timer, answer, seen } = held();
  await settle();
  for (let change = 0; change < 3; change += 1) timer.send({ type: 'due.changed' });
  await settle();
  expect(seen()).toEqual({ asked: 1, dues: 1 });
  await answer(null);
  expect(seen()).toEqual({ asked: 2, dues: 1 });
  await answer(null);
  expect(seen()).toEqual({ asked: 2, dues: 1 });
  expect(clock.pending).toBe(0);
});

test('what comes due while it asks is seen to after the answer, once', async () => {
  const { clock, timer, answer, seen } = held();
  await settle();
  await answer(clock.now() + 100);
  timer.send({ type: 'due.changed' });
  await clock.advance(0.15);
  timer.send({ type: 'due.changed' });
  expect(seen()).toEqual({ asked: 2, dues: 1 });
  await answer(null);
  expect(seen()).toEqual({ asked: 3, dues: 2 });
  timer.send({ type: 'due.changed' });
  await answer(null);
  expect(seen()).toEqual({ asked: 4, dues: 2 });
});

test('a change sets it anew: to an earlier time, or a later one', async () => {
  const { clock, timer, answer, seen } = held();
  await settle();
  await answer(clock.now() + 1000);
  timer.send({ type: 'due.changed' });
  await settle();
  await answer(clock.now() + 2000);
  expect(clock.pending).toBe(1);
  await clock.advance(1.999);
  expect(seen()).toEqual({ asked: 2, dues: 1 });
  await clock.advance(0.001);
  expect(seen()).toEqual({ asked: 3, dues: 2 });
});

test('what is due when it hears of a change is seen to at once, by a timer of its own', async () => {
  const { clock, timer, answer, seen } = held();
  await settle();
  await answer(null);
  timer.send({ type: 'due.changed' });
  await settle();
  await answer(clock.now());
  expect(clock.nextIn).toBe(0);
  await clock.advance(0);
  expect(seen()).toEqual({ asked: 3, dues: 2 });
});

test('stopped while it asks, it asks no more and sets no timer', async () => {
  const { clock, timer, answer, seen } = held();
  await settle();
  timer.send({ type: 'due.changed' });
  timer.stop();
  await answer(clock.now() + 100);
  await clock.advance(1);
  expect(seen()).toEqual({ asked: 1, dues: 1 });
  expect(clock.pending).toBe(0);
});

test('stopped while it waits, it leaves no timer', async () => {
  const { clock, timer, answer } = held();
  await settle();
  await answer(clock.now() + 100);
  timer.stop();
  expect(clock.pending).toBe(0);
});
