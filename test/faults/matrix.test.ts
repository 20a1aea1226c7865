// The fault matrix: isolation × fault. Each cell asserts the final state, the recorded stop, and that nothing of
// the attempt is left in the process table. Cells in which the host itself is hit are in hosts.test.ts; all that
// is not promised is named in docs/guarantees.md. These wait on the wall clock: real code hangs, and is ended.

import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { JobProcessor, type JobSettings } from '../../src/index.ts';
import { type CapturedLog, capturedLog } from '../support/capturedLog.ts';
import { children, isAlive } from '../support/processes.ts';
import faultyJob, { type Fault } from './faultyJob.ts';
import { faultsWith, promises } from './promises.ts';

const jobs = { process: faultyJob, thread: { ...faultyJob, isolation: 'thread' as const } };
type IsolationName = keyof typeof jobs;

/** Faults whose event loop falls silent; the others stay alive, and make no progress. */
const silent: Record<IsolationName, readonly Fault[]> = {
  process: ['nativeCall', 'spawnSync', 'closesItsChannel', 'stopsItself'],
  thread: [],
};
const silentAnywhere: readonly Fault[] = [
  'endlessLoop',
  'regularExpression',
  'microtasks',
  'atomicsWait',
  'wasmLoop',
];
const deafToSigterm: readonly Fault[] = ['ignoresSigterm', 'stopsItself'];

const failures: Partial<Record<Fault, { message: string; code?: string; chunks: number }>> = {
  exits: { message: 'exited with code 0 before the job was done', chunks: 1 },
  throwsUncaught: { message: 'from a timer', chunks: 1 },
  exhaustsMemory: { message: 'its memoryLimitMb is 256', code: 'ERR_UNSTUCK_MEMORY_LIMIT', chunks: 1 },
  resultIsNoJson: { message: 'result.made.by: expected JSON, got a function.', chunks: 2 },
  resultIsHuge: { message: 'result: expected at most 10485760 bytes of JSON, got 200000002.', chunks: 2 },
};

function cellOf(isolation: IsolationName, fault: Fault): { settings: JobSettings; expected: object } {
  const outcome = promises[fault as keyof typeof promises][isolation];
  if (outcome === 'completed') {
    return { settings: {}, expected: { state: 'completed', stop: null, progress: { chunks: 2 } } };
  }
  if (outcome === 'failed') {
    const { message, code, chunks } = failures[fault] as NonNullable<(typeof failures)[Fault]>;
    const failure = { message: expect.stringContaining(message), ...(code === undefined ? {} : { code }) };
    return {
      settings: fault === 'exhaustsMemory' ? { memoryLimitMb: 256 } : {},
      expected: { state: 'failed', stop: null, failure, progress: { chunks } },
    };
  }
  const isSilent = silentAnywhere.includes(fault) || silent[isolation].includes(fault);
  const isDeaf = isolation === 'process' && deafToSigterm.includes(fault);
  const how =
    isolation === 'thread'
      ? { rung: 'terminate', exitCode: 1 }
      : isDeaf
        ? { rung: 'kill', signal: 'SIGKILL' }
        : { rung: 'terminate', signal: 'SIGTERM' };
  return {
    // What ends it is the one timeout that is set; the others are far away. Room for a busy machine to start.
    settings: isSilent ? { heartbeatTimeoutSeconds: 4 } : { progressTimeoutSeconds: 4 },
    expected: {
      state: 'timedOut',
      timeout: isSilent ? 'heartbeat' : 'progress',
      stop: { confirmed: true, tookSeconds: expect.any(Number), ...how },
      progress: { chunks: 1 },
    },
  };
}

let processor: JobProcessor<typeof jobs>;
let log: CapturedLog;
let childrenBefore: number[];
const threads = () => readdirSync('/proc/self/task').length;
let threadsBefore: number;

beforeAll(async () => {
  childrenBefore = children();
  log = capturedLog();
  // The first worker starts helper threads of Node that stay.
  const warm = await new JobProcessor({ engine: 'memory', jobs, logger: log.logger }).start();
  await (await warm.submit('thread', 'completes')).result();
  await warm.stop();
  threadsBefore = threads();
  processor = await new JobProcessor({
    engine: 'memory',
    jobs,
    logger: log.logger,
    maxConcurrentJobs: 10,
    graceSeconds: 1,
  }).start();
});
afterAll(async () => {
  await processor.stop();
  expect(children()).toEqual(childrenBefore);
  expect(threads()).toBe(threadsBefore);
});

const cells = (['process', 'thread'] as const).flatMap((isolation) =>
  faultsWith(isolation, 'ended', 'ended alone', 'failed', 'completed')
    // It needs a host that was started with a small heap: hosts.test.ts.
    .filter((fault) => fault !== 'exhaustsHeap')
    .map((fault) => [isolation, fault] as const),
);

describe.concurrent('the fault matrix', () => {
  test.each(cells)('%s × %s', async (isolation, fault) => {
    const { settings, expected } = cellOf(isolation, fault);
    const job = await processor.submit(isolation, fault, settings);
    await job.result().catch(() => {});
    const status = await job.status();
    expect(status).toMatchObject(expected);
    expect(processor.activeJobs.has(job.id)).toBe(false);

    const said = log.records.find(({ jobId, msg }) => jobId === job.id && msg === 'hanging');
    const [own = 0, ...others] = (said?.pids as number[] | undefined) ?? [];
    if (status.state !== 'timedOut') return;
    expect(own).toBeGreaterThan(0);
    if (isolation === 'process') expect(isAlive(own)).toBe(false);
    const runsOn = faultsWith(isolation, 'ended alone').includes(fault);
    if (runsOn) expect(others).not.toEqual([]);
    for (const pid of others) {
      expect(isAlive(pid)).toBe(runsOn);
      if (runsOn) process.kill(pid, 'SIGKILL');
    }
  });
});

test.each(faultsWith('thread', 'refused'))('thread × %s', async (fault) => {
  await expect(processor.submit('thread', fault, { memoryLimitMb: 256 })).rejects.toThrow(
    "memoryLimitMb: expected a job with isolation 'process', got one with 'thread'",
  );
});

test('of a gigabyte of output a bounded part became log lines, the last of which says so', async () => {
  for (const isolation of ['process', 'thread'] as const) {
    const job = await processor.submit(isolation, 'printsWithoutEnd');
    await job.result();
    // The pipe of a process may be read a little after its end.
    const lines = () =>
      log.records.filter(({ jobId, stream }) => jobId === job.id && stream === 'stdout') as { msg: string }[];
    while (!lines().some(({ msg }) => msg.includes('is dropped'))) await new Promise(setImmediate);
    expect(lines().reduce((bytes, { msg }) => bytes + msg.length, 0)).toBeLessThan(1.1 * 2 ** 20);
    expect(lines().at(-1)?.msg).toBe('output beyond 1048576 bytes is dropped');
  }
});

test('a million signs of life a second reach the host as a few', async () => {
  for (const isolation of ['process', 'thread'] as const) {
    const job = await processor.submit(isolation, 'beatsForEver', { progressTimeoutSeconds: 1.5 });
    const seen = new Set<number>();
    const watch = setInterval(() => {
      const at = processor.activeJobs.get(job.id)?.lastHeartbeat?.getTime();
      if (at !== undefined) seen.add(at);
    }, 1);
    await job.result().catch(() => {});
    clearInterval(watch);
    // Each 20 ms at most, in some 2 s.
    expect(seen.size).toBeGreaterThan(1);
    expect(seen.size).toBeLessThan(150);
  }
});
