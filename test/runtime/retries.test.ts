// Retries on simulated time: their pauses, what is not retried, what the history keeps, and what is left to people
// when the attempts are used up.

import { afterEach, beforeEach, expect, test } from 'vitest';
import { defineChunkedJob, defineJob, type Job, JobProcessor, NonRetryableError } from '../../src/index.ts';
import { SimulatedClock, settle } from '../../src/testing/simulatedClock.ts';
import { capturedLog } from '../support/capturedLog.ts';

const { logger } = capturedLog();
let clock: SimulatedClock;
/** What the next attempts throw; none: they return. */
let errors: unknown[];
/** What the jitter is drawn from, in this order. */
let chances: number[];

const jobs = {
  troubled: defineJob({
    run: (_: null, { attempt }) => {
      if (errors.length > 0) throw errors.shift();
      return attempt;
    },
  }),
  slow: defineJob({
    run: (_: null, { signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(errors.shift()))),
  }),
  chunked: defineChunkedJob({
    start: [] as number[],
    *chunks(input: number, { checkpoint }) {
      for (let n = checkpoint.length; n < input; n += 1) yield [n];
    },
    process([n = 0], { checkpoint, attempt }) {
      if (n === 2 && errors.length > 0) throw errors.shift();
      return [...checkpoint, attempt];
    },
  }),
};

let processor: JobProcessor<typeof jobs>;
beforeEach(async () => {
  clock = new SimulatedClock();
  errors = [];
  chances = [];
  const random = () => chances.shift() ?? 0;
  processor = await new JobProcessor({ engine: 'memory', jobs, logger, clock, random }).start();
});
afterEach(async () => {
  const stopped = processor.stop();
  await clock.advance(30);
  await stopped;
});

const pauseOf = async (job: Job) => {
  const { startAfter } = await job.status();
  return startAfter === null ? null : (startAfter.getTime() - clock.now()) / 1000;
};
const storyOf = async (job: Job) =>
  (await job.status()).history.map(({ state, attempt, reason }) => [state, attempt, reason]);

test('an exponential pause has jitter unless it is switched off; a fixed one only where it is asked for', async () => {
  const paused = async (backoff: object) => {
    errors = [new Error('no')];
    chances = [0.5];
    const retry = { maxAttempts: 2, backoff: { kind: 'exponential', seconds: 100, ...backoff } } as never;
    const job = await processor.submit('troubled', null, { retry });
    await settle();
    return pauseOf(job);
  };
  expect(await paused({})).toBe(75);
  expect(await paused({ jitter: 0 })).toBe(100);
  expect(await paused({ jitter: 1 })).toBe(50);
  expect(await paused({ kind: 'fixed' })).toBe(100);
  expect(await paused({ kind: 'fixed', jitter: 1 })).toBe(50);
});

test('each attempt draws its own chance, and is tried again when its pause is over', async () => {
  errors = [new Error('1'), new Error('2'), new Error('3')];
  chances = [0, 1, 0.5];
  const backoff = { kind: 'exponential' as const, seconds: 10 };
  const job = await processor.submit('troubled', null, { retry: { maxAttempts: 4, backoff } });
  await settle();
  for (const pause of [10, 10, 30]) {
    expect(await pauseOf(job)).toBe(pause);
    await clock.advance(pause - 0.1);
    expect((await job.status()).state).toBe('retrying');
    await clock.advance(0.1);
  }
  expect(await job.result()).toBe(4);
});

