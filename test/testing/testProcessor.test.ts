// The runtime on a simulated machine behaves as the real one does, and says what a test left behind.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { defineChunkedJob, defineJob, type Job } from '../../src/index.ts';
import {
  assertEnd,
  assertGone,
  jobPaths,
  type TestProcessor,
  testProcessor,
} from '../../src/testing/index.ts';
import '../../src/testing/vitest.ts';
import forgetful from '../fixtures/forgetful.ts';

const sums = defineChunkedJob({
  module: import.meta.url,
  retry: { maxAttempts: 2, backoff: { kind: 'fixed', seconds: 30 } },
  heartbeatTimeoutSeconds: 60,
  start: 0,
  *chunks(input: number, { checkpoint }) {
    for (let n = checkpoint; n < input; n += 1) yield [n];
  },
  process: ([n = 0], { append }) => {
    append({ n });
    return n + 1;
  },
});
const jobs = {
  sums,
  inHost: defineJob({ retry: { maxAttempts: 2 }, run: (input: number) => input }),
  endless: defineJob({ module: import.meta.url, run: () => new Promise<never>(() => {}) }),
};

let runtime: TestProcessor<typeof jobs>;
beforeEach(async () => {
  runtime = await testProcessor({ jobs, patienceSeconds: 0.2 });
});
afterEach(() => runtime.stop());

const rowsOf = (job: Job) => runtime.rows(job);
const three = [{ n: 0 }, { n: 1 }, { n: 2 }];

test('a job runs to its end without time passing', async () => {
  const job = await runtime.submit('sums', 3);
  await runtime.untilIdle();
  await expect(job).toHaveGone('queued → running → completed');
  expect(await job.result()).toBe(3);
  expect(await rowsOf(job)).toEqual(three);
  expect(runtime.clock.monotonic()).toBe(0);
});

describe('a fault', () => {
  test('hang: is ended, with proof, and the job goes on from its checkpoint after its pause', async () => {
    runtime.fault('hang', { attempt: 1, chunk: 2 });
    const job = await runtime.submit('sums', 3);
    await runtime.untilIdle();
    expect((await job.status()).state).toBe('running');
    await runtime.advance('62s');
    await expect(job).toHaveGone('queued → running → stopping (heartbeat) → retrying');
    await runtime.advance('29s');
    expect((await job.status()).state).toBe('retrying');
    await runtime.advance('1s');
    await expect(job).toEndAs('completed', { attempt: 2 });
    await expect(job).toHaveBeenProvenStopped({ rung: 'terminate' });
    expect(runtime.record(job).startedFrom).toEqual([
      { attempt: 1, checkpoint: undefined, chunks: 0 },
      { attempt: 2, checkpoint: 1, chunks: 1 },
    ]);
    expect(await rowsOf(job)).toEqual(three);
    expect(runtime.lines).toContain(`INFO: Successfully timed out stuck job ${job.id}`);
  });

  test('crash: the attempt has failed, with its signal', async () => {
    runtime.fault('crash', { chunk: 3, at: 'checkpoint', signal: 'SIGBUS' });
    const job = await runtime.submit('sums', 3, { retry: { maxAttempts: 1 } });
    await runtime.untilDone(job);
    await expect(job).toEndAs('failed', { failure: 'SIGBUS' });
  });

  test('crash of the host: another processor takes the job over, from its checkpoint, the attempt not used up', async () => {
    const before = runtime.processor;
    runtime.fault('crash', { chunk: 2, of: 'host' });
    const job = await runtime.submit('sums', 3);
    expect(await runtime.untilDone(job)).toMatchObject({ state: 'completed', attempt: 1 });
    expect(runtime.processor).not.toBe(before);
    await expect(job).toHaveGone('queued → running → queued → running → completed');
    expect(await job.result()).toBe(3);
    expect(await rowsOf(job)).toEqual(three);
  });

  test('crash of inline code is the crash of its host', async () => {
    const before = runtime.processor;
    runtime.fault('crash');
    const job = await runtime.submit('inHost', 7);
    await runtime.untilDone(job);
    expect(await job.result()).toBe(7);
    expect(runtime.processor).not.toBe(before);
  });

  test('loseLease: the late checkpoint is refused, and the chunk is run by the next attempt', async () => {
    runtime.fault('loseLease', { chunk: 2 });
    const job = await runtime.submit('sums', 3);
    await runtime.untilDone(job);
    await expect(job).toEndAs('completed', { attempt: 1 });
    expect(runtime.record(job).refused).toMatchObject([{ chunk: 2, rows: [{ n: 1 }] }]);
    expect(await rowsOf(job)).toEqual(three);
    expect(runtime.lines.filter((line) => line.includes('superseded'))).toHaveLength(1);
  });

  test('slowHeartbeat: slower than its timeout, it is ended though it works', async () => {
    runtime.fault('slowHeartbeat', { every: '2m' });
    runtime.fault('hang', { chunk: 1, as: 'await' });
    const job = await runtime.submit('sums', 3);
    await runtime.untilDone(job);
    await expect(job).toHaveGone('queued → running → stopping (heartbeat) → retrying → running → completed');
  });

  test('clockJump: a deadline counts on the wall clock, a job timeout does not', async () => {
    runtime.fault('clockJump', { chunk: 2, by: '2h' });
    const job = await runtime.submit('sums', 3, { jobTimeoutSeconds: 60, deadlineSeconds: 3600 });
    await runtime.untilDone(job);
    await expect(job).toEndAs('completed');
    expect((await job.status()).submittedAt.getTime()).toBeLessThan(runtime.clock.now() - 7_000_000);
  });

  test('fail: with the error that is given', async () => {
    runtime.fault('fail', { chunk: 2, error: new Error('no more paper') });
    const job = await runtime.submit('sums', 3);
    await runtime.untilDone(job);
    await expect(job).toHaveGone('queued → running → retrying → running → completed');
  });

  test('that is released before it is ended was no fault', async () => {
    const hang = runtime.fault('hang', { chunk: 2, as: 'unkillable' });
    const job = await runtime.submit('sums', 3);
    await runtime.advance('10s');
    hang.release();
    await runtime.untilIdle();
    await expect(job).toHaveGone('queued → running → completed');
  });

  test.each([
    [() => runtime.fault('hangs' as 'hang'), /^fault: expected one of hang, crash/],
    [() => runtime.fault('hang', { attempt: 0 }), /^attempt: expected a whole number/],
    [() => runtime.fault('hang', { chunk: 1.5 }), /^chunk: expected a whole number/],
    [() => runtime.fault('hang', { at: 'checkpoint' }), /^chunk: expected the number of a chunk/],
    [() => runtime.fault('hang', { at: 'start', chunk: 1 }), /^at: expected 'chunk'/],
    [() => runtime.fault('hang', { as: 'softly' as 'loop' }), /^hang.as: expected one of await/],
    [() => runtime.fault('slowHeartbeat', { every: 0 }), /^slowHeartbeat.every: expected a duration above 0/],
    [() => runtime.fault('clockJump', { by: 'soon' as '1s' }), /^clockJump.by: expected a duration above 0/],
    [() => runtime.fault('crash', { of: 'all' as 'host' }), /^crash.of: expected 'attempt' or 'host'/],
  ])('that cannot be is refused, and says what was expected: %s', (plant, message) => {
    expect(plant).toThrow(message);
  });
});

