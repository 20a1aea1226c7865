// Timeouts, retries, limits and stops of the runtime on simulated time: inline jobs that do what a test says. The log lines
// that README.md promises are among it.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { defineChunkedJob, defineJob, type Job, JobProcessor, JobTimedOutError } from '../../src/index.ts';
import { SimulatedClock, settle } from '../../src/testing/simulatedClock.ts';
import { type CapturedLog, capturedLog } from '../support/capturedLog.ts';

let clock: SimulatedClock;
let log: CapturedLog;
/** What the running attempts wait for, newest last. */
let open: {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
  signal: AbortSignal;
  heartbeat: () => void;
}[];

const jobs = {
  /** Leaves when it is asked. */
  polite: defineJob({
    run: (_: null, { signal, heartbeat }) =>
      new Promise<unknown>((resolve, reject) => {
        open.push({ resolve, reject, signal, heartbeat });
        signal.addEventListener('abort', () => reject(signal.reason));
      }),
  }),
  /** Does not. */
  deaf: defineJob({
    run: (_: null, { signal, heartbeat }) =>
      new Promise<unknown>((resolve, reject) => open.push({ resolve, reject, signal, heartbeat })),
  }),
  /** Does not, chunk by chunk. */
  deafChunks: defineChunkedJob({
    start: 0,
    *chunks(input: number, { checkpoint }) {
      for (let n = checkpoint; n < input; n += 1) yield [n];
    },
    process: ([n = 0], { signal, heartbeat }) =>
      new Promise<number>((resolve, reject) => {
        open.push({ resolve: () => resolve(n + 1), reject, signal, heartbeat });
      }),
  }),
  isolated: defineJob({ module: import.meta.url, run: (input: number) => input }),
  quick: defineJob({ run: (input: number) => input }),
  /** One chunk, and then empty ones for as long as the test lets them come. */
  empties: defineChunkedJob({
    start: 0,
    async *chunks() {
      yield [1];
      for (;;) {
        await new Promise<unknown>((resolve, reject) => {
          open.push({ resolve, reject, signal: AbortSignal.abort(), heartbeat() {} });
        });
        yield [];
      }
    },
    process: ([n = 0]) => n,
  }),
  chunked: defineChunkedJob({
    start: 0,
    *chunks(input: number, { checkpoint }) {
      for (let n = checkpoint; n < input; n += 1) yield [n];
    },
    process: ([n = 0], { signal, heartbeat }) =>
      new Promise<number>((resolve, reject) => {
        open.push({ resolve: () => resolve(n + 1), reject, signal, heartbeat });
        signal.addEventListener('abort', () => reject(signal.reason));
      }),
  }),
};

let processor: JobProcessor<typeof jobs>;
const begin = async (options: Partial<ConstructorParameters<typeof JobProcessor<typeof jobs>>[0]> = {}) => {
  processor = new JobProcessor({ engine: 'memory', jobs, logger: log.logger, clock, ...options });
  await processor.start();
};
const states = async (job: Job) => (await job.status()).history.map(({ state }) => state);

beforeEach(() => {
  clock = new SimulatedClock();
  log = capturedLog();
  open = [];
});
afterEach(async () => {
  for (const { resolve } of open) resolve(null);
  const stopped = processor.stop();
  await clock.advance(30);
  await stopped;
  expect(clock.pending).toBe(0);
});

