// Pause and resume of a name on simulated time: what runs goes on, what waits still times out, and whoever looks sees it.

import { afterEach, beforeEach, expect, test } from 'vitest';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { ConfigurationError, defineJob, JobProcessor } from '../../src/index.ts';
import { SimulatedClock, settle } from '../../src/testing/simulatedClock.ts';
import { type CapturedLog, capturedLog } from '../support/capturedLog.ts';

let clock: SimulatedClock;
let engine: MemoryEngine;
let log: CapturedLog;
let ended: PromiseWithResolvers<void>;
let processors: { stop(): Promise<void> }[];

const jobs = {
  held: defineJob({ run: (_: null) => ended.promise }),
  quick: defineJob({ run: (input: number) => input }),
  failOnce: defineJob({
    run: (_: null, { attempt }) => {
      if (attempt === 1) throw new Error('the first time');
    },
  }),
};

function open(registry: Partial<typeof jobs> = jobs) {
  const logger = log.logger;
  const processor = new JobProcessor({ engine, jobs: registry as typeof jobs, clock, logger });
  processors.push(processor);
  return processor;
}

async function stopAll(): Promise<void> {
  const stopped = Promise.all(processors.splice(0).map((processor) => processor.stop()));
  await clock.advance(30);
  await stopped;
}

beforeEach(() => {
  clock = new SimulatedClock();
  engine = new MemoryEngine();
  log = capturedLog();
  ended = Promise.withResolvers();
  processors = [];
});
afterEach(async () => {
  ended.resolve();
  await stopAll();
  expect(clock.pending).toBe(0);
});

test('what runs of a paused name goes on, what comes waits, and others start', async () => {
  const processor = await open().start();
  const running = await processor.submit('held', null);
  await settle();
  await processor.pause('held');
  const waiting = await processor.submit('held', null, { priority: 9 });
  expect(await (await processor.submit('quick', 5)).result()).toBe(5);
  ended.resolve();
  await running.result();
  await clock.advance(3600);
  expect((await waiting.status()).state).toBe('queued');
  // To be the next for a slot is not to be resumed.
  await processor.startJob(waiting.id);
  await clock.advance(60);
  expect((await waiting.status()).state).toBe('queued');
  await processor.resume('held');
  await waiting.result();
});

test('a retry of a paused name waits too', async () => {
  const processor = await open().start();
  const backoff = { kind: 'fixed', seconds: 10 } as const;
  const job = await processor.submit('failOnce', null, { retry: { maxAttempts: 2, backoff } });
  await settle();
  expect((await job.status()).state).toBe('retrying');
  await processor.pause('failOnce');
  await clock.advance(600);
  expect((await job.status()).state).toBe('retrying');
  await processor.resume('failOnce');
  await job.result();
});

test('queue timeout and deadline of what waits still count', async () => {
  const processor = await open().start();
  await processor.pause('quick');
  const queued = await processor.submit('quick', 1, { queueTimeoutSeconds: 60 });
  const late = await processor.submit('quick', 1, { deadlineSeconds: 120 });
  await clock.advance(60);
  expect(await queued.status()).toMatchObject({ state: 'timedOut', timeout: 'queue' });
  expect((await late.status()).state).toBe('queued');
  await clock.advance(60);
  expect(await late.status()).toMatchObject({ state: 'timedOut', timeout: 'deadline' });
});

test('a schedule of a paused name ticks; by default the first of its jobs waits for the resume, and no others', async () => {
  const processor = await open().start();
  await processor.pause('quick');
  await processor.schedule('minutely', { name: 'quick', input: 1, cron: '* * * * *' });
  await clock.advance(300);
  expect(await processor.counts('quick')).toMatchObject({ queued: 1, completed: 0 });
  await processor.resume('quick');
  await clock.advance(0);
  expect(await processor.counts('quick')).toMatchObject({ queued: 0, completed: 1 });
});

test('it is seen: by paused(), in health, which stays ok, and in the log of each processor', async () => {
  const [processor, other] = [await open().start(), await open().start()];
  await clock.advance(0);
  expect(await processor.paused()).toEqual([]);
  await processor.pause('quick');
  await processor.pause('quick');
  await settle();
  for (const each of [processor, other]) {
    expect(await each.paused()).toEqual(['quick']);
    expect(await each.health()).toEqual({ status: 'ok', reasons: ['quick is paused'] });
  }
  await other.resume('quick');
  await settle();
  expect(await processor.health()).toEqual({ status: 'ok', reasons: [] });
  expect(log.lines.filter((line) => line.includes('quick'))).toEqual([
    'INFO: quick is paused: none of its jobs is started',
    'INFO: quick is paused: none of its jobs is started',
    'INFO: quick is resumed',
    'INFO: quick is resumed',
  ]);
});

test('it holds for a processor that starts later', async () => {
  await open().pause('quick');
  await stopAll();
  const processor = await open().start();
  const job = await processor.submit('quick', 1);
  await clock.advance(60);
  expect((await job.status()).state).toBe('queued');
  expect(await processor.health()).toMatchObject({ reasons: ['quick is paused'] });
});

test('a name that is unknown is refused, unless it was paused while it was known', async () => {
  const processor = open();
  for (const act of ['pause', 'resume'] as const) {
    const error = await processor[act]('qiuck' as 'quick').catch((reason) => reason);
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error.message).toBe('name: expected a job of the registry (held, quick, failOnce), got "qiuck".');
  }
  expect(await processor.paused()).toEqual([]);
  await processor.pause('quick');
  const newer = open({ held: jobs.held });
  await newer.resume('quick');
  expect(await newer.paused()).toEqual([]);
});
