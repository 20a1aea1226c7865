// Where attempts run: the same module in each isolation, children started ahead and used once, reuse where it was
// asked for. Real processes and threads.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type JobDefinition, JobProcessor } from '../../src/index.ts';
import failsToLoadOnce from '../fixtures/failsToLoadOnce.ts';
import remembering from '../fixtures/remembering.ts';
import ways from '../fixtures/ways.ts';
import { capturedLog } from '../support/capturedLog.ts';
import { children, isAlive } from '../support/processes.ts';

const { logger } = capturedLog();
const common: JobDefinition<number, { input: number; from: string }> = createRequire(import.meta.url)(
  '../fixtures/common.cjs',
);
const jobs = {
  process: remembering,
  thread: { ...remembering, isolation: 'thread' as const },
  inline: { ...remembering, isolation: 'inline' as const },
  reusedProcess: { ...remembering, reuse: true },
  reusedThread: { ...remembering, isolation: 'thread' as const, reuse: true },
  /** The same file, without reuse. */
  sameFile: remembering,
  common,
  failsToLoadOnce,
  ways: { ...ways, isolation: 'thread' as const },
  waysInProcess: ways,
};
type Name = Exclude<keyof typeof jobs, 'ways' | 'waysInProcess' | 'common' | 'failsToLoadOnce'>;
const threads = () => readdirSync('/proc/self/task').length;
let childrenBefore: number[];
let processor: JobProcessor<typeof jobs>;

const begin = async (options: { spares?: number; maxConcurrentJobs?: number } = {}) => {
  processor = await new JobProcessor({
    engine: 'memory',
    jobs,
    logger,
    graceSeconds: 0.5,
    ...options,
  }).start();
};
const run = async (name: Name, mess: Parameters<typeof remembering.run>[0] = 'none') =>
  (await processor.submit(name, mess)).result();

beforeEach(() => {
  childrenBefore = children();
});
afterEach(async () => {
  await processor.stop();
  expect(children()).toEqual(childrenBefore);
  // Nothing of a child is left in this process either.
  const handles = process.getActiveResourcesInfo().filter((kind) => kind === 'ProcessWrap');
  expect(handles).toEqual([]);
});

test('the same module runs in each isolation', async () => {
  await begin();
  const inProcess = await run('process');
  expect(childrenBefore).not.toContain(inProcess.pid);
  expect(inProcess).toMatchObject({ threadId: 0, runs: 1 });
  expect(inProcess.pid).not.toBe(process.pid);
  const inThread = await run('thread');
  expect(inThread).toMatchObject({ pid: process.pid, runs: 1 });
  expect(inThread.threadId).toBeGreaterThan(0);
  expect(await run('inline')).toMatchObject({ pid: process.pid });
});

test('a CommonJS file is a job, in a spare that has just been started too', async () => {
  await begin({ spares: 2, maxConcurrentJobs: 2 });
  const submitted = await Promise.all([1, 2, 3].map((input) => processor.submit('common', input)));
  expect(await Promise.all(submitted.map((job) => job.result()))).toEqual(
    [1, 2, 3].map((input) => ({ input, from: 'CommonJS' })),
  );
});

test.each(['process', 'thread'] as const)('%s: an error message without end is cut', async (name) => {
  await begin();
  const job = await processor.submit(name, 'throwsHuge');
  await job.result().catch(() => {});
  const { failure } = await job.status();
  expect(failure?.message.length).toBeLessThan(70_000);
  expect(failure?.message).toContain('… (20000000 characters)');
});

test.each([
  ['waysInProcess', 'throwForGood'],
  ['waysInProcess', 'throwForGoodByHand'],
  ['ways', 'throwForGood'],
  ['ways', 'throwForGoodByHand'],
] as const)('%s: an error that is not to be retried is known as one here: %s', async (name, way) => {
  await begin();
  const job = await processor.submit(name, way, { retry: { maxAttempts: 5 } });
  await expect(job.result()).rejects.toThrow('failed at attempt 1: no such customer');
  expect((await job.status()).failure).toMatchObject({ message: 'no such customer', retryable: false });
});