describe('a timeout', () => {
  test('of the job fires at its time, not before', async () => {
    await begin({ jobTimeoutSeconds: 7200 });
    const job = await processor.submit('polite', null);
    await clock.advance(7199.9);
    expect((await job.status()).state).toBe('running');
    await clock.advance(0.1);
    expect(await job.status()).toMatchObject({
      state: 'timedOut',
      timeout: 'job',
      stop: { confirmed: true, rung: 'grace' },
    });
    await expect(job.result()).rejects.toBeInstanceOf(JobTimedOutError);
  });

  test('of the heartbeat counts from the last sign of life, and for inline code is off unless set', async () => {
    await begin({ heartbeatTimeoutSeconds: 5 });
    const unset = await processor.submit('polite', null);
    const job = await processor.submit('polite', null, { heartbeatTimeoutSeconds: 60 });
    await clock.advance(50);
    open[1]?.heartbeat();
    await clock.advance(50);
    processor.heartbeat(job.id);
    expect((await job.status()).lastHeartbeat).toEqual(new Date(clock.now()));
    await clock.advance(59.9);
    expect((await job.status()).state).toBe('running');
    await clock.advance(0.1);
    expect(await job.status()).toMatchObject({ state: 'timedOut', timeout: 'heartbeat' });
    expect((await unset.status()).state).toBe('running');
  });

  test('of the progress counts from the last chunk: beating is not enough', async () => {
    await begin();
    const job = await processor.submit('chunked', 3, {
      progressTimeoutSeconds: 100,
      heartbeatTimeoutSeconds: 40,
    });
    await clock.advance(39);
    open[0]?.resolve(null);
    for (let beats = 0; beats < 3; beats += 1) {
      await clock.advance(30);
      expect((await job.status()).state).toBe('running');
      open[1]?.heartbeat();
    }
    await clock.advance(10);
    expect(await job.status()).toMatchObject({
      state: 'timedOut',
      timeout: 'progress',
      progress: { chunks: 1 },
    });
  });

  test('of the progress is not put off by empty chunks, which are signs of life', async () => {
    await begin();
    const job = await processor.submit('empties', undefined, {
      progressTimeoutSeconds: 100,
      heartbeatTimeoutSeconds: 40,
    });
    for (let chunks = 0; chunks < 3; chunks += 1) {
      await clock.advance(30);
      expect((await job.status()).state).toBe('running');
      open[chunks]?.resolve(null);
    }
    await clock.advance(9.9);
    expect((await job.status()).state).toBe('running');
    await clock.advance(0.1);
    expect(await job.status()).toMatchObject({ timeout: 'progress', progress: { chunks: 1, items: 1 } });
    open[3]?.resolve(null);
  });

  test('of the queue ends a job that never got a slot, and stops counting once it has', async () => {
    await begin({ maxConcurrentJobs: 1 });
    const first = await processor.submit('polite', null, { queueTimeoutSeconds: 10 });
    const second = await processor.submit('polite', null, { queueTimeoutSeconds: 10 });
    await clock.advance(10);
    expect((await first.status()).state).toBe('running');
    expect(await second.status()).toMatchObject({ state: 'timedOut', timeout: 'queue', startedAt: null });
  });

  test('of the deadline counts all attempts together, by the wall clock', async () => {
    await begin();
    const job = await processor.submit('polite', null, {
      deadlineSeconds: 3600,
      retry: { maxAttempts: 9 },
      jobTimeoutSeconds: 1500,
    });
    await clock.advance(1500);
    expect((await job.status()).attempt).toBe(2);
    clock.jumpWall(-60_000);
    await clock.advance(1499);
    await clock.advance(601);
    expect((await job.status()).state).toBe('running');
    await clock.advance(60);
    expect(await job.status()).toMatchObject({ state: 'timedOut', timeout: 'deadline', attempt: 3 });
  });

  test('of the deadline is not early where the wall clock was set back while an attempt ran', async () => {
    await begin();
    const job = await processor.submit('polite', null, { deadlineSeconds: 100 });
    await clock.advance(10);
    clock.jumpWall(-60_000);
    await clock.advance(149.9);
    expect((await job.status()).state).toBe('running');
    await clock.advance(0.1);
    expect(await job.status()).toMatchObject({ state: 'timedOut', timeout: 'deadline' });
  });

  test('of the deadline of a job that waits is told as that, though the clock was set back since it was found', async () => {
    class SetBack extends MemoryEngine {
      override async due() {
        const due = await super.due();
        if (due.length > 0) clock.jumpWall(-60_000);
        return due;
      }
    }
    await begin({ engine: new SetBack(), maxConcurrentJobs: 1 });
    await processor.submit('polite', null);
    await settle();
    const job = await processor.submit('quick', 1, { deadlineSeconds: 10 });
    const patient = await processor.submit('quick', 1, { queueTimeoutSeconds: 10, deadlineSeconds: 20 });
    await clock.advance(11);
    expect(await job.status()).toMatchObject({ state: 'timedOut', timeout: 'deadline' });
    expect(await patient.status()).toMatchObject({ state: 'timedOut', timeout: 'queue' });
  });

  test('is not moved by a jump of the wall clock', async () => {
    await begin({ monitorIntervalSeconds: 1 });
    const job = await processor.submit('polite', null, { jobTimeoutSeconds: 100 });
    clock.jumpWall(86_400_000);
    await clock.advance(99);
    clock.jumpWall(-2 * 86_400_000);
    expect((await job.status()).state).toBe('running');
    await clock.advance(1);
    expect((await job.status()).state).toBe('timedOut');
  });
});

