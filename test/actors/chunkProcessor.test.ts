// The child actor of a job with the attempt in our hands: what it reports, and what it no longer reports.

import { beforeEach, expect, test } from 'vitest';
import { createActor, setup } from 'xstate';
import type { AttemptHandle, AttemptPort, Launch } from '../../src/actors/attempt.ts';
import { createChunkProcessor, type LiveAttempt } from '../../src/actors/chunkProcessor.ts';
import { type Engine, type ProcessGroup, StaleAttemptError } from '../../src/engines/engine.ts';
import type { AttemptCommand } from '../../src/machines/jobMessages.ts';
import { SimulatedClock, settle } from '../../src/testing/simulatedClock.ts';
import { type CapturedLog, capturedLog } from '../support/capturedLog.ts';

let clock: SimulatedClock;
let heard: unknown[];
let lived: number;
let failures: unknown[];
let port: AttemptPort;
let told: string[];
/** What its host is told of its life. */
let life: unknown[];
/** The checkpoints that the engine was asked to store. */
let asked: unknown[];
let log: CapturedLog;
/** How the engine answers a checkpoint. */
let checkpoint: () => Promise<void>;

const handle: AttemptHandle = {
  ask: (reason) => told.push(`ask ${reason}`),
  terminate: () => told.push('terminate'),
  kill: () => told.push('kill'),
  retime() {},
  renew() {},
};
const runs: Launch = (_, given) => {
  port = given;
  return handle;
};

/** As the real clock, it takes only what it gave. */
class StrictClock extends SimulatedClock {
  override clearTimeout(timer: unknown): void {
    if (timer === null) expect.unreachable();
    super.clearTimeout(timer);
  }
}

beforeEach(() => {
  clock = new StrictClock();
  heard = [];
  failures = [];
  told = [];
  life = [];
  asked = [];
  log = capturedLog();
  lived = 0;
  checkpoint = async () => {};
});

/** In the place of a job's chart. */
function begin(launch = runs) {
  const live = {
    start: { jobId: 'job', chunksDone: 4 },
    launch,
    launched: (given: AttemptHandle) => life.push(given),
    started: (group: ProcessGroup) => told.push(`started ${group.pid}`),
    lived: () => (lived += 1),
    progressed: (items: number) => life.push(`progressed ${items}`),
    counted: (total: number) => told.push(`counted ${total}`),
    over: () => life.push('over'),
    log: log.logger,
  } as unknown as LiveAttempt;
  const engine = {
    checkpoint(given: Parameters<Engine['checkpoint']>[0]) {
      asked.push(given);
      return checkpoint();
    },
  } as unknown as Engine;
  const attempt = createChunkProcessor(
    engine,
    clock,
    () => live,
    (error) => failures.push(error),
  );
  const job = createActor(
    setup({ actors: { attempt }, actions: { hear: ({ event }) => heard.push(event) } }).createMachine({
      invoke: { id: 'attempt', src: 'attempt', input: { token: 'token' } },
      on: { '*': { actions: 'hear' } },
    }),
  ).start();
  const command = (given: AttemptCommand) => job.getSnapshot().children.attempt?.send(given);
  return { job, command };
}

test('one that its watchdog ended before its lease was has lost it', async () => {
  begin();
  port.lapsed();
  expect(heard).toEqual([{ type: 'lease.lost' }]);
});

test('an attempt that cannot be started has failed', async () => {
  const { command } = begin(() => {
    throw new Error('spawn E2BIG');
  });
  // There is nothing to be ended.
  for (const type of ['stop.terminate', 'stop.kill'] as const) command({ type });
  command({ type: 'stop.ask', intent: { kind: 'handBack' } });
  await settle();
  expect(heard).toMatchObject([
    { type: 'attempt.ended', outcome: { kind: 'failed', failure: { message: 'spawn E2BIG' } } },
  ]);
});

test('its host gets what ends it as soon as it runs, and its slot when it is over', () => {
  begin();
  expect(life).toEqual([handle]);
  port.ended({ kind: 'completed', result: '7' });
  port.ended({ kind: 'completed', result: '7' });
  expect(life).toEqual([handle, 'over']);
  // Nobody asked it to end: it took no time to.
  expect(heard).toEqual([
    {
      type: 'attempt.ended',
      outcome: { kind: 'completed', result: '7' },
      at: clock.now(),
      stopSeconds: null,
    },
  ]);
  expect(log.lines).toEqual([]);
});

test('each checkpoint is of the next chunk after those of earlier attempts, with the total of then', async () => {
  begin();
  await port.checkpoint('1', ['{}'], 2);
  port.total(3);
  await port.checkpoint('2', [], 1);
  const common = { id: 'job', token: 'token' };
  expect(asked).toEqual([
    { ...common, chunk: 5, checkpoint: '1', rows: ['{}'], items: 2, total: null },
    { ...common, chunk: 6, checkpoint: '2', rows: [], items: 1, total: 3 },
  ]);
  expect(life).toEqual([handle, 'progressed 2', 'progressed 1']);
  expect(heard).toEqual([{ type: 'chunk.completed' }, { type: 'chunk.completed' }]);
});

