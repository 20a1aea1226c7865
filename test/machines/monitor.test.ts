// The second line sweeps every interval, one sweep at a time, and outlives a sweep that fails.

import { expect, test } from 'vitest';
import { createActor, fromPromise } from 'xstate';
import { monitorMachine } from '../../src/machines/monitor.ts';
import { SimulatedClock, settle } from '../../src/testing/simulatedClock.ts';

test('sweeps each interval, never two at once', async () => {
  const clock = new SimulatedClock();
  const sweeps: PromiseWithResolvers<void>[] = [];
  const sweep = fromPromise<void>(() => {
    const open = Promise.withResolvers<void>();
    sweeps.push(open);
    return open.promise;
  });
  const actor = createActor(monitorMachine.provide({ actors: { sweep } }), {
    input: { intervalMs: 60_000 },
    clock,
  }).start();
  await clock.advance(59);
  expect(sweeps).toHaveLength(0);
  await clock.advance(1);
  expect(sweeps).toHaveLength(1);
  await clock.advance(600);
  expect(sweeps).toHaveLength(1);
  sweeps[0]?.resolve();
  await settle();
  await clock.advance(60);
  expect(sweeps).toHaveLength(2);
  actor.stop();
  expect(clock.pending).toBe(0);
});

test('a sweep that fails is said, and followed by the next', async () => {
  const clock = new SimulatedClock();
  let sweeps = 0;
  const sweep = fromPromise<void>(async () => {
    sweeps += 1;
    throw new Error('no answer');
  });
  const actor = createActor(monitorMachine.provide({ actors: { sweep } }), {
    input: { intervalMs: 1000 },
    clock,
  });
  const failures: unknown[] = [];
  actor.on('sweep.failed', ({ error }) => failures.push((error as Error).message));
  actor.start();
  await clock.advance(3);
  expect(sweeps).toBe(3);
  expect(failures).toEqual(['no answer', 'no answer', 'no answer']);
  actor.stop();
});
