// Timeouts that are changed after the submit, on simulated time: at rest and alive, here and from another processor.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { defineChunkedJob, defineJob, type Job, JobProcessor } from '../../src/index.ts';
import { SimulatedClock, settle } from '../../src/testing/simulatedClock.ts';
import ways from '../fixtures/ways.ts';
import { type CapturedLog, capturedLog } from '../support/capturedLog.ts';
import { wait } from '../support/spawnedHost.ts';

let clock: SimulatedClock;
let log: CapturedLog;
let beats: (() => void)[];
let chunks: (() => void)[];

const jobs = {
  waits: defineJob({
    run: (_: null, { signal, heartbeat }) => {
      beats.push(heartbeat);
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
      });
    },
  }),
  chunked: defineChunkedJob({
    start: 0,
    *chunks(_: null, { checkpoint }) {
      for (let n = checkpoint; n < 9; n += 1) yield [n];
    },
    process: ([n = 0], { signal }) =>
      new Promise<number>((resolve, reject) => {
        chunks.push(() => resolve(n + 1));
        signal.addEventListener('abort', () => reject(signal.reason));
      }),
  }),
  isolated: ways,
  quick: defineJob({ run: (input: number) => input }),
};

let processor: JobProcessor<typeof jobs>;
const begin = async (options: object = {}) => {
  const common = { engine: 'memory' as const, jobs, logger: log.logger, clock };
  processor = await new JobProcessor({ ...common, ...options }).start();
};
const stop = async (stopped: JobProcessor<typeof jobs>) => {
  const stopping = stopped.stop();
  await clock.advance(30);
  await stopping;
};
const secondsTo = async (job: Job) =>
  (await job.status()).due.map(({ kind, at }) => [kind, (at.getTime() - clock.now()) / 1000]);

beforeEach(() => {
  clock = new SimulatedClock();
  log = capturedLog();
  beats = [];
  chunks = [];
});
afterEach(async () => {
  await stop(processor);
  expect(clock.pending).toBe(0);
});

describe('of a job that runs', () => {
  test('extended, its job timeout counts from the start of the attempt', async () => {
    await begin();
    const job = await processor.submit('waits', null, { jobTimeoutSeconds: 10 });
    await clock.advance(9);
    const status = await job.setTimeouts({ jobTimeoutSeconds: 100 });
    expect(status.state).toBe('running');
    expect(await secondsTo(job)).toEqual([['job', 91]]);
    expect(processor.getTimeoutDuration(job.id)).toBe(100);
    await clock.advance(90.9);
    expect((await job.status()).state).toBe('running');
    await clock.advance(0.1);
    expect(await job.status()).toMatchObject({ state: 'timedOut', timeout: 'job' });
    expect(log.lines).toContain(`INFO: timeouts of job ${job.id} changed`);
  });

  test('shortened, it times out at its new time; below what has passed, at once', async () => {
    await begin();
    const later = await processor.submit('waits', null);
    const now = await processor.submit('waits', null);
    await clock.advance(50);
    await later.setTimeouts({ jobTimeoutSeconds: 60 });
    await now.setTimeouts({ jobTimeoutSeconds: 20 });
    await clock.advance(0);
    expect(await now.status()).toMatchObject({ state: 'timedOut', timeout: 'job' });
    await clock.advance(9.9);
    expect((await later.status()).state).toBe('running');
    await clock.advance(0.1);
    expect((await later.status()).state).toBe('timedOut');
  });

  test('switched off, and on again', async () => {
    await begin();
    const job = await processor.submit('waits', null, { jobTimeoutSeconds: 10 });
    await job.setTimeouts({ jobTimeoutSeconds: Infinity });
    await clock.advance(1000);
    expect(await secondsTo(job)).toEqual([]);
    await job.setTimeouts({ jobTimeoutSeconds: 1001 });
    await clock.advance(1);
    expect((await job.status()).state).toBe('timedOut');
  });

  test('its heartbeat timeout counts from the last sign of life, and then from each', async () => {
    await begin();
    const job = await processor.submit('waits', null, { heartbeatTimeoutSeconds: 100 });
    await clock.advance(60);
    beats[0]?.();
    await clock.advance(5);
    await job.setTimeouts({ heartbeatTimeoutSeconds: 20 });
    expect((await secondsTo(job))[0]).toEqual(['heartbeat', 15]);
    await clock.advance(14.9);
    beats[0]?.();
    await clock.advance(19.9);
    expect((await job.status()).state).toBe('running');
    await clock.advance(0.1);
    expect(await job.status()).toMatchObject({ state: 'timedOut', timeout: 'heartbeat' });
  });

  test('its progress timeout counts from the last chunk; the others go on as they were', async () => {
    await begin();
    const job = await processor.submit('chunked', null, {
      progressTimeoutSeconds: 100,
      jobTimeoutSeconds: 500,
    });
    await clock.advance(30);
    chunks[0]?.();
    await clock.advance(40);
    await job.setTimeouts({ progressTimeoutSeconds: 50 });
    expect(await secondsTo(job)).toEqual([
      ['progress', 10],
      ['job', 430],
    ]);
    await clock.advance(10);
    expect(await job.status()).toMatchObject({ state: 'timedOut', timeout: 'progress' });
  });

  test('its deadline counts from the submit', async () => {
    await begin();
    const job = await processor.submit('waits', null, { deadlineSeconds: 100 });
    await clock.advance(90);
    await job.setTimeouts({ deadlineSeconds: 200 });
    await clock.advance(109.9);
    expect((await job.status()).state).toBe('running');
    await job.setTimeouts({ deadlineSeconds: 100 });
    await clock.advance(0.01);
    expect(await job.status()).toMatchObject({ state: 'timedOut', timeout: 'deadline' });
  });

  test('its heartbeat timeout, shorter than its silence at the old pace, waits for it to be heard', async () => {
    // A real process: it beats in real time, and is judged by the simulated one.
    await begin({ spares: 0 });
    const job = await processor.submit('isolated', 'listens', { heartbeatTimeoutSeconds: 3600 });
    while (!log.lines.includes('INFO: listening')) await wait(20);
    await clock.advance(50);
    await job.setTimeouts({ heartbeatTimeoutSeconds: 10 });
    await clock.advance(0);
    expect((await job.status()).state).toBe('running');
    while (((await job.status()).lastHeartbeat?.getTime() ?? 0) < clock.now()) await wait(20);
    await clock.advance(9);
    expect(await job.cancel()).toMatchObject({ state: 'cancelled', stop: { confirmed: true } });
  });

  test('hold for its next attempts too', async () => {
    await begin();
    const job = await processor.submit('waits', null, { jobTimeoutSeconds: 10, retry: { maxAttempts: 2 } });
    await clock.advance(5);
    await job.setTimeouts({ jobTimeoutSeconds: 20 });
    await clock.advance(15);
    expect(await job.status()).toMatchObject({ state: 'running', attempt: 2 });
    await clock.advance(19.9);
    expect((await job.status()).state).toBe('running');
    await clock.advance(0.1);
    expect((await job.status()).state).toBe('timedOut');
  });
});