describe('a retry', () => {
  test('waits its pause and leaves the slot to others meanwhile', async () => {
    await begin({ maxConcurrentJobs: 1 });
    const job = await processor.submit('polite', null, {
      retry: { maxAttempts: 3, backoff: { kind: 'exponential', seconds: 10, jitter: 0 } },
    });
    await settle();
    open[0]?.reject(new Error('no'));
    await settle();
    expect((await job.status()).state).toBe('retrying');
    expect(await (await processor.submit('quick', 7)).result()).toBe(7);
    await clock.advance(9.9);
    expect((await job.status()).state).toBe('retrying');
    await clock.advance(0.1);
    expect((await job.status()).attempt).toBe(2);
    open[1]?.reject(new Error('no'));
    await clock.advance(19.9);
    expect((await job.status()).state).toBe('retrying');
    await clock.advance(0.1);
    open[2]?.reject(new Error('no more'));
    await settle();
    expect(await job.status()).toMatchObject({
      state: 'failed',
      attempt: 3,
      failure: { message: 'no more' },
    });
  });

  test('only follows the outcomes it was told, and never a timeout by hand', async () => {
    await begin();
    const retry = { maxAttempts: 2, on: ['timedOut' as const] };
    const failing = await processor.submit('polite', null, { retry });
    const byHand = await processor.submit('polite', null, { retry });
    await settle();
    open[0]?.reject(new Error('no'));
    await settle();
    expect(await states(failing)).toEqual(['queued', 'running', 'failed']);
    expect(await processor.timeoutJob(byHand.id)).toMatchObject({
      state: 'timedOut',
      reason: 'timed out by hand',
      attempt: 1,
    });
  });

  test('by hand of a job that waits says that it was by hand, and no clock', async () => {
    await begin({ maxConcurrentJobs: 1 });
    await processor.submit('polite', null);
    const waiting = await processor.submit('polite', null);
    expect(await processor.timeoutJob(waiting.id)).toMatchObject({
      ...{ state: 'timedOut', timeout: 'queue', reason: 'timed out by hand', attempt: 0 },
    });
  });

  test('by hand makes a new job that names the old', async () => {
    await begin();
    const job = await processor.submit('quick', 5);
    await job.result();
    const again = await processor.retry(job.id);
    expect(await again.result()).toBe(5);
    expect((await again.status()).retryOf).toBe(job.id);
    expect(again.id).not.toBe(job.id);
    const live = await processor.submit('polite', null);
    await expect(processor.retry(live.id)).rejects.toThrow('expected a final state to retry from');
  });
});