describe('step by step', () => {
  test('a job is held after each chunk, with its checkpoint and rows', async () => {
    const steps = runtime.steps('sums');
    const job = await runtime.submit('sums', 2);
    expect(await steps.next()).toEqual({
      ...{ jobId: job.id, attempt: 1, chunk: 1, point: 'acknowledged', checkpoint: 1, rows: [{ n: 0 }] },
    });
    expect(await steps.next()).toMatchObject({ chunk: 2, checkpoint: 2, rows: [{ n: 0 }, { n: 1 }] });
    expect(await steps.next()).toBeNull();
    await expect(job).toEndAs('completed');
  });

  test('what is held can be cancelled, and is ended for it', async () => {
    const steps = runtime.steps('sums', { at: ['chunk'] });
    const job = await runtime.submit('sums', 3);
    expect(await steps.next()).toMatchObject({ chunk: 1, checkpoint: undefined });
    const cancelled = job.cancel('by test');
    await runtime.untilDone(job);
    expect(await cancelled).toMatchObject({ state: 'cancelled', reason: 'by test' });
    await expect(job).toHaveGone('queued → running → stopping (cancel) → cancelled');
  });
});

describe('code that never settles', () => {
  test('is not waited for: untilIdle says which job it is, and what to do', async () => {
    const job = await runtime.submit('endless');
    await expect(runtime.untilIdle()).rejects.toThrow(
      `job ${job.id} (endless), attempt 1, before its first chunk: expected its code to go on within 0.2 s`,
    );
  });

  test('is ended when time passes', async () => {
    const job = await runtime.submit('endless', undefined, { jobTimeoutSeconds: 60 });
    await runtime.advance('70s');
    await expect(job).toEndAs('timedOut', { timeout: 'job' });
    await expect(job).toHaveBeenProvenStopped();
  });
});

test('real work is waited for while simulated time stands still', async () => {
  const real = await testProcessor({
    jobs: {
      slow: defineJob({
        module: import.meta.url,
        jobTimeoutSeconds: 1,
        // Real time, and not short of what a loaded machine is late by.
        run: () => new Promise<string>((resolve) => setTimeout(() => resolve('done'), 50)),
      }),
    },
  });
  const job = await real.submit('slow');
  await real.advance('1h');
  expect(await job.result()).toBe('done');
  await real.stop();
});

test('timers that a test has put in place of the real ones do not matter', async () => {
  vi.useFakeTimers();
  try {
    const job = await runtime.submit('sums', 3);
    await runtime.advance('1h');
    await expect(job).toEndAs('completed');
  } finally {
    vi.useRealTimers();
  }
});

