// Jobs claimed ahead of the slots: with the SQLite engine, where a claim waits for a commit. None is lost, none is
// run twice, and none waits where it could run elsewhere.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ClaimAhead } from '../../src/actors/claimAhead.ts';
import type { Claim, Engine } from '../../src/engines/engine.ts';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { SqliteEngine } from '../../src/engines/sqlite/sqlite.ts';
import { defineJob, JobProcessor } from '../../src/index.ts';
import { SimulatedClock } from '../../src/testing/simulatedClock.ts';
import { plainJob } from '../engines/contract.ts';
import { poisonJobs } from '../fixtures/poisonHost.ts';
import { capturedLog } from '../support/capturedLog.ts';
import { SpawnedHost, wait } from '../support/spawnedHost.ts';

let folder: string;
let path: string;
let ran: number[];
let hold: PromiseWithResolvers<void>;
/** Stopped at the end of each test, however it ends. */
const opened: { stop(): Promise<void> }[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'unstuck-'));
  path = join(folder, 'jobs.db');
  ran = [];
  hold = Promise.withResolvers();
});
afterEach(async () => {
  hold.resolve();
  await Promise.all(opened.splice(0).map((processor) => processor.stop()));
  rmSync(folder, { recursive: true });
});

const jobs = {
  quick: defineJob({ run: (index: number) => void ran.push(index) }),
  slow: defineJob({ run: (_: null, { signal }) => Promise.race([hold.promise, aborted(signal)]) }),
};

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
}

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, index) => from + index);

function open(engine = new SqliteEngine({ path }), settings: { queueTimeoutSeconds?: number } = {}) {
  const logger = capturedLog().logger;
  const processor = new JobProcessor({ engine, jobs, logger, maxConcurrentJobs: 1, ...settings });
  opened.push(processor);
  return { engine, processor };
}

async function until(fits: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await fits())) await wait(10);
}

/** One slot held by `slow`, with `waiting` quick jobs behind it, some of them claimed ahead. */
async function heldWith(waiting: number) {
  const { engine, processor } = open();
  await processor.submitMany('quick', numbers(1000));
  await processor.start();
  await until(() => ran.length > 300);
  const slow = await processor.submit('slow', null, { priority: 1 });
  // Not only claimed: in the slot.
  await until(() => processor.activeJobs.has(slow.id));
  await processor.submitMany('quick', numbers(waiting, 1000));
  return { engine, processor, slow };
}

test('a slot does not wait for a commit: short jobs need far fewer transactions than there are jobs, in order', async () => {
  const { engine, processor } = open();
  await processor.submitMany('quick', numbers(2000));
  await processor.start();
  await until(() => ran.length >= 2000);
  await processor.stop();
  expect(ran).toEqual(numbers(2000));
  expect(engine.commits).toBeLessThan(500);
});

test('what is not started within a beat goes back to the queue, its attempt not used up', async () => {
  const { processor, slow } = await heldWith(50);
  const left = async () => {
    const states = [];
    for await (const { state } of processor.list({ name: 'quick', limit: 2000 })) states.push(state);
    return states.filter((state) => state !== 'completed');
  };
  await until(async () => (await left()).every((state) => state === 'queued'));
  expect((await left()).length).toBeGreaterThanOrEqual(50);
  hold.resolve();
  await slow.result();
  await until(() => ran.length >= 1050);
  await processor.stop();
  expect(ran.toSorted((a, b) => a - b)).toEqual(numbers(1050));
});

test('the file of a stopped processor has nothing running in it', async () => {
  const { processor } = await heldWith(50);
  await processor.stop();
  const { engine } = open();
  await engine.open((await import('../../src/actors/systemClock.ts')).systemClock);
  expect(await engine.count(['running', 'stopping'])).toBe(0);
  expect((await engine.count(['queued', 'completed'])) - 1).toBe(1050);
  await engine.close();
});