describe('a cancel', () => {
  test('ends a job that waits for its next attempt, or is being stopped for it, too', async () => {
    await begin();
    const retry = { maxAttempts: 2, backoff: { kind: 'fixed' as const, seconds: 60 } };
    const resting = await processor.submit('polite', null, { retry });
    const stopping = await processor.submit('deaf', null, { retry, jobTimeoutSeconds: 1 });
    await settle();
    open[0]?.reject(new Error('no'));
    await clock.advance(2);
    expect((await resting.status()).state).toBe('retrying');
    expect((await stopping.status()).state).toBe('stopping');
    expect(await resting.cancel('enough')).toMatchObject({
      state: 'cancelled',
      reason: 'enough',
      attempt: 1,
    });
    const cancelled = stopping.cancel('enough');
    await settle();
    open[1]?.reject(new Error('late'));
    expect(await cancelled).toMatchObject({
      state: 'cancelled',
      reason: 'enough',
      stop: { confirmed: true },
    });
  });

  test('ends a job in any state, and resolves with how it ended', async () => {
    await begin({ maxConcurrentJobs: 1 });
    const running = await processor.submit('polite', null);
    const queued = await processor.submit('polite', null);
    await settle();
    expect(await queued.cancel()).toMatchObject({ state: 'cancelled', stop: null });
    expect(await running.cancel('enough')).toMatchObject({
      state: 'cancelled',
      reason: 'enough',
      stop: { confirmed: true },
    });
    expect((await running.cancel('again')).reason).toBe('enough');
    await expect(running.result()).rejects.toMatchObject({ code: 'ERR_UNSTUCK_JOB_CANCELLED' });
    const done = await processor.submit('quick', 1);
    await done.result();
    expect((await done.cancel()).state).toBe('completed');
  });

  test('accepts a completion that comes in the grace, and says so', async () => {
    await begin();
    const job = await processor.submit('deaf', null);
    await settle();
    const cancelled = job.cancel();
    await settle();
    open[0]?.resolve('made it');
    expect(await cancelled).toMatchObject({
      state: 'completed',
      reason: 'completed while it was being stopped (cancel)',
    });
  });
});

describe('signs of life by hand', () => {
  test('are gathered, and a timeout counts from the last of them', async () => {
    await begin();
    const job = await processor.submit('polite', null, { heartbeatTimeoutSeconds: 10 });
    await settle();
    for (let beats = 0; beats < 100_000; beats += 1) open[0]?.heartbeat();
    await clock.advance(0.01);
    open[0]?.heartbeat();
    await clock.advance(9.999);
    expect((await job.status()).state).toBe('running');
    await clock.advance(0.03);
    expect((await job.status()).timeout).toBe('heartbeat');
  });
});

describe('inline code that ignores the signal', () => {
  test('without a retry is final, its slot held, its late result refused, health degraded until it ends', async () => {
    await begin({ maxConcurrentJobs: 2 });
    const job = await processor.submit('deaf', null, { jobTimeoutSeconds: 10 });
    await clock.advance(16);
    expect(await job.status()).toMatchObject({
      state: 'timedOut',
      stop: { confirmed: false, tookSeconds: null },
    });
    expect(log.lines.some((line) => line.startsWith(`ERROR: Failed to timeout stuck job ${job.id}: `))).toBe(
      true,
    );
    expect(await processor.health()).toMatchObject({
      status: 'degraded',
      reasons: [expect.stringContaining(job.id)],
    });
    const second = await processor.submit('polite', null);
    const third = await processor.submit('quick', 1);
    await settle();
    expect((await second.status()).state).toBe('running');
    expect((await third.status()).state).toBe('queued');
    open[0]?.resolve('too late');
    expect(await third.result()).toBe(1);
    expect((await job.status()).state).toBe('timedOut');
    expect(log.lines).toContain('WARN: late result refused: completed');
    expect((await processor.health()).status).toBe('ok');
  });

  test('with a retry stays stopping: the next attempt waits for the last to end', async () => {
    await begin();
    const job = await processor.submit('deaf', null, { jobTimeoutSeconds: 10, retry: { maxAttempts: 2 } });
    await clock.advance(3600);
    expect(await job.status()).toMatchObject({ state: 'stopping', attempt: 1, stop: { confirmed: false } });
    open[0]?.resolve('too late');
    await settle();
    expect(await job.status()).toMatchObject({ state: 'running', attempt: 2 });
  });

  test('waiting to be retried: its late heartbeats and checkpoints are refused, and logged', async () => {
    await begin();
    const job = await processor.submit('deafChunks', 2, {
      progressTimeoutSeconds: 10,
      retry: { maxAttempts: 2 },
    });
    await clock.advance(20);
    expect(await job.status()).toMatchObject({ state: 'stopping', stop: { confirmed: false } });
    const before = await job.status();
    open[0]?.heartbeat();
    open[0]?.heartbeat();
    expect((await job.status()).lastHeartbeat).toEqual(before.lastHeartbeat);
    open[0]?.resolve(null);
    await settle();
    expect(before.progress.chunks).toBe(0);
    // Refused its checkpoint, the attempt is over: the next starts where the last acknowledged one was.
    expect(await job.status()).toMatchObject({ state: 'running', attempt: 2, progress: { chunks: 0 } });
    expect(log.lines.filter((line) => line.startsWith('WARN: late'))).toEqual([
      'WARN: late heartbeat refused',
      'WARN: late checkpoint refused',
      'WARN: late result refused: failed',
    ]);
    open[1]?.resolve(null);
    await settle();
    open[2]?.resolve(null);
    expect(await job.result()).toBe(2);
  });

  test('in every slot: the processor says it is down', async () => {
    await begin({ maxConcurrentJobs: 1 });
    await processor.submit('deaf', null, { jobTimeoutSeconds: 10 });
    await clock.advance(20);
    expect((await processor.health()).status).toBe('down');
  });
});

