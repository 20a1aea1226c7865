// What a host makes of a child's words and of its end, with the child in our hands: each end is told once, as what it was.

import { type Logger, pino } from 'pino';
import { beforeEach, expect, test, vi } from 'vitest';
import type { AttemptPort, AttemptSpec } from '../../src/actors/attempt.ts';
import type { ChildListener } from '../../src/actors/isolation/child.ts';
import { type Keeper, runInChild } from '../../src/actors/isolation/isolatedAttempt.ts';
import type { ChildMessage } from '../../src/actors/isolation/protocol.ts';
import { capturedLog } from '../support/capturedLog.ts';
import { FakeChild } from './fakeChild.ts';

let told: unknown[];
let log: ReturnType<typeof capturedLog>;
let child: FakeChild;
/** How what tells of its processes is stored. */
let started: () => Promise<void>;
/** How its checkpoints end. */
let checkpoint: () => Promise<void>;

beforeEach(() => {
  told = [];
  log = capturedLog();
  child = new FakeChild();
  started = async () => {};
  checkpoint = async () => {};
});

const port: AttemptPort = {
  started: (group) => {
    told.push({ group });
    return started();
  },
  heartbeat: () => told.push('heartbeat'),
  acknowledged: () => told.push('acknowledged'),
  total: (items) => told.push({ items }),
  checkpoint: () => checkpoint(),
  expired: (kind) => told.push({ expired: kind }),
  lapsed: () => told.push('lapsed'),
  ended: (outcome, exit) => told.push({ ...outcome, ...exit }),
};

function run(keeper: Partial<Keeper> = {}, logger = log.logger) {
  const spec = {
    start: {},
    module: 'file:///job.js',
    beatMs: 1000,
    limits: { jobMs: 1 },
    endBy: Infinity,
    reuse: true,
    log: logger,
  } as unknown as AttemptSpec;
  const handle = runInChild(child, spec, port, { rested: () => told.push('rested'), ...keeper });
  return { handle, spec, listener: child.listener as ChildListener };
}

test.each([
  [
    { exitCode: 3 },
    {
      name: 'JobExitError',
      message: "the job's process exited with code 3 before the job was done",
      code: 'ERR_UNSTUCK_JOB_EXIT',
    },
  ],
  [
    { signal: 'SIGSEGV' },
    {
      name: 'JobExitError',
      message: "the job's process was ended by SIGSEGV before the job was done",
      code: 'ERR_UNSTUCK_JOB_EXIT',
    },
  ],
  [{ failure: { name: 'Error', message: 'spawn ENOENT' } }, { name: 'Error', message: 'spawn ENOENT' }],
  [
    { signal: 'SIGKILL', word: { cause: 'memory', usedMb: 70, limitMb: 64 } as const },
    {
      name: 'MemoryLimitError',
      message: "the job's process used 70 MB of memory, its memoryLimitMb is 64",
      code: 'ERR_UNSTUCK_MEMORY_LIMIT',
    },
  ],
])('a child that ends with %o and no outcome has failed', (exit, failure) => {
  run().listener.ended(exit);
  const { exitCode, signal } = exit as { exitCode?: number; signal?: string };
  // What is not known of its end is not there at all.
  const known = {
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(signal === undefined ? {} : { signal }),
  };
  expect(told).toStrictEqual([{ kind: 'failed', failure, ...known }]);
});

const start = {
  ...{ type: 'start', module: 'file:///job.js', beatMs: 1000, logLevel: 'debug', stays: true, attempt: {} },
};

test('it is held, watched within its limits, and told what to run once its processes can be found', async () => {
  child.group = { boot: 'boot', pid: 7, startedAt: '1' };
  const { promise, resolve } = Promise.withResolvers<void>();
  started = () => promise;
  const { spec } = run();
  expect(told).toEqual([{ group: child.group }]);
  expect([child.holds, child.watched]).toEqual([true, { jobMs: 1 }]);
  await null;
  expect(child.done).toEqual([]);
  // Its timeouts were changed meanwhile.
  spec.beatMs = 500;
  resolve();
  await promise;
  expect(child.done).toEqual([{ ...start, beatMs: 500 }]);
});