test.each([
  ['of our class', () => new NonRetryableError('no such customer')],
  ['that says so', () => Object.assign(new RangeError('no such customer'), { retryable: false })],
  [
    'with our code',
    () => Object.assign(new Error('no such customer'), { code: 'ERR_UNSTUCK_NON_RETRYABLE' }),
  ],
  ['of a class that extends it', () => new (class Gone extends NonRetryableError {})('no such customer')],
])('an error %s fails the job at once, and the history says why', async (_, make) => {
  errors = [make()];
  const job = await processor.submit('troubled', null, { retry: { maxAttempts: 5 } });
  await expect(job.result()).rejects.toThrow('failed at attempt 1: no such customer');
  const { failure } = await job.status();
  expect(failure).toMatchObject({ message: 'no such customer', retryable: false });
  expect((await storyOf(job)).at(-1)).toEqual(['failed', 1, 'not to be retried: no such customer']);
});

test('an error that says it may be retried, or nothing, is', async () => {
  errors = [Object.assign(new Error('busy'), { retryable: true }), 'busy', null];
  const job = await processor.submit('troubled', null, { retry: { maxAttempts: 4 } });
  expect(await job.result()).toBe(4);
});

test('an attempt that times out and says on its way out that it is not to be retried is not', async () => {
  errors = [new NonRetryableError('no such customer')];
  const job = await processor.submit('slow', null, { jobTimeoutSeconds: 10, retry: { maxAttempts: 5 } });
  await clock.advance(10);
  expect(await job.status()).toMatchObject({
    state: 'timedOut',
    attempt: 1,
    timeout: 'job',
    reason: 'not to be retried: no such customer',
  });
});

test('each attempt is kept in the history: its failure, its timeout, how its code was ended', async () => {
  errors = ['a text', new Error('the signal')];
  const retry = { maxAttempts: 3 };
  const first = await processor.submit('troubled', null, { retry });
  await settle();
  expect(await storyOf(first)).toEqual([
    ['queued', 0, undefined],
    ['running', 1, undefined],
    ['retrying', 1, 'a text'],
    ['running', 2, undefined],
    ['retrying', 2, 'the signal'],
    ['running', 3, undefined],
    ['completed', 3, undefined],
  ]);
  errors = [new Error('aborted'), new Error('aborted')];
  const second = await processor.submit('slow', null, { jobTimeoutSeconds: 10, retry: { maxAttempts: 2 } });
  await clock.advance(30);
  const ends = (await second.status()).history.filter(({ stop }) => stop !== undefined);
  expect(ends).toMatchObject([
    { state: 'retrying', attempt: 1, timeout: 'job', stop: { confirmed: true, rung: 'grace' } },
    { state: 'timedOut', attempt: 2, timeout: 'job', stop: { confirmed: true, rung: 'grace' } },
  ]);
});

test('a pause that would pass the deadline is not waited for', async () => {
  errors = [new Error('no')];
  const backoff = { kind: 'fixed' as const, seconds: 100 };
  const options = { deadlineSeconds: 60, retry: { maxAttempts: 3, backoff } };
  const job = await processor.submit('troubled', null, options);
  await settle();
  expect(await job.status()).toMatchObject({ state: 'failed', attempt: 1, failure: { message: 'no' } });
});

test('a retry goes on from the checkpoint', async () => {
  errors = [new Error('no')];
  const job = await processor.submit('chunked', 4, { retry: { maxAttempts: 2 } });
  expect(await job.result()).toEqual([1, 1, 2, 2]);
});

test('a job out of attempts is kept, found, and retried by hand with its own settings', async () => {
  errors = [new Error('first'), new Error('last')];
  const retry = { maxAttempts: 2 };
  const job = await processor.submit('troubled', null, { retry, jobTimeoutSeconds: 77 });
  await settle();
  await clock.advance(86_400);
  const found = [];
  for await (const status of processor.list({ state: 'failed' })) found.push(status);
  expect(found).toMatchObject([{ id: job.id, attempt: 2, maxAttempts: 2, failure: { message: 'last' } }]);
  const again = await processor.retry(job.id);
  expect(await again.result()).toBe(1);
  expect(await again.status()).toMatchObject({ retryOf: job.id, maxAttempts: 2, state: 'completed' });
  expect((await job.status()).state).toBe('failed');
});