describe('of a job at rest', () => {
  test('its queue timeout and deadline count from the submit; passed already, it is timed out at once', async () => {
    await begin({ maxConcurrentJobs: 1 });
    await processor.submit('waits', null);
    const extended = await processor.submit('quick', 1, { queueTimeoutSeconds: 10 });
    const shortened = await processor.submit('quick', 1, { deadlineSeconds: 100 });
    await clock.advance(5);
    await extended.setTimeouts({ queueTimeoutSeconds: 60 });
    expect(await secondsTo(extended)).toEqual([['queue', 55]]);
    await shortened.setTimeouts({ deadlineSeconds: 4 });
    await clock.advance(0.01);
    expect(await shortened.status()).toMatchObject({ state: 'timedOut', timeout: 'deadline' });
    await clock.advance(54.9);
    expect((await extended.status()).state).toBe('queued');
    await clock.advance(0.1);
    expect(await extended.status()).toMatchObject({ state: 'timedOut', timeout: 'queue' });
  });

  test('are those that its attempt starts with', async () => {
    await begin({ maxConcurrentJobs: 1 });
    const first = await processor.submit('waits', null);
    const second = await processor.submit('waits', null);
    await second.setTimeouts({ jobTimeoutSeconds: 7 });
    await first.cancel();
    await settle();
    expect(await secondsTo(second)).toEqual([['job', 7]]);
  });
});

test('from another processor on the same engine, its owner sees them within a second', async () => {
  const engine = new MemoryEngine();
  await begin({ engine });
  engine.close = async () => {};
  const other = new JobProcessor({ engine, jobs, logger: log.logger, clock });
  const extended = await processor.submit('waits', null, { jobTimeoutSeconds: 10 });
  const shortened = await processor.submit('waits', null);
  await clock.advance(8);
  await (await other.get(extended.id)).setTimeouts({ jobTimeoutSeconds: 20 });
  await (await other.get(shortened.id)).setTimeouts({ jobTimeoutSeconds: 5 });
  await clock.advance(1);
  expect((await shortened.status()).state).toBe('timedOut');
  await clock.advance(10.9);
  expect((await extended.status()).state).toBe('running');
  await clock.advance(0.1);
  expect((await extended.status()).state).toBe('timedOut');
  await stop(other);
});

describe('are refused, and nothing is changed', () => {
  test.each([
    [{}, 'timeouts: expected an object of jobTimeoutSeconds, heartbeatTimeoutSeconds'],
    [{ jobTimeoutSeconds: undefined }, 'got an empty one'],
    [null, 'timeouts: expected an object of jobTimeoutSeconds'],
    [{ graceSeconds: 3 }, 'timeouts.graceSeconds: expected an object of'],
    [{ jobTimeoutSeconds: 0 }, 'jobTimeoutSeconds: expected seconds above 0, or Infinity for off, got 0.'],
    [{ deadlineSeconds: '9' }, 'deadlineSeconds: expected seconds above 0, or Infinity for off, got "9".'],
    [
      { progressTimeoutSeconds: 9 },
      'progressTimeoutSeconds: expected a chunked job, got one that has no chunks.',
    ],
  ])('%j', async (wrong, message) => {
    await begin();
    const job = await processor.submit('waits', null, { jobTimeoutSeconds: 10 });
    await settle();
    await expect(job.setTimeouts(wrong as never)).rejects.toThrow(message);
    expect(await secondsTo(job)).toEqual([['job', 10]]);
  });

  test('for a job that is over', async () => {
    await begin();
    const job = await processor.submit('quick', 1);
    await job.result();
    await expect(job.setTimeouts({ jobTimeoutSeconds: 9 })).rejects.toThrow(
      `job ${job.id}: expected one that is not over, got completed.`,
    );
  });
});