describe('the first design', () => {
  test('its recipe: a short timeout from the environment, a longer job, the lines, the job timedOut', async () => {
    process.env.RECONCILIATION_JOB_TIMEOUT_SECONDS = '5';
    try {
      await begin();
    } finally {
      delete process.env.RECONCILIATION_JOB_TIMEOUT_SECONDS;
    }
    expect(processor.jobTimeoutSeconds).toBe(5);
    const job = await processor.submit('polite', null);
    await settle();
    expect(processor.getTimeoutDuration(job.id)).toBe(5);
    await clock.advance(10);
    expect((await job.status()).state).toBe('timedOut');
    const lines = log.lines.filter((line) => /stuck/.test(line));
    expect(lines).toEqual([
      'WARN: Found 1 stuck job(s), forcing timeout',
      `INFO: Successfully timed out stuck job ${job.id}`,
    ]);
  });

  test('its names: activeJobs, jobQueue, startJob, checkStuckJobs, getTimeoutDuration, startTimeoutMonitor', async () => {
    await begin({ maxConcurrentJobs: 1 });
    const first = await processor.submit('polite', null);
    const second = await processor.submit('quick', 2);
    const third = await processor.submit('quick', 3);
    await settle();
    expect([...processor.activeJobs.keys()]).toEqual([first.id]);
    expect(processor.activeJobs.get(first.id)).toMatchObject({ state: 'running', attempt: 1 });
    expect(await processor.jobQueue.size()).toBe(2);
    await processor.startJob(third.id);
    const queue = [];
    for await (const id of processor.jobQueue) queue.push(id);
    expect(queue).toEqual([third.id, second.id]);
    expect(processor.activeJobs.size).toBe(1);
    expect(processor.getTimeoutDuration()).toBe(7200);
    expect(() => processor.getTimeoutDuration(second.id)).toThrow('a job that is alive in this processor');
    expect(() => processor.heartbeat('nobody')).toThrow('a job that is alive in this processor');
    expect(await processor.checkStuckJobs()).toEqual([]);
    processor.startTimeoutMonitor()[Symbol.dispose]();
    await expect(processor.timeoutJob('nobody')).rejects.toMatchObject({ code: 'ERR_UNSTUCK_JOB_NOT_FOUND' });
  });

  test('its monitor finds what the first line lost, and ends it', async () => {
    // A clock that loses every timer but the monitor's own and those of the ladder: the job timeout never fires.
    const lossy = Object.create(clock, {
      now: { value: () => clock.now() },
      monotonic: { value: () => clock.monotonic() },
      clearTimeout: { value: (timer: unknown) => clock.clearTimeout(timer) },
      setTimeout: {
        value: (callback: () => void, ms: number) =>
          clock.setTimeout(callback, ms === 100_000 ? Infinity : ms),
      },
    }) as SimulatedClock;
    await begin({ clock: lossy, monitorIntervalSeconds: 60 });
    const job = await processor.submit('polite', null, { jobTimeoutSeconds: 100, graceSeconds: 1 });
    await clock.advance(105);
    expect((await job.status()).state).toBe('running');
    await clock.advance(4);
    expect(await processor.checkStuckJobs()).toEqual([job.id]);
    expect((await job.status()).state).toBe('running');
    await clock.advance(12);
    expect(await job.status()).toMatchObject({ state: 'timedOut', timeout: 'job' });
    expect(log.lines.filter((line) => line.includes('forcing timeout'))).toEqual([
      'WARN: Found 1 stuck job(s), forcing timeout',
    ]);
  });
});

