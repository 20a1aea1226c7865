// Real child processes, really killed. These wait on the wall clock: what is proven is that code is gone from
// the process table. Timeouts leave room for a busy machine to start a process. No bound on how long it takes is asserted beyond the test's own limit.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Exit } from '../../src/actors/isolation/child.ts';
import { runInChild } from '../../src/actors/isolation/isolatedAttempt.ts';
import { startProcess } from '../../src/actors/isolation/processChild.ts';
import { JobFailedError, JobProcessor, JobTimedOutError } from '../../src/index.ts';
import counting from '../fixtures/counting.ts';
import endlessLoop from '../fixtures/endlessLoop.ts';
import grandchildren from '../fixtures/grandchildren.ts';
import lastWords from '../fixtures/lastWords.ts';
import ways, { type Way } from '../fixtures/ways.ts';
import { type CapturedLog, capturedLog } from '../support/capturedLog.ts';
import { children, isAlive } from '../support/processes.ts';
import { wait } from '../support/spawnedHost.ts';

const jobs = { counting, endlessLoop, grandchildren, ways };
let processor: JobProcessor<typeof jobs>;
let log: CapturedLog;
let folder: string;
let childrenBefore: number[];

beforeEach(async () => {
  log = capturedLog();
  childrenBefore = children();
  folder = mkdtempSync(join(tmpdir(), 'unstuck-'));
  processor = await new JobProcessor({
    engine: 'memory',
    jobs,
    logger: log.logger,
    maxConcurrentJobs: 1,
    spares: 0,
    graceSeconds: 0.2,
  }).start();
});
afterEach(async () => {
  await processor.stop();
  rmSync(folder, { recursive: true });
  expect(processor.activeJobs.size).toBe(0);
  expect(children()).toEqual(childrenBefore);
});

const noLimits = {
  jobMs: Infinity,
  heartbeatMs: Infinity,
  progressMs: Infinity,
  deadlineAt: Infinity,
  memoryLimitMb: Infinity,
};
const run = (way: Way) => processor.submit('ways', way);

test('an endless loop is ended: process gone, job timedOut, slot free, the next job runs', async () => {
  let pid = 0;
  processor.once('running', () => {
    pid = children().find((child) => !childrenBefore.includes(child)) ?? 0;
  });
  const stuck = await processor.submit('endlessLoop', undefined, { heartbeatTimeoutSeconds: 2 });
  const next = await run('return');
  await expect(stuck.result()).rejects.toBeInstanceOf(JobTimedOutError);
  expect(pid).toBeGreaterThan(1);
  expect(isAlive(pid)).toBe(false);
  const status = await stuck.status();
  expect(status).toMatchObject({
    state: 'timedOut',
    timeout: 'heartbeat',
    stop: { confirmed: true, rung: 'terminate', signal: 'SIGTERM' },
  });
  expect(await next.result()).toEqual({ attempt: 1, hasToken: true });
  expect(log.lines).toContain('WARN: Found 1 stuck job(s), forcing timeout');
  expect(log.lines).toContain(`INFO: Successfully timed out stuck job ${stuck.id}`);
});

test('the whole group is killed, grandchildren that ignore SIGTERM included', async () => {
  const pids = join(folder, 'pids');
  const job = await processor.submit('grandchildren', { pids });
  const read = () => {
    try {
      return readFileSync(pids, 'utf8').split(' ').map(Number);
    } catch {
      return [];
    }
  };
  while (read().length < 3) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(read().every(isAlive)).toBe(true);
  const status = await job.cancel('enough');
  expect(read().filter(isAlive)).toEqual([]);
  expect(status).toMatchObject({
    state: 'cancelled',
    reason: 'enough',
    stop: { confirmed: true, rung: 'kill', signal: 'SIGKILL' },
  });
});

test('the slot of a job that is being ended is held until nothing of its group runs', async () => {
  const pids = join(folder, 'pids');
  const job = await processor.submit('grandchildren', { pids });
  const read = () => (existsSync(pids) ? readFileSync(pids, 'utf8').split(' ').map(Number) : []);
  while (read().length < 3) await wait(20);
  const next = await run('return');
  const started = new Promise<number[]>((resolve) => {
    processor.on('running', ({ id }) => id === next.id && resolve(read().filter(isAlive)));
  });
  await job.cancel();
  expect(await started).toEqual([]);
  await next.result();
});

test('a child that a job leaves behind is gone when the job is over', async () => {
  const pid = (await (await run('leaves')).result()) as number;
  expect(pid).toBeGreaterThan(1);
  expect(isAlive(pid)).toBe(false);
});

