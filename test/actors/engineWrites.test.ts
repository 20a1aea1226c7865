// The intent to stop an attempt is stored beside the ladder: whatever the engine says, the ladder does not hear it.

import { expect, test } from 'vitest';
import { createActor, toPromise } from 'xstate';
import { createStoreIntent, createStoreVerdict } from '../../src/actors/engineWrites.ts';
import { type Engine, StaleAttemptError } from '../../src/engines/engine.ts';
import type { JobChartContext } from '../../src/machines/jobMessages.ts';
import { notBegun, type StopIntent } from '../../src/machines/verdict.ts';

const cancel: StopIntent = { kind: 'cancel', reason: null };

test.each([
  ['stored', cancel, async () => {}, 1, 0],
  ['stale', cancel, () => Promise.reject(new StaleAttemptError('job', 'recordIntent')), 1, 0],
  ['not answered', cancel, () => Promise.reject(new Error('disk full')), 1, 1],
  ['of a lost lease, and not asked for', { kind: 'leaseLost' } as const, async () => {}, 0, 0],
])('an intent that is %s', async (_, intent, answer, asked, failed) => {
  let asks = 0;
  let failures = 0;
  const recordIntent = () => {
    asks += 1;
    return answer();
  };
  const store = createStoreIntent({ recordIntent } as unknown as Engine, { failed: () => (failures += 1) });
  const actor = createActor(store, { input: { jobId: 'job', token: 'token', intent } }).start();
  await toPromise(actor);
  expect([asks, failures]).toEqual([asked, failed]);
});

test.each([
  ['stored', async () => ({ id: 'job' }), { type: 'verdict.stored' }, [['token', { id: 'job' }]], 0],
  ['stale', () => Promise.reject(new StaleAttemptError('job', 'settle')), { type: 'verdict.refused' }, [], 0],
  [
    'overruled',
    () => Promise.reject(new StaleAttemptError('job', 'settle', cancel)),
    { type: 'verdict.overruled', intent: cancel },
    [],
    0,
  ],
  ['not answered', () => Promise.reject(new Error('disk full')), { type: 'verdict.unanswered' }, [], 1],
])('a verdict that is %s', async (_, settle, told, stored, failed) => {
  let failures = 0;
  const settled: unknown[] = [];
  const engine = { settle } as unknown as Engine;
  const store = createStoreVerdict(engine, {
    settled: (...given) => settled.push(given),
    followUps: () => [],
    failed: () => (failures += 1),
  });
  const context = { jobId: 'job', token: 'token', verdict: notBegun } as unknown as JobChartContext;
  const heard = await new Promise((send) => store({ context, self: { send } }));
  expect(heard).toEqual(told);
  // Its host knows before the chart does.
  expect(settled).toEqual(stored);
  expect(failures).toBe(failed);
});
