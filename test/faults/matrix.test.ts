// The fault matrix: isolation × fault. Each cell asserts the final state, the recorded stop, and that nothing of
// the attempt is left in the process table. Cells in which the host itself is hit are in hosts.test.ts; all that
// is not promised is named in docs/guarantees.md. These wait on the wall clock: real code hangs, and is ended.

import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { JobProcessor, type JobSettings, type JobStatus } from '../../src/index.ts';
import { type CapturedLog, capturedLog } from '../support/capturedLog.ts';
import { children, isAlive } from '../support/processes.ts';
import faultyJob, { type Fault } from './faultyJob.ts';

const jobs = { process: faultyJob, thread: { ...faultyJob, isolation: 'thread' as const } };
type IsolationName = keyof typeof jobs;

interface Cell {
  settings?: JobSettings;
  expected: Partial<JobStatus> | object;
}

/** Each silence is noticed by the one timeout that is set; the others are far away. */
const silent: JobSettings = { heartbeatTimeoutSeconds: 2 };
const alive: JobSettings = { progressTimeoutSeconds: 2 };
const ended = { process: { signal: 'SIGTERM' }, thread: { exitCode: 1 } };

const stopped = (timeout: string, stop: object) => ({
  state: 'timedOut',
  timeout,
  stop: { confirmed: true, tookSeconds: expect.any(Number), ...stop },
  progress: { chunks: 1 },
});
const silentCell = (isolation: IsolationName): Cell => ({
  settings: silent,
  expected: stopped('heartbeat', { rung: 'terminate', ...ended[isolation] }),
});
const aliveCell = (isolation: IsolationName): Cell => ({
  settings: alive,
  expected: stopped('progress', { rung: 'terminate', ...ended[isolation] }),
});
const failed = (failure: object, settings?: JobSettings, chunks = 1): Cell => ({
  settings,
  expected: { state: 'failed', stop: null, failure, progress: { chunks } },
});
const completed: Cell = { expected: { state: 'completed', stop: null, progress: { chunks: 2 } } };
const message = (text: string) => ({ message: expect.stringContaining(text) });

const both = (isolation: IsolationName): Partial<Record<Fault, Cell>> => ({
  neverSettles: aliveCell(isolation),
  ignoresSignal: aliveCell(isolation),
  endlessLoop: silentCell(isolation),
  regularExpression: silentCell(isolation),
  microtasks: silentCell(isolation),
  atomicsWait: silentCell(isolation),
  wasmLoop: silentCell(isolation),
  exits: failed(message('exited with code 0 before the job was done')),
  throwsUncaught: failed(message('from a timer')),
  rejectsAfterCompletion: completed,
  resultIsNoJson: failed(message('result.made.by: expected JSON, got a function.'), {}, 2),
  resultIsHuge: failed(message('result: expected at most 10485760 bytes of JSON, got 200000002.'), {}, 2),
  printsWithoutEnd: completed,
  forges: aliveCell(isolation),
  beatsForEver: aliveCell(isolation),
});

const matrix: Record<IsolationName, Partial<Record<Fault, Cell>>> = {
  process: {
    ...both('process'),
    nativeCall: silentCell('process'),
    spawnSync: silentCell('process'),
    ignoresSigterm: { settings: alive, expected: stopped('progress', { rung: 'kill', signal: 'SIGKILL' }) },
    grandchildren: aliveCell('process'),
    closesItsChannel: silentCell('process'),
    stopsItself: { settings: silent, expected: stopped('heartbeat', { rung: 'kill', signal: 'SIGKILL' }) },
    exhaustsMemory: failed(
      { code: 'ERR_UNSTUCK_MEMORY_LIMIT', ...message('its memoryLimitMb is 256') },
      { memoryLimitMb: 256 },
    ),
    // Not promised: what left the group runs on. The attempt itself is ended.
    daemon: aliveCell('process'),
  },
  thread: {
    ...both('thread'),
    // A thread gets no signals, and its channel is not in its hands.
    ignoresSigterm: aliveCell('thread'),
    closesItsChannel: aliveCell('thread'),
    // Not promised: a thread's child processes are its host's.
    grandchildren: aliveCell('thread'),
    daemon: aliveCell('thread'),
  },
};
/** Cells whose process ids outlive the attempt, as guarantees.md says. */
const survive: Partial<Record<IsolationName, Fault[]>> = {
  process: ['daemon'],
  thread: ['daemon', 'grandchildren'],
};

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
    maxConcurrentJobs: 5,
    graceSeconds: 1,
  }).start();
});
afterAll(async () => {
  await processor.stop();
  expect(children()).toEqual(childrenBefore);
  expect(threads()).toBe(threadsBefore);
});

const cells = Object.entries(matrix).flatMap(([isolation, faults]) =>
  Object.entries(faults).map(
    ([fault, cell]) => [isolation as IsolationName, fault as Fault, cell as Cell] as const,
  ),
);

describe.concurrent('the fault matrix', () => {
  test.each(cells)('%s × %s', async (isolation, fault, { settings, expected }) => {
    const job = await processor.submit(isolation, fault, settings);
    await job.result().catch(() => {});
    const status = await job.status();
    expect(status).toMatchObject(expected);
    expect(processor.activeJobs.has(job.id)).toBe(false);

    const said = log.records.find(({ jobId, msg }) => jobId === job.id && msg === 'hanging');
    const [own, ...others] = (said?.pids as number[] | undefined) ?? [];
    if (settings !== undefined && status.state === 'timedOut') expect(own).toBeGreaterThan(0);
    if (own !== undefined && isolation === 'process') expect(isAlive(own)).toBe(false);
    const lives = survive[isolation]?.includes(fault) === true;
    for (const pid of others) {
      expect(isAlive(pid)).toBe(lives);
      if (lives) process.kill(pid, 'SIGKILL');
    }
  });
});

test('of a gigabyte of output a bounded part became log lines, and the job is told of the rest', async () => {
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