describe('an owner that is gone', () => {
  test.each([
    ['inside it', 'quick', 2, { state: 'queued', attempt: 0 }],
    [
      'inside it once too often',
      'quick',
      3,
      { state: 'failed', failure: { code: 'ERR_UNSTUCK_HOST_CRASH' } },
    ],
    ['in a process of its own, which is not to blame', 'isolated', 9, { state: 'queued', attempt: 0 }],
  ] as const)('with a job %s', async (_, name, times, expected) => {
    const engine = new MemoryEngine();
    await begin({ engine, maxConcurrentJobs: 1 });
    await processor.submit('polite', null);
    await settle();
    const job = await processor.submit(name, 1);
    // Another host claims the job and ends with it, some times.
    for (let crash = 0; crash < times; crash += 1) {
      await engine.claim({ owner: 'gone', limit: 1, ahead: 0, names: [name], leaseMs: 1000 });
      await clock.advance(10);
    }
    expect(await job.status()).toMatchObject(expected);
  });

  test('loses its jobs to another after one lease, without using up an attempt; what it still writes is refused', async () => {
    const engine = new MemoryEngine();
    // The first processor's clock stands still once it is cut off: no beat, no timer.
    const frozen = new SimulatedClock();
    const shared = { jobs, logger: log.logger, engine } as const;
    processor = new JobProcessor({ ...shared, clock });
    await engine.open(clock);
    engine.open = async () => {};
    const lost = new JobProcessor({ ...shared, clock: frozen, maxConcurrentJobs: 1 });
    await lost.start();
    const job = await lost.submit('chunked', 2);
    await settle();
    open[0]?.resolve(null);
    await settle();
    await processor.start();
    await clock.advance(11);
    expect((await job.status()).history.map(({ state }) => state)).toEqual(['queued', 'running']);
    await clock.advance(60);
    const { history, attempt, progress } = await (await processor.get(job.id)).status();
    expect(history.map(({ state }) => state)).toEqual(['queued', 'running', 'queued', 'running']);
    expect({ attempt, chunks: progress.chunks }).toEqual({ attempt: 1, chunks: 1 });
    open[1]?.resolve(null);
    await settle();
    expect(log.lines.some((line) => /checkpoint refused/.test(line))).toBe(true);
    open[2]?.resolve(null);
    await settle();
    expect(await (await processor.get(job.id)).result()).toBe(2);
    const stopping = lost.stop();
    await frozen.advance(30);
    await stopping;
  });
});

test('a cancel outlives its host: one that ends in the grace leaves a job that is cancelled, and not run again', async () => {
  const engine = new MemoryEngine();
  await engine.open(clock);
  engine.open = async () => {};
  const shared = { jobs, logger: log.logger, engine, maxConcurrentJobs: 1 } as const;
  // The clock of the first stands still from the cancel on, as if it were gone.
  const frozen = new SimulatedClock();
  const lost = new JobProcessor({ ...shared, clock: frozen });
  await lost.start();
  const job = await lost.submit('deaf', null);
  await settle();
  job.cancel('not needed').catch(() => {});
  await settle();
  expect((await job.status()).state).toBe('stopping');
  processor = new JobProcessor({ ...shared, clock });
  await processor.start();
  await clock.advance(60);
  expect(await (await processor.get(job.id)).status()).toMatchObject({
    state: 'cancelled',
    reason: 'not needed',
    attempt: 1,
  });
  expect(open).toHaveLength(1);
  const stopping = lost.stop();
  open[0]?.resolve(null);
  await frozen.advance(30);
  await stopping;
});

test('drain lets what runs end, starts nothing, and after its grace hands the rest back', async () => {
  await begin({ maxConcurrentJobs: 1 });
  const running = await processor.submit('polite', null);
  const waiting = await processor.submit('quick', 1);
  await settle();
  const drained = processor.drain({ graceSeconds: 100 });
  await clock.advance(99);
  expect((await running.status()).state).toBe('running');
  expect((await processor.health()).status).toBe('degraded');
  await clock.advance(1);
  await drained;
  expect(await running.status()).toMatchObject({ state: 'queued', attempt: 0 });
  expect((await waiting.status()).state).toBe('queued');
});
