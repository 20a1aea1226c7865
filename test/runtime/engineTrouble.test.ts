// An engine that does not answer for a while: processors wait, say so, go on; nothing is lost or run twice.

import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Clock } from '../../src/engines/clock.ts';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { defineChunkedJob, defineJob, JobProcessor } from '../../src/index.ts';
import { SimulatedClock, settle } from '../../src/testing/simulatedClock.ts';
import { type CapturedLog, capturedLog } from '../support/capturedLog.ts';

type Call = 'open' | 'claim' | 'checkpoint' | 'settle' | 'beat';

/** Fails the calls that a test names, before they do anything, or loses their answers, after. */
class FailingEngine extends MemoryEngine {
  failing = new Set<Call>();
  losing = new Set<Call>();
  /** Holds back answers until a test resolves it. */
  late: Promise<void> | null = null;

  #maybeFail(call: Call): void {
    if (this.failing.has(call)) throw new Error(`${call}: no answer`);
  }
  #maybeLose(call: Call): void {
    if (this.losing.delete(call)) throw new Error(`${call}: the answer was lost`);
  }
  override async open(clock: Clock) {
    this.#maybeFail('open');
    await super.open(clock);
  }
  override async claim(claim: Parameters<MemoryEngine['claim']>[0]) {
    this.#maybeFail('claim');
    return super.claim(claim);
  }
  override async checkpoint(write: Parameters<MemoryEngine['checkpoint']>[0]) {
    this.#maybeFail('checkpoint');
    await super.checkpoint(write);
    this.#maybeLose('checkpoint');
  }
  override async settle(...args: Parameters<MemoryEngine['settle']>) {
    this.#maybeFail('settle');
    const settled = await super.settle(...args);
    this.#maybeLose('settle');
    await this.late;
    return settled;
  }
  override async beat(...args: Parameters<MemoryEngine['beat']>) {
    this.#maybeFail('beat');
    return super.beat(...args);
  }
}