test('its end is told once, with what it took since the first command to end', async () => {
  const { command } = begin();
  await clock.advance(5);
  command({ type: 'stop.ask', intent: { kind: 'cancel', reason: null } });
  await clock.advance(2);
  for (const type of ['stop.terminate', 'stop.kill'] as const) command({ type });
  port.ended({ kind: 'stopped' }, { signal: 'SIGKILL' });
  port.ended({ kind: 'completed', result: '7' });
  expect(told).toEqual(['ask cancel', 'terminate', 'kill']);
  expect(heard).toEqual([
    {
      type: 'attempt.ended',
      outcome: { kind: 'stopped' },
      at: clock.now(),
      stopSeconds: 2,
      signal: 'SIGKILL',
    },
  ]);
});

test('what it says of itself is passed on', () => {
  begin();
  port.started({ boot: 'boot', pid: 7, startedAt: '1' });
  port.total(3);
  port.acknowledged();
  expect(told).toEqual(['started 7', 'counted 3']);
  expect(heard).toEqual([{ type: 'attempt.acknowledged' }]);
});

test('what its watchdog found is a timeout of the job', () => {
  begin();
  port.expired('progress');
  expect(heard).toEqual([{ type: 'job.timeOut', kind: 'progress', by: 'watchdog' }]);
});

test('signs of life that come close together are two: the first, and the last', async () => {
  begin();
  for (let beats = 0; beats < 5; beats += 1) port.heartbeat();
  expect(lived).toBe(1);
  expect(heard).toEqual([{ type: 'chunk.heartbeat' }]);
  await clock.advance(0.019);
  expect(lived).toBe(1);
  await clock.advance(0.001);
  expect(lived).toBe(2);
  // As far from the last one as a sign of life may be: passed on at once.
  await clock.advance(0.02);
  port.heartbeat();
  expect(lived).toBe(3);
  port.heartbeat();
  expect(lived).toBe(3);
  await clock.advance(1);
  expect(lived).toBe(4);
});

test('the last of its signs of life is not told after its end', async () => {
  begin();
  port.heartbeat();
  port.heartbeat();
  port.ended({ kind: 'completed', result: '7' });
  expect(clock.pending).toBe(0);
  await clock.advance(1);
  expect(lived).toBe(1);
});

test('nor after that of its chart', async () => {
  const { job } = begin();
  port.heartbeat();
  port.heartbeat();
  job.stop();
  expect(clock.pending).toBe(0);
});

test('no sign of life follows the end', async () => {
  const { job } = begin();
  port.heartbeat();
  port.heartbeat();
  port.ended({ kind: 'completed', result: '7' });
  job.stop();
  port.heartbeat();
  port.acknowledged();
  await clock.advance(1);
  expect(lived).toBe(1);
  expect(heard.at(-1)).toMatchObject({ type: 'attempt.ended' });
  expect(clock.pending).toBe(0);
});

test('a checkpoint is asked for again each second until the engine answers', async () => {
  begin();
  checkpoint = () => Promise.reject(new Error('disk full'));
  const saved = port.checkpoint('1', [], 1);
  await clock.advance(2.5);
  expect(failures).toHaveLength(3);
  expect(log.lines).toEqual(Array(3).fill('WARN: checkpoint refused: disk full'));
  expect(log.records[0]?.err).toMatchObject({ message: 'disk full' });
  checkpoint = async () => {};
  await clock.advance(1);
  await saved;
  expect(heard).toEqual([{ type: 'chunk.completed' }]);
});

test('a checkpoint of an attempt that is no longer the job’s own is refused, and says that its lease is lost', async () => {
  begin();
  checkpoint = () => Promise.reject(new StaleAttemptError('job', 'checkpoint'));
  await expect(port.checkpoint('1', [], 1)).rejects.toThrow(StaleAttemptError);
  expect(heard).toEqual([{ type: 'lease.lost' }]);
  expect(failures).toEqual([]);
});

test('nothing is taken once it could not be proven ended, and its end is heard', async () => {
  const { command } = begin();
  command({ type: 'stop.refuse' });
  for (let beats = 0; beats < 3; beats += 1) port.heartbeat();
  await expect(port.checkpoint('1', [], 1)).rejects.toThrow(new StaleAttemptError('job', 'checkpoint'));
  port.ended({ kind: 'completed', result: '7' });
  expect(lived).toBe(0);
  expect(asked).toEqual([]);
  expect(heard).toMatchObject([{ type: 'attempt.ended' }]);
  // Each is told, the sign of life once: it may go on for ever.
  expect(log.lines).toEqual([
    'WARN: late heartbeat refused',
    'WARN: late checkpoint refused',
    'WARN: late result refused: completed',
  ]);
  expect(log.records.at(-1)).toMatchObject({ outcome: 'completed' });
});

test('a checkpoint that still waits for the engine when its job is over is given up', async () => {
  const { job } = begin();
  checkpoint = () => Promise.reject(new Error('disk full'));
  const saved = expect(port.checkpoint('1', [], 1)).rejects.toThrow(StaleAttemptError);
  await settle();
  job.stop();
  await clock.advance(2);
  await saved;
  expect(asked).toHaveLength(1);
});

test('one whose engine fails after its job is over is not asked for again', async () => {
  const { job } = begin();
  const { promise, reject } = Promise.withResolvers<void>();
  checkpoint = () => promise;
  const saved = expect(port.checkpoint('1', [], 1)).rejects.toThrow('disk full');
  job.stop();
  reject(new Error('disk full'));
  await saved;
  expect(failures).toHaveLength(1);
  expect(clock.pending).toBe(0);
});