test('asked to stop before it may begin, it begins with that', async () => {
  child.group = { boot: 'boot', pid: 7, startedAt: '1' };
  const { promise, resolve } = Promise.withResolvers<void>();
  started = () => promise;
  const { handle } = run();
  handle.ask('cancel');
  expect(child.done).toEqual([]);
  resolve();
  await promise;
  expect(child.done).toEqual([start, { type: 'ask', reason: 'cancel' }]);
});

test.each(['kill', 'terminate', 'ended'] as const)('%s before it may begin, it never does', async (how) => {
  child.group = { boot: 'boot', pid: 7, startedAt: '1' };
  const { promise, resolve } = Promise.withResolvers<void>();
  started = () => promise;
  const { handle, listener } = run();
  if (how === 'ended') listener.ended({ exitCode: 1 });
  else handle[how]();
  resolve();
  await promise;
  expect(child.done).not.toContainEqual(start);
});

test('its watchdog is told when to end it, and each time that is put off; not where it never is', () => {
  const { spec, handle } = run();
  handle.renew();
  expect(child.done).toEqual([start]);
  spec.endBy = 5000;
  handle.renew();
  expect(child.done.at(-1)).toEqual({ endBy: 5000 });
  const known = child.done.length;
  runInChild(child, spec, port, { rested() {} });
  expect(child.done[known]).toEqual({ endBy: 5000 });
});

test('one that was ended before its lease was says so, and not which timeout', () => {
  run().listener.ended({ signal: 'SIGKILL', word: { cause: 'lease' } });
  expect(told).toMatchObject(['lapsed', { kind: 'failed', signal: 'SIGKILL' }]);
});

test('one that is heard of has begun: its end is its attempt’s', () => {
  const unborn = () => told.push('unborn');
  const { listener } = run({ unborn });
  listener.message({ type: 'heartbeat' });
  listener.ended({ exitCode: 1 });
  expect(told).toMatchObject(['heartbeat', { kind: 'failed', exitCode: 1 }]);
});

test('what an attempt before it left behind is no sign that it has begun', () => {
  const { listener } = run({ unborn: () => told.push('unborn') });
  listener.message({ type: 'output', stream: 'stdout', line: 'left behind' });
  listener.ended({ exitCode: 1 });
  expect(told).toEqual(['unborn']);
});

test('each command reaches the child', () => {
  const { handle, listener } = run();
  handle.ask('cancel');
  expect(child.done.at(-1)).toEqual({ type: 'ask', reason: 'cancel' });
  // It was only asked: it is still heard.
  listener.message({ type: 'acknowledged' });
  expect(told).toEqual(['acknowledged']);
  handle.terminate();
  expect(child.done.at(-1)).toBe('terminate');
  handle.kill();
  expect(child.done.at(-1)).toBe('kill');
});

test('what its watchdog killed it for is told before its end', () => {
  run().listener.ended({ signal: 'SIGKILL', word: { cause: 'progress' } });
  expect(told).toMatchObject([{ expired: 'progress' }, { kind: 'failed', signal: 'SIGKILL' }]);
});

test('one that was gone before it was heard of is the keeper’s; one that broke is not, nor one that was told to end', () => {
  const unborn = () => told.push('unborn');
  run({ unborn }).listener.ended({ exitCode: 1 });
  run({ unborn }).listener.ended({ failure: { name: 'Error', message: 'spawn ENOENT' } });
  for (const command of ['ask', 'terminate', 'kill'] as const) {
    const { handle, listener } = run({ unborn });
    handle[command]('cancel');
    listener.ended({ exitCode: 1 });
  }
  expect(told).toMatchObject(['unborn', ...Array(4).fill({ kind: 'failed' })]);
});

test('after its end nothing of it is heard, nor is its child told anything', () => {
  const { handle, spec, listener } = run();
  listener.message({ type: 'completed', result: '7', stays: true });
  expect(told).toEqual([{ kind: 'completed', result: '7' }, 'rested']);
  const before = child.done.length;
  handle.ask('cancel');
  handle.terminate();
  handle.kill();
  handle.retime();
  spec.endBy = 1;
  handle.renew();
  listener.message({ type: 'heartbeat' });
  listener.ended({ exitCode: 0 });
  expect(told).toHaveLength(2);
  expect(child.done).toHaveLength(before);
});

test.each(['terminate', 'kill'] as const)('after %s, what it still says is not heard', (command) => {
  const { handle, listener } = run();
  handle[command]();
  listener.message({ type: 'completed', result: '7', stays: false });
  listener.ended({ signal: 'SIGTERM' });
  expect(told).toMatchObject([{ kind: 'failed' }]);
});