describe('a spare', () => {
  test.each(['process', 'thread'] as const)('%s runs one attempt and no other', async (name) => {
    await begin({ spares: 2, maxConcurrentJobs: 2 });
    const ran = await Promise.all([run(name), run(name), run(name), run(name), run(name)]);
    expect(new Set(ran.map(({ pid, threadId }) => `${pid} ${threadId}`)).size).toBe(5);
    expect(ran.map(({ runs }) => runs)).toEqual([1, 1, 1, 1, 1]);
  });

  test('is there before a job is, and none where none was asked for', async () => {
    await begin({ spares: 3 });
    expect(children()).toHaveLength(childrenBefore.length + 3);
    await processor.stop();
    const threadsBefore = threads();
    await begin({ spares: 0 });
    expect(children()).toEqual(childrenBefore);
    expect(threads()).toBe(threadsBefore);
    expect((await run('process')).runs).toBe(1);
  });

  test('that died while it waited costs no job its attempt', async () => {
    await begin();
    const [spare = 0] = children().filter((pid) => !childrenBefore.includes(pid));
    process.kill(spare, 'SIGKILL');
    while (isAlive(spare)) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect((await run('process')).pid).not.toBe(spare);
  });

  test('that dies as a job takes it is followed by another, unseen', async () => {
    await begin();
    const [spare = 0] = children().filter((pid) => !childrenBefore.includes(pid));
    // Both before this loop turns: the processor cannot know yet.
    const job = processor.submit('process', 'none');
    process.kill(spare, 'SIGKILL');
    const ran = await (await job).result();
    expect(ran.pid).not.toBe(spare);
    const { attempt, history } = await (await job).status();
    expect([attempt, history.map(({ state }) => state)]).toEqual([1, ['queued', 'running', 'completed']]);
  });

  test.each(['process', 'thread'] as const)('%s does not show a job an older environment', async (name) => {
    await begin();
    expect((await run(name)).variable).toBe(null);
    process.env.UNSTUCK_TEST = 'new';
    try {
      expect((await run(name)).variable).toBe('new');
    } finally {
      delete process.env.UNSTUCK_TEST;
    }
  });
});

describe.each(['reusedProcess', 'reusedThread'] as const)('%s', (name) => {
  test('goes on with what the last attempt left in memory, failures included', async () => {
    await begin({ maxConcurrentJobs: 1 });
    const first = await run(name);
    await expect(run(name, 'throws')).rejects.toThrow('as planned');
    const third = await run(name);
    expect([first.runs, third.runs]).toEqual([1, 3]);
    expect([third.pid, third.threadId]).toEqual([first.pid, first.threadId]);
  });

  test('is not shown an older environment', async () => {
    await begin({ maxConcurrentJobs: 1 });
    expect((await run(name)).variable).toBe(null);
    process.env.UNSTUCK_TEST = 'new';
    try {
      expect((await run(name)).variable).toBe('new');
    } finally {
      delete process.env.UNSTUCK_TEST;
    }
  });

  test('is not for another job of the same file', async () => {
    await begin({ maxConcurrentJobs: 1 });
    await run(name);
    expect((await run('sameFile')).runs).toBe(1);
  });

  test('is not gone on with once an attempt had to be stopped', async () => {
    await begin({ maxConcurrentJobs: 1 });
    expect((await run(name)).runs).toBe(1);
    const hung = await processor.submit(name, 'never', { jobTimeoutSeconds: 0.3 });
    await expect(hung.result()).rejects.toMatchObject({ kind: 'job' });
    expect((await run(name)).runs).toBe(1);
  });

  test('does not hear what an attempt that is over still says', async () => {
    await begin({ maxConcurrentJobs: 1 });
    await run(name, 'timer');
    const next = await processor.submit(name, 'never', { jobTimeoutSeconds: 0.5 });
    await expect(next.result()).rejects.toMatchObject({ kind: 'job' });
    expect(await next.status()).toMatchObject({ stop: { confirmed: true, rung: 'grace' } });
  });
});

test.each(['ways', 'waysInProcess'] as const)(
  '%s: a child that does not leave after its last word is ended, and its job is none the worse',
  async (name) => {
    await begin();
    const job = await processor.submit(name, 'lingers');
    expect(await job.result()).toBe('done');
    expect((await job.status()).history.map(({ state }) => state)).toEqual([
      'queued',
      'running',
      'completed',
    ]);
  },
);

test('a module that could not be loaded is loaded anew by the next attempt', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'unstuck-'));
  process.env.UNSTUCK_TEST_MARKER = join(folder, 'marker');
  try {
    await begin({ maxConcurrentJobs: 1 });
    const job = await processor.submit('failsToLoadOnce', undefined, { retry: { maxAttempts: 2 } });
    expect(await job.result()).toBe('loaded');
    expect((await job.status()).attempt).toBe(2);
  } finally {
    delete process.env.UNSTUCK_TEST_MARKER;
    rmSync(folder, { recursive: true });
  }
});

test('a process that an attempt left a child in is not used again, and the child is ended', async () => {
  await begin({ maxConcurrentJobs: 1, spares: 0 });
  const first = await run('reusedProcess', 'child');
  expect(isAlive(first.pid)).toBe(false);
  expect((await run('reusedProcess')).runs).toBe(1);
  expect(children()).toHaveLength(childrenBefore.length + 1);
});

test('a processor cannot be started in a thread of a job', async () => {
  await begin();
  await expect((await processor.submit('ways', 'processor')).result()).rejects.toThrow(
    'got the process of a job',
  );
});

test('what a job in a thread prints and logs becomes lines of that job', async () => {
  const log = capturedLog();
  processor = await new JobProcessor({ engine: 'memory', jobs, logger: log.logger }).start();
  const job = await processor.submit('ways', 'print');
  await job.result();
  const of = (msg: string) => log.records.find((record) => record.msg === msg);
  expect(of('out line')).toMatchObject({ jobId: job.id, stream: 'stdout', level: 30 });
  expect(of('error line')).toMatchObject({ jobId: job.id, stream: 'stderr', level: 40 });
  expect(of('log line')).toMatchObject({ jobId: job.id, rows: 3, level: 30 });
});
