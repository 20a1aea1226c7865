// The child actor of a job with the attempt in our hands: what it reports, and what it no longer reports.

import { pino } from 'pino';
import { beforeEach, expect, test } from 'vitest';
import { createActor, setup } from 'xstate';
import type { AttemptHandle, AttemptPort, Launch } from '../../src/actors/attempt.ts';
import { createChunkProcessor, type LiveAttempt } from '../../src/actors/chunkProcessor.ts';
import { type Engine, type ProcessGroup, StaleAttemptError } from '../../src/engines/engine.ts';
import type { AttemptCommand } from '../../src/machines/jobMessages.ts';
import { SimulatedClock, settle } from '../../src/testing/simulatedClock.ts';

let clock: SimulatedClock;
let heard: unknown[];
let lived: number;
let failures: unknown[];
let port: AttemptPort;
let told: string[];
/** How the engine answers a checkpoint. */
let checkpoint: () => Promise<void>;

const handle: AttemptHandle = {
  ask: (reason) => told.push(`ask ${reason}`),
  terminate: () => told.push('terminate'),
  kill: () => told.push('kill'),
  retime() {},
};
const runs: Launch = (_, given) => {
  port = given;
  return handle;
};

beforeEach(() => {
  clock = new SimulatedClock();
  heard = [];
  failures = [];
  told = [];
  lived = 0;
  checkpoint = async () => {};
});

/** In the place of a job's chart. */
function begin(launch = runs) {
  const live = {
    start: { jobId: 'job' },
    chunksDone: 0,
    launch,
    launched() {},
    started: (group: ProcessGroup) => told.push(`started ${group.pid}`),
    lived: () => (lived += 1),
    progressed() {},
    counted: (total: number) => told.push(`counted ${total}`),
    over() {},
    log: pino({ enabled: false }),
  } as unknown as LiveAttempt;
  const engine = { checkpoint: () => checkpoint() } as unknown as Engine;
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

test('its end is told once, with what it took since the first command to end', async () => {
  const { command } = begin();
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
  await clock.advance(1);
  expect(lived).toBe(2);
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
  port.heartbeat();
  port.heartbeat();
  await expect(port.checkpoint('1', [], 1)).rejects.toThrow(StaleAttemptError);
  port.ended({ kind: 'completed', result: '7' });
  expect(lived).toBe(0);
  expect(heard).toMatchObject([{ type: 'attempt.ended' }]);
});

test('a checkpoint that still waits for the engine when its job is over is given up', async () => {
  const { job } = begin();
  checkpoint = () => Promise.reject(new Error('disk full'));
  const saved = expect(port.checkpoint('1', [], 1)).rejects.toThrow(StaleAttemptError);
  await settle();
  job.stop();
  await clock.advance(2);
  await saved;
});