test('attempts share the memory of the test, unless their modules are fresh', async () => {
  const fresh = await testProcessor({ jobs: { forgetful }, freshModules: true });
  const shared = await testProcessor({ jobs: { forgetful } });
  const results: unknown[] = [];
  for (const runtime of [fresh, shared]) {
    runtime.fault('crash', { chunk: 3 });
    const job = await runtime.submit('forgetful', [1, 2, 3], { retry: { maxAttempts: 2 } });
    await runtime.untilDone(job);
    results.push(await job.result());
    await runtime.stop();
  }
  expect(results).toEqual([3, 6]);
});

test('code that was killed is unwound where it is told to be: what it holds is given back', async () => {
  const said: string[] = [];
  const holding = defineChunkedJob({
    ...sums,
    async *chunks(input: number, { checkpoint, attempt }) {
      try {
        for (let n = checkpoint; n < input; n += 1) yield [n];
      } finally {
        said.push(`attempt ${attempt} gives back`);
      }
    },
    process: (chunk, context) =>
      context.attempt === 1 ? new Promise<never>(() => {}) : sums.process(chunk, context),
  });
  for (const unwind of [false, true]) {
    const runtime = await testProcessor({ jobs: { holding }, unwind, patienceSeconds: 0.1 });
    const job = await runtime.submit('holding', 2, { jobTimeoutSeconds: 60 });
    await runtime.advance('5m');
    await expect(job).toEndAs('completed', { attempt: 2 });
    await runtime.stop();
  }
  expect(said).toEqual(['attempt 2 gives back', 'attempt 1 gives back', 'attempt 2 gives back']);
});

describe('stop', () => {
  const other = () => testProcessor({ jobs });

  test('fails where a fault never happened, and says which', async () => {
    const runtime = await other();
    runtime.fault('hang', { attempt: 2, chunk: 9, job: 'sums' });
    await runtime.untilDone(await runtime.submit('sums', 2));
    await expect(runtime.stop()).rejects.toThrow(
      "a fault never happened: hang { attempt: 2, chunk: 9, at: 'chunk', job: 'sums' }",
    );
  });

  test('fails where an attempt is left that nothing could end', async () => {
    const runtime = await other();
    runtime.fault('hang', { as: 'unkillable' });
    const job = await runtime.submit('sums', 2);
    await runtime.untilIdle();
    await expect(runtime.stop()).rejects.toThrow(
      `attempt 1 of job ${job.id} (sums) is left; it hangs: unkillable`,
    );
  });

  test('fails where a timer is left', async () => {
    const runtime = await other();
    runtime.clock.setTimeout(() => {}, 1e12);
    await expect(runtime.stop()).rejects.toThrow('1 timer(s) are left');
  });

  test('hands back what runs, and leaves nothing', async () => {
    const runtime = await other();
    runtime.fault('hang');
    const job = await runtime.submit('sums', 2);
    await runtime.untilIdle();
    await runtime.stop();
    expect(runtime.clock.pending).toBe(0);
    expect(runtime.lines).toContain(`INFO: job ${job.id} queued`);
  });
});

test.each([
  [{ engine: 'memory' }, /^engine: expected an option that is not simulated/],
  [{ patienceSeconds: -1 }, /^patienceSeconds: expected a duration above 0/],
  [{ freshModules: 'yes' }, /^freshModules: expected true or false/],
  [{ maxConcurrentJobs: 0 }, /^maxConcurrentJobs: expected/],
])('options that cannot be are refused: %o', (options, message) => {
  expect(() => testProcessor({ jobs, ...options } as never)).toThrow(message);
});

test('a tick of a schedule comes when time has come to it', async () => {
  const ran: string[] = [];
  const job = defineJob({ run: () => void ran.push('tick') });
  const scheduled = await testProcessor({ jobs: { job } });
  await scheduled.processor.schedule('hourly', { name: 'job', input: null as never, cron: '0 * * * *' });
  await scheduled.advance('59m');
  expect(ran).toEqual([]);
  await scheduled.advance('1m');
  expect(ran).toEqual(['tick']);
  await scheduled.stop();
});

test('words that do not exist are refused: a test that misspells one would test nothing', async () => {
  const job = defineJob({ run: () => 1 });
  const misspelt = await testProcessor({ jobs: { job } });
  expect(() => misspelt.fault('hang', { attmpt: 2 } as never)).toThrow(
    /^hang\.attmpt: expected one of job, attempt/,
  );
  expect(() => misspelt.steps('job', { at: ['begin'] as never })).toThrow(/^at: expected some of start/);
  const done = await misspelt.submit('job', null as never);
  await misspelt.untilDone(done);
  await expect(assertGone(done, 'queued → runing → completed')).rejects.toThrow('got "runing"');
  await assertGone(done, 'queued -> running -> completed' as never);
  await expect(assertEnd(done, 'completed', { atempt: 1 } as never)).rejects.toThrow('got "atempt"');
  await expect(assertEnd(done, 'running' as never)).rejects.toThrow('got "running"');
  await misspelt.stop();
});

test('paths are of a job alone: its limits are left out', async () => {
  const rated = defineJob({ limits: { rate: { starts: 1, seconds: 3600 } }, run: (n: number) => n });
  const paths = jobPaths(rated, 1).slice(0, 5);
  for (const path of paths) await path.run();
});