test.each([
  ['throw', 'as planned'],
  ['exit', 'exited with code 0 before the job was done'],
  ['uncaught', 'from a timer'],
  ['forge', 'not completed'],
  ['processor', 'got the process of a job'],
] as [Way, string][])('a job that ends by %s has failed, and says why', async (way, message) => {
  const job = await run(way);
  const error: JobFailedError = await job.result().then(
    () => expect.unreachable(),
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(JobFailedError);
  expect(error.message).toContain(message);
  if (way === 'throw') expect(error.failure).toMatchObject({ name: 'RangeError', code: 'E_PLANNED' });
  expect((await job.status()).state).toBe('failed');
});

test('a job that listens to the signal leaves at the first rung', async () => {
  const job = await run('listens');
  while (!log.lines.includes('INFO: listening')) await new Promise((resolve) => setTimeout(resolve, 20));
  const status = await job.cancel();
  expect(status).toMatchObject({ state: 'cancelled', stop: { confirmed: true, rung: 'grace' } });
});

test('a job that beats but does not end is ended by its job timeout', async () => {
  const job = await processor.submit('ways', 'never', {
    jobTimeoutSeconds: 3,
    heartbeatTimeoutSeconds: 2.5,
  });
  await expect(job.result()).rejects.toMatchObject({ code: 'ERR_UNSTUCK_JOB_TIMED_OUT', kind: 'job' });
});

test('an attempt that was given more time is not ended by its watchdog, which counts for itself', async () => {
  const running = new Promise((resolve) => processor.once('running', resolve));
  const job = await processor.submit('ways', 'never', { jobTimeoutSeconds: 1, graceSeconds: 0 });
  await running;
  await job.setTimeouts({ jobTimeoutSeconds: 3600 });
  // The watchdog would have ended it a timeout and a stop budget (5 s) after its start.
  await wait(7500);
  expect((await job.status()).state).toBe('running');
  expect(await job.cancel()).toMatchObject({ state: 'cancelled', stop: { confirmed: true } });
});

test('a watchdog goes by its new limits, and counts from where it was', async () => {
  const ended = (child: ReturnType<typeof startProcess>) =>
    new Promise<Exit>((resolve) => child.listen({ message() {}, output() {}, ended: resolve }));
  const extended = startProcess();
  const shortened = startProcess();
  const ends = [ended(extended), ended(shortened)] as const;
  extended.watch({ ...noLimits, jobMs: 1000 });
  extended.rewatch({ ...noLimits, jobMs: 3_600_000 });
  shortened.watch({ ...noLimits, jobMs: 3_600_000 });
  shortened.rewatch({ ...noLimits, jobMs: 1 });
  expect(await ends[1]).toMatchObject({ signal: 'SIGKILL', word: { cause: 'job' } });
  await wait(2500);
  extended.kill();
  expect((await ends[0]).word).toBeUndefined();
});

test('an attempt beats at the pace of its new timeout', async () => {
  const beaten = Promise.withResolvers<void>();
  const often = Promise.withResolvers<void>();
  const child = startProcess();
  let beats = 0;
  const port = {
    heartbeat() {
      beats += 1;
      beaten.resolve();
      if (beats === 10) often.resolve();
    },
    ...{ async started() {}, acknowledged() {}, total() {}, expired() {}, lapsed() {}, ended() {} },
    checkpoint: () => Promise.resolve(),
  };
  const start = { jobId: 'j', name: 'ways', attempt: 1, token: 't', input: '"never"', checkpoint: null };
  const spec = {
    start: { ...start, chunksDone: 0, chunkSize: 1, trace: null },
    code: ways,
    module: new URL('../fixtures/ways.ts', import.meta.url).href,
    beatMs: 3_600_000,
    limits: noLimits,
    endBy: Infinity,
    reuse: false,
    log: log.logger,
  };
  const handle = runInChild(child, spec, port, { rested() {} });
  await beaten.promise;
  expect(beats).toBe(1);
  spec.beatMs = 20;
  handle.retime();
  await often.promise;
  handle.kill();
  await child.gone;
});

test('a hung job whose heartbeat timeout is shortened is ended', async () => {
  const running = new Promise((resolve) => processor.once('running', resolve));
  const hung = await processor.submit('endlessLoop', undefined, { heartbeatTimeoutSeconds: 3600 });
  await running;
  await hung.setTimeouts({ heartbeatTimeoutSeconds: 1 });
  await expect(hung.result()).rejects.toMatchObject({ kind: 'heartbeat', stop: { confirmed: true } });
});

test('a process that dies under a job is a failure, and retried as one', async () => {
  const job = await processor.submit('ways', 'crash', { retry: { maxAttempts: 2 } });
  expect(await job.result()).toBe(2);
  const { history } = await job.status();
  expect(history.map(({ state }) => state)).toEqual([
    'queued',
    'running',
    'retrying',
    'running',
    'completed',
  ]);
  expect(history[2]?.reason).toContain('SIGKILL');
});

test('what a job prints and logs becomes lines of that job', async () => {
  const job = await run('print');
  await job.result();
  const of = (msg: string) => log.records.find((record) => record.msg === msg);
  expect(of('out line')).toMatchObject({ jobId: job.id, stream: 'stdout', level: 30 });
  expect(of('error line')).toMatchObject({ jobId: job.id, stream: 'stderr', level: 40 });
  expect(of('log line')).toMatchObject({ jobId: job.id, rows: 3, level: 30 });
});

test.each([
  ['kill', {}],
  ['loop', { heartbeatTimeoutSeconds: 2 }],
  ['never', { progressTimeoutSeconds: 3 }],
] as const)(
  'a retry after a %s resumes from the checkpoint: no chunk is run again, none is lost',
  async (kind, timeouts) => {
    const journal = join(folder, 'journal');
    const job = await processor.submit(
      'counting',
      { chunks: 6, journal, trouble: { at: 3, kind } },
      { ...timeouts, retry: { maxAttempts: 2 } },
    );
    expect(await job.result()).toBe(15);
    expect(readFileSync(journal, 'utf8').trim().split('\n').map(Number)).toEqual([0, 1, 2, 3, 4, 5]);
    const rows = [];
    for await (const row of job.rows<{ index: number }>()) rows.push(row.index);
    expect(rows).toEqual([0, 1, 2, 3, 4, 5]);
    const status = await job.status();
    expect(status).toMatchObject({ attempt: 2, progress: { chunks: 6, items: 6, total: 6 } });
  },
);

test('stop hands a running job back to the queue with its attempt, and leaves no process', async () => {
  const job = await run('never');
  await new Promise((resolve) => processor.once('running', resolve));
  const seen: string[] = [];
  processor.on('queued', ({ state, attempt }) => seen.push(`${state} ${attempt}`));
  await processor.stop();
  expect(seen).toEqual(['queued 0']);
  expect(job.id).toBeTruthy();
});

test.each(['SIGKILL', 'SIGTERM'] as const)(
  'an endless loop does not outlive its host, ended by %s',
  async (signal) => {
    const host = spawn(
      process.execPath,
      [fileURLToPath(new URL('../fixtures/loopHost.ts', import.meta.url))],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    const said = await new Promise<Buffer>((resolve) => host.stdout.once('data', resolve));
    const pid = Number(String(said));
    expect(isAlive(pid)).toBe(true);
    host.kill(signal);
    await new Promise((resolve) => host.once('exit', resolve));
    while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 10));
  },
);