test('what waits for its slot goes back when its name is paused, and is not claimed again', async () => {
  const { processor, slow } = await heldWith(200);
  await processor.pause('quick');
  const started = ran.length;
  expect(await processor.counts('quick')).toMatchObject({ running: 0 });
  const queued = (await processor.counts('quick')).queued;
  expect(queued).toBeGreaterThanOrEqual(200);
  hold.resolve();
  await slow.result();
  // The slot is free, and was asked for.
  await (await processor.submit('slow', null)).result();
  expect(ran).toHaveLength(started);
  expect(await processor.counts('quick')).toMatchObject({ running: 0, queued });
  await processor.resume('quick');
  await until(() => ran.length >= 1200);
  await processor.stop();
  expect(ran.toSorted((a, b) => a - b)).toEqual(numbers(1200));
});

test('one that waits for its slot is cancelled without it', async () => {
  const { processor } = await heldWith(0);
  const found = [];
  for await (const job of processor.list({ state: 'running', limit: 2000 })) found.push(job);
  const ahead = found.find(({ name }) => name === 'quick');
  // It may have been handed back meanwhile; the end is the same.
  const id = ahead?.id ?? (await processor.submit('quick', 5000)).id;
  const status = await (await processor.get(id)).cancel('enough');
  expect(status).toMatchObject({ state: 'cancelled', reason: 'enough', attempt: 0 });
  await processor.stop();
});

test('a job that takes its host down is found out, and those claimed ahead of their slot are not blamed', async () => {
  const client = new JobProcessor({
    engine: `sqlite:${path}`,
    jobs: poisonJobs,
    logger: capturedLog().logger,
  });
  await client.submitMany('quick', numbers(400));
  const poison = await client.submit('poison', undefined);
  await client.submitMany('quick', numbers(400));
  const isOver = async () => {
    const { completed, failed } = await client.counts();
    return completed + failed === 801;
  };
  let deaths = 0;
  while (!(await isOver())) {
    await using host = new SpawnedHost(new URL('../fixtures/poisonHost.ts', import.meta.url), { path });
    while (host.process.signalCode === null && !(await isOver())) await wait(20);
    if (host.process.signalCode !== null) deaths += 1;
  }
  await expect(poison.result()).rejects.toThrow('its host ended 3 times while it ran');
  expect(await client.counts('quick')).toMatchObject({ completed: 800, failed: 0 });
  // The first may have come before it was known whether it ran.
  expect([3, 4]).toContain(deaths);
  await client.stop();
});

test('what waits for its slot times out in the queue like the rest', async () => {
  const { processor } = open(undefined, { queueTimeoutSeconds: 10 });
  await processor.submitMany('quick', numbers(3000));
  await processor.start();
  await until(() => ran.length > 300);
  const slow = await processor.submit('slow', null, { priority: 1, queueTimeoutSeconds: Infinity });
  await until(() => processor.activeJobs.has(slow.id));
  const done = ran.length;
  expect(done).toBeLessThan(3000);
  await until(async () => {
    const { completed, timedOut } = await processor.counts('quick');
    return completed + timedOut === 3000;
  });
  expect((await processor.counts('quick')).completed).toBe(done);
});

test('one that waits for its slot can be made the next', async () => {
  const { processor } = await heldWith(50);
  const waiting = [];
  for await (const job of processor.list({ name: 'quick', limit: 50 })) waiting.push(job.id);
  const id = waiting[0] as string;
  await processor.startJob(id);
  const queue = [];
  for await (const queued of processor.jobQueue) queue.push(queued);
  expect(queue[0]).toBe(id);
  await processor.stop();
});