test('a child that does not leave after its last word is ended, and its attempt ended as it said', () => {
  vi.useFakeTimers();
  try {
    const { listener } = run();
    listener.message({ type: 'failed', failure: { name: 'Error', message: 'as planned' }, stays: false });
    vi.advanceTimersByTime(1999);
    expect(child.done).not.toContain('kill');
    vi.advanceTimersByTime(1);
    expect(child.done.at(-1)).toBe('kill');
    listener.ended({ signal: 'SIGKILL' });
    expect(told).toMatchObject([{ kind: 'failed', failure: { message: 'as planned' }, signal: 'SIGKILL' }]);
  } finally {
    vi.useRealTimers();
  }
});

test('one that leaves in time is not ended', () => {
  vi.useFakeTimers();
  try {
    const { listener } = run();
    listener.message({ type: 'completed', result: '7', stays: false });
    expect(told).toEqual([]);
    listener.ended({ exitCode: 0 });
    expect(told).toEqual([{ kind: 'completed', result: '7', exitCode: 0 }]);
    expect(vi.getTimerCount()).toBe(0);
    expect(child.done).not.toContain('kill');
  } finally {
    vi.useRealTimers();
  }
});

test('one that stays is watched no more, and is no longer to be ended', () => {
  const { listener } = run();
  listener.message({ type: 'completed', result: '7', stays: true });
  expect(child.watched).toBeNull();
  expect(child.done).not.toContain('kill');
});

test('a child that another process was left in is not used again', () => {
  const { listener } = run();
  child.isCleanNow = false;
  listener.message({ type: 'completed', result: '7', stays: true });
  expect(child.done.at(-1)).toBe('kill');
  listener.ended({ signal: 'SIGKILL' });
  expect(told).toEqual([{ kind: 'completed', result: '7', signal: 'SIGKILL' }]);
});

test('other limits and another pace go to the child', () => {
  const { handle } = run();
  handle.retime();
  expect(child.done.slice(-2)).toEqual([{ rewatch: { jobMs: 1 } }, { type: 'pace', beatMs: 1000 }]);
});

test('what it says is passed on', () => {
  const { listener } = run();
  const messages: ChildMessage[] = [
    { type: 'heartbeat' },
    { type: 'acknowledged' },
    { type: 'total', items: 3 },
    { type: 'output', stream: 'stdout', line: 'out' },
    { type: 'output', stream: 'stderr', line: 'error' },
    { type: 'log', line: '{"level":40,"msg":"careful","rows":3}' },
    { type: 'log', line: '{"level":35,"msg":"of a level that the host does not have"}' },
  ];
  for (const message of messages) listener.message(message);
  listener.output('stdout', 'piped');
  listener.output('stderr', 'piped error');
  expect(told).toEqual(['heartbeat', 'acknowledged', { items: 3 }]);
  expect(log.lines).toEqual([
    'INFO: out',
    'WARN: error',
    'WARN: careful',
    'INFO: of a level that the host does not have',
    'INFO: piped',
    'WARN: piped error',
  ]);
  expect(log.records[2]).toMatchObject({ rows: 3 });
  const streams = log.records.map(({ stream }) => stream);
  expect(streams).toEqual(['stdout', 'stderr', undefined, undefined, 'stdout', 'stderr']);
});

test('it hears how its checkpoint ended', async () => {
  const { listener } = run();
  const message: ChildMessage = { type: 'checkpoint', checkpoint: '1', rows: [], items: 1 };
  listener.message(message);
  checkpoint = () => Promise.reject(new Error('stale'));
  listener.message(message);
  await new Promise(setImmediate);
  expect(child.done.slice(-2)).toEqual([
    { type: 'checkpoint.saved', error: null },
    { type: 'checkpoint.saved', error: 'stale' },
  ]);
});

test('a logger whose level is none of pino’s own has its child log as `info`', () => {
  run();
  run({}, pino({ level: 'loud', customLevels: { loud: 70 } }) as unknown as Logger);
  run({}, pino({ level: 'silent' }));
  const starts = child.done.filter((did) => (did as { type?: string }).type === 'start');
  expect(starts).toMatchObject([{ logLevel: 'debug' }, { logLevel: 'info' }, { logLevel: 'silent' }]);
});