test('many that end at once are all completed: the last word of each is read before its exit is judged', async () => {
  const wide = await new JobProcessor({
    engine: 'memory',
    jobs,
    logger: log.logger,
    maxConcurrentJobs: 8,
  }).start();
  const submitted = await Promise.all(Array.from({ length: 24 }, () => wide.submit('ways', 'return')));
  const results = await Promise.allSettled(submitted.map((job) => job.result()));
  expect(results.filter(({ status }) => status === 'rejected')).toEqual([]);
  await wide.stop();
});

test('one whose end is seen together with that of another is completed, though its last word is still to be read', async () => {
  const [first, second] = [join(folder, 'first'), join(folder, 'second')];
  const pids = new Map<string, number>();
  const still = new Int32Array(new SharedArrayBuffer(4));
  const blockUntilEnded = (id: string) => {
    while (isAlive(pids.get(id) ?? 0));
    // Its other threads too, and the signal on its way here.
    Atomics.wait(still, 0, 0, 300);
  };
  const write = (line: string) => {
    const { msg, pid, jobId } = JSON.parse(line);
    if (msg === 'begun') pids.set(jobId, pid);
    if (msg !== 'last words') return;
    // The loop is at what the first has said, and has its exit to see yet: now the second speaks and ends.
    writeFileSync(second, '');
    blockUntilEnded(later.id);
  };
  const wide = await new JobProcessor({
    engine: 'memory',
    jobs: { lastWords },
    logger: pino({}, { write }),
  }).start();
  const job = await wide.submit('lastWords', { until: first, words: true });
  const later = await wide.submit('lastWords', { until: second, words: false });
  while (pids.size < 2) await wait(10);
  writeFileSync(first, '');
  blockUntilEnded(job.id);
  expect(await Promise.all([job.result(), later.result()])).toEqual(['done', 'done']);
  await wide.stop();
});

test('an app that was started with --eval and other flags does not run itself again in its jobs', () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const script = `
    const { JobProcessor } = await import('${root}src/index.ts');
    const { default: ways } = await import('${root}test/fixtures/ways.ts');
    const jobs = { ways, thread: { ...ways, isolation: 'thread' } };
    const processor = await new JobProcessor({ engine: 'memory', jobs }).start();
    for (const name of ['ways', 'thread'])
      console.log('result', await (await processor.submit(name, 'return')).result());
    await processor.stop();
  `;
  const said = execFileSync(
    process.execPath,
    ['--max-http-header-size', '16384', '--input-type=module', '--eval', script],
    {
      encoding: 'utf8',
    },
  );
  expect(said.match(/result/g)).toHaveLength(2);
});