let clock: SimulatedClock;
let engine: FailingEngine;
let log: CapturedLog;
let chunksRun: number[];
let finish: () => void;
const jobs = {
  failOnce: defineJob({
    run: (_: null, { attempt }) => {
      if (attempt === 1) throw new Error('the first time');
      return new Promise<string>((resolve) => {
        finish = () => resolve('done');
      });
    },
  }),
  wait: defineJob({
    run: (_: null) =>
      new Promise<string>((resolve) => {
        finish = () => resolve('done');
      }),
  }),
  listens: defineJob({
    run: (_: null, { signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  }),
  count: defineChunkedJob({
    start: 0,
    *chunks(input: number, { checkpoint }) {
      for (let n = checkpoint; n < input; n += 1) yield [n];
    },
    process([n = 0]) {
      chunksRun.push(n);
      return n + 1;
    },
  }),
};
let processor: JobProcessor<typeof jobs>;

beforeEach(async () => {
  clock = new SimulatedClock();
  engine = new FailingEngine();
  log = capturedLog();
  chunksRun = [];
  processor = new JobProcessor({ engine, jobs, clock, logger: log.logger, maxConcurrentJobs: 1 });
  await processor.start();
  await settle();
});
afterEach(async () => {
  engine.failing.clear();
  const stopped = processor.stop();
  await clock.advance(10);
  await stopped;
});

test('claims fail: the job waits, health says down, and it starts when the engine answers', async () => {
  engine.failing.add('claim');
  const job = await processor.submit('count', 2);
  await clock.advance(5);
  expect((await job.status()).state).toBe('queued');
  expect(await processor.health()).toEqual({
    status: 'down',
    reasons: ['the engine does not answer: claim: no answer'],
  });
  engine.failing.clear();
  await clock.advance(1);
  expect(await job.result()).toBe(2);
  expect((await processor.health()).status).toBe('ok');
});

test('checkpoints fail: the chunk is kept, not run again, and stored when the engine answers', async () => {
  engine.failing.add('checkpoint');
  const job = await processor.submit('count', 3);
  await clock.advance(5);
  expect(chunksRun).toEqual([0]);
  expect((await job.status()).progress.chunks).toBe(0);
  engine.failing.clear();
  await clock.advance(1);
  expect(await job.result()).toBe(3);
  expect(chunksRun).toEqual([0, 1, 2]);
});

test('settlements fail: the job is not called completed before it is stored, and is then', async () => {
  engine.failing.add('settle');
  const job = await processor.submit('count', 1);
  await clock.advance(5);
  expect((await job.status()).state).toBe('running');
  expect(chunksRun).toEqual([0]);
  engine.failing.clear();
  await clock.advance(1);
  expect((await job.status()).state).toBe('completed');
  expect(chunksRun).toEqual([0]);
});

test('beats fail for less than a lease: health says so, and the job goes on', async () => {
  const job = await processor.submit('wait', null);
  await settle();
  engine.failing.add('beat');
  await clock.advance(12);
  expect((await processor.health()).reasons).toEqual(['the engine does not answer: beat: no answer']);
  engine.failing.clear();
  await clock.advance(1);
  expect((await processor.health()).status).toBe('ok');
  expect((await job.status()).history.map(({ state }) => state)).toEqual(['queued', 'running']);
  finish();
  expect(await job.result()).toBe('done');
});

test('the answer to a checkpoint is lost: its chunk and rows are there once', async () => {
  engine.losing.add('checkpoint');
  const job = await processor.submit('count', 2);
  await clock.advance(5);
  expect(await job.result()).toBe(2);
  expect((await job.status()).progress).toMatchObject({ chunks: 2, items: 2 });
  expect(chunksRun).toEqual([0, 1]);
});

test('the answer to a settlement is lost: the old attempt does not end its successor', async () => {
  const job = await processor.submit('failOnce', null, { retry: { maxAttempts: 2 } });
  engine.losing.add('settle');
  await clock.advance(5);
  expect((await job.status()).history.map(({ state }) => state)).toEqual([
    'queued',
    'running',
    'retrying',
    'running',
  ]);
  finish();
  expect(await job.result()).toBe('done');
});

test('the answer to a settlement is late: status and updates show the stored row, and the successor as itself', async () => {
  const late = Promise.withResolvers<void>();
  engine.late = late.promise;
  const job = await processor.submit('failOnce', null, { retry: { maxAttempts: 2 } });
  const updates = (async () => {
    const seen = [];
    for await (const { state } of job.updates()) seen.push(state);
    return seen;
  })();
  await clock.advance(5);
  expect(await job.status()).toMatchObject({ state: 'running', attempt: 2, failure: null });
  finish();
  await settle();
  expect((await updates).at(-1)).toBe('completed');
  expect(await job.status()).toMatchObject({ state: 'completed', attempt: 2 });
  late.resolve();
});

test('a claim that is under way when the processor stops: what it brings is handed back', async () => {
  const answer = Promise.withResolvers<void>();
  const claim = engine.claim.bind(engine);
  engine.claim = async (wanted) => {
    await answer.promise;
    return claim(wanted);
  };
  const job = await processor.submit('wait', null);
  await settle();
  const ended = processor.stop();
  await clock.advance(1);
  const states: string[] = [];
  processor.on('queued', ({ id }) => states.push(id));
  answer.resolve();
  await clock.advance(10);
  await ended;
  expect(states).toEqual([job.id]);
});

test('a stop does not wait for ever: what ended and could not be stored is left to the next start, and said', async () => {
  const job = await processor.submit('wait', null);
  await settle();
  engine.failing.add('settle');
  finish();
  await clock.advance(2);
  const stopped = processor.stop();
  let isStopped = false;
  stopped.then(() => {
    isStopped = true;
  });
  await clock.advance(4);
  expect(isStopped).toBe(false);
  await clock.advance(2);
  await stopped;
  expect(log.lines).toContain(
    'ERROR: stopped while the engine does not answer: 1 job(s) have ended, and it is not stored; they go on at the next start',
  );
  expect(clock.pending).toBe(0);
  engine.failing.clear();
  processor = await new JobProcessor({
    engine,
    jobs,
    clock,
    logger: log.logger,
    maxConcurrentJobs: 1,
  }).start();
  // After its lease.
  await clock.advance(20);
  const again = await processor.get(job.id);
  expect(await again.status()).toMatchObject({ state: 'running', attempt: 1 });
  finish();
});

test('jobs are removed when they have been over for as long as they are kept', async () => {
  const kept = { keepCompletedSeconds: 1000, keepFailedSeconds: Infinity };
  await processor.stop();
  processor = await new JobProcessor({ engine, jobs, clock, logger: log.logger, ...kept }).start();
  const completed = await processor.submit('count', 1);
  const failed = await processor.submit('failOnce', null);
  await clock.advance(960);
  expect(await processor.counts()).toMatchObject({ completed: 1, failed: 1 });
  expect((await completed.status()).state).toBe('completed');
  await clock.advance(120);
  expect(await processor.counts()).toMatchObject({ completed: 0, failed: 1 });
  await expect(completed.status()).rejects.toThrow(
    `job ${completed.id}: expected a job of this engine, found none.`,
  );
  expect((await failed.status()).state).toBe('failed');
});

test('an engine that was not there at first is opened by the next who needs it, and one that never was keeps no stop', async () => {
  const late = new FailingEngine();
  const open = () => new JobProcessor({ engine: late, jobs, clock, logger: log.logger });
  const [first, second] = [open(), open()];
  late.failing.add('open');
  await expect(first.start()).rejects.toThrow('open: no answer');
  await expect(first.submit('count', 2)).rejects.toThrow('open: no answer');
  await expect(second.submit('count', 2)).rejects.toThrow('open: no answer');
  await second.stop();
  late.failing.clear();
  await first.start();
  expect(await (await first.submit('count', 2)).result()).toBe(2);
  await first.stop();
});

test('a processor without work drains and stops', async () => {
  await processor.drain();
  await processor.stop();
});

test('an attempt whose lease is lost is asked to stop, though no rung came before the last', async () => {
  const job = await processor.submit('listens', null);
  await settle();
  const { token } = (await engine.get(job.id)) as { token: string };
  await engine.adopt(job.id, token, 'another', 60_000);
  await clock.advance(2);
  expect(processor.activeJobs.size).toBe(0);
  expect(await processor.health()).toEqual({ status: 'ok', reasons: [] });
});

test('an attempt that lost its lease and does not end is known to be unconfirmed, and holds up no stop', async () => {
  const job = await processor.submit('wait', null);
  await settle();
  const { token } = (await engine.get(job.id)) as { token: string };
  await engine.adopt(job.id, token, 'another', 60_000);
  await clock.advance(8);
  expect((await processor.health()).reasons).toHaveLength(1);
  const stopped = processor.stop();
  await clock.advance(1);
  await stopped;
});