test('where claims take longer than what is claimed ahead lasts, more is claimed ahead, and not ever less', async () => {
  const [engine, clock] = [new MemoryEngine(), new SimulatedClock()];
  await engine.open(clock);
  const claimMs = 150;
  const slow: Engine = Object.assign(Object.create(engine), {
    claim: async (claim: Claim) => {
      await new Promise<void>((resolve) => void clock.setTimeout(resolve, claimMs));
      return engine.claim(claim);
    },
  });
  await engine.submit(
    numbers(20_000).map((n) => ({
      ...plainJob,
      id: `${n}`,
      name: 'quick',
      input: '1',
      idempotencyKey: null,
    })),
  );
  const host = { refilled() {}, handBack: async () => {}, failed() {} };
  const ahead = new ClaimAhead(
    { engine: slow, clock, owner: 'me', names: ['quick'], limits: {}, leaseMs: 15_000, keptMs: 1000 },
    host,
  );
  let isOver = false;
  let ran = 0;
  const attempt = async () => {
    await new Promise<void>((resolve) => void clock.setTimeout(resolve, 5));
    ahead.attemptTook(5);
    ran += 1;
  };
  const working = (async () => {
    while (!isOver) {
      for (const _ of await ahead.claim(1)) await attempt();
      while (!isOver && ahead.next() !== null) await attempt();
    }
  })();
  await clock.advance(12);
  const before = ran;
  await clock.advance(1);
  // A slot that waits for no claim.
  expect(ran - before).toBeGreaterThan(160);
  isOver = true;
  await clock.advance(1);
  await working;
  await ahead.close();
});

test('a claim ahead that fails does not leave the slots idle', async () => {
  let isFailing = false;
  class Failing extends SqliteEngine {
    override async claim(claim: Parameters<SqliteEngine['claim']>[0]) {
      if (claim.limit > 0 || !isFailing) return super.claim(claim);
      throw new Error('no answer');
    }
  }
  const { processor } = open(new Failing({ path }));
  await processor.submitMany('quick', numbers(3000));
  await processor.start();
  await until(() => ran.length > 300);
  isFailing = true;
  await until(() => ran.length >= 3000);
  await processor.stop();
  // On a machine that stalls some are handed back, and come later.
  expect(ran.toSorted((a, b) => a - b)).toEqual(numbers(3000));
});

describe('with two processors on a file', () => {
  const flaky = defineJob({
    retry: { maxAttempts: 3 },
    run: async (_: null) => {
      await hold.promise;
      throw new Error('no');
    },
  });
  const waits = defineJob({
    run: (index: number, { signal }) => {
      ran.push(index);
      return Promise.race([hold.promise, aborted(signal)]);
    },
  });
  const processors = () => {
    const make = () => {
      const processor = new JobProcessor({
        engine: `sqlite:${path}`,
        jobs: { flaky, waits },
        logger: capturedLog().logger,
        monitorIntervalSeconds: 0.2,
      });
      opened.push(processor);
      return processor;
    };
    return [make(), make()] as const;
  };

  test('a cancel that meets a failing attempt ends the job: it is not retried, and waits for no lease', async () => {
    const [worker, client] = processors();
    await worker.start();
    const job = await client.submit('flaky', null);
    await until(async () => (await job.status()).state === 'running');
    const cancelled = job.cancel('enough');
    await until(async () => (await job.status()).state === 'stopping');
    hold.resolve();
    expect(await cancelled).toMatchObject({ state: 'cancelled', reason: 'enough', attempt: 1 });
    expect((await job.status()).history.map(({ state }) => state)).toEqual([
      'queued',
      'running',
      'stopping',
      'cancelled',
    ]);
    await Promise.all([worker.stop(), client.stop()]);
  });

  test('the thread of one ends: the other does not take its jobs', async () => {
    const thread = new Promise<Worker>((resolve) => process.once('worker', resolve));
    const [owner, other] = processors();
    await owner.start();
    const submitted = await owner.submitMany('waits', numbers(10));
    await until(() => ran.length === 10);
    await other.start();
    await (await thread).terminate();
    await wait(2000);
    hold.resolve();
    await Promise.all(submitted.map((job) => job.result()));
    expect(ran.toSorted((a, b) => a - b)).toEqual(numbers(10));
    await Promise.all([owner.stop(), other.stop()]);
  });
});
