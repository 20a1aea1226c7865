// What is asked of a job reaches whoever has it: also where the asker still has an attempt that lost its lease, and where the
// owner is stopping it already.

import { afterEach, beforeEach, expect, test } from 'vitest';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { defineJob, JobProcessor } from '../../src/index.ts';
import { SimulatedClock } from '../../src/testing/simulatedClock.ts';
import { capturedLog } from '../support/capturedLog.ts';

let clock: SimulatedClock;
let engine: MemoryEngine;
let end: (() => void)[];
/** Neither hears nor leaves. */
const jobs = { deaf: defineJob({ run: () => new Promise<void>((resolve) => end.push(resolve)) }) };
let owner: JobProcessor<typeof jobs>;
let elsewhere: JobProcessor<typeof jobs>;

beforeEach(async () => {
  clock = new SimulatedClock();
  engine = new MemoryEngine();
  end = [];
  const options = { engine, jobs, clock, logger: capturedLog().logger, retry: { maxAttempts: 2 } };
  owner = await new JobProcessor(options).start();
  elsewhere = new JobProcessor(options);
});
afterEach(async () => {
  for (const leave of end) leave();
  const stopped = Promise.all([owner.stop(), elsewhere.stop()]);
  await clock.advance(30);
  await stopped;
  expect(clock.pending).toBe(0);
});

test('a cancel by a processor whose attempt has lost its lease is told to whoever has the job now', async () => {
  const job = await owner.submit('deaf');
  await clock.advance(1);
  const { token } = (await engine.get(job.id)) ?? {};
  const adopted = await engine.adopt(job.id, token as string, 'another', 3_600_000);
  await clock.advance(2);
  expect(owner.activeJobs.has(job.id)).toBe(true);
  const cancelled = job.cancel('by test');
  await clock.advance(1);
  const [reply] = await engine.beat([{ id: job.id, token: adopted, heartbeatAt: null, total: null }], 15_000);
  expect(reply?.intent).toEqual({ kind: 'cancel', reason: 'by test' });
  await engine.settle(job.id, adopted, {
    ...{ state: 'cancelled', reason: 'by test', timeout: null, failure: null, stop: null, result: null },
    ...{ notBefore: null, crashed: false, neverBegan: false },
  });
  expect((await cancelled).state).toBe('cancelled');
});

test('a timeout by hand from another processor ends a job whose stop cannot be proven, as one from here does', async () => {
  const job = await owner.submit('deaf', undefined, { jobTimeoutSeconds: 10 });
  await clock.advance(60);
  expect(await job.status()).toMatchObject({ state: 'stopping', isUnconfirmed: true });
  const ended = elsewhere.timeoutJob(job.id);
  await clock.advance(2);
  expect(await job.status()).toMatchObject({
    state: 'timedOut',
    reason: 'timed out by hand',
    stop: { confirmed: false },
  });
  expect((await ended).state).toBe('timedOut');
});
