// Limits as an app meets them: of a name, of a key, of a rate, and what is said of those that cannot be used.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { placesAPoint } from '../../src/engines/jobFacts.ts';
import { MemoryEngine } from '../../src/engines/memory.ts';
import {
  ConfigurationError,
  defineJob,
  JobProcessor,
  type Jobs,
  type ProcessorOptions,
} from '../../src/index.ts';
import type { Limits } from '../../src/runtime/limits.ts';
import { SimulatedClock } from '../../src/testing/simulatedClock.ts';

interface Load {
  alive: number;
  most: number;
  byKey: Map<string, number>;
  mostByKey: number;
  starts: number[];
}

/** A job that tells how many of it are alive, all in all and by its input. */
function counted(limits: Limits, now: () => number) {
  const load: Load = { alive: 0, most: 0, byKey: new Map(), mostByKey: 0, starts: [] };
  const ends: (() => void)[] = [];
  const job = defineJob({
    limits,
    run: async (key: string) => {
      load.alive += 1;
      load.most = Math.max(load.most, load.alive);
      const ofKey = (load.byKey.get(key) ?? 0) + 1;
      load.byKey.set(key, ofKey);
      load.mostByKey = Math.max(load.mostByKey, ofKey);
      load.starts.push(now());
      await new Promise<void>((resolve) => ends.push(resolve));
      load.alive -= 1;
      load.byKey.set(key, (load.byKey.get(key) as number) - 1);
    },
  });
  return { job, load, ends };
}

async function started<J extends Jobs>(jobs: J, more: Partial<ProcessorOptions<J>> = {}) {
  const clock = new SimulatedClock();
  const processor = new JobProcessor<J>({
    engine: 'memory',
    jobs,
    clock,
    logger: pino({ level: 'silent' }),
    ...more,
  });
  await processor.start();
  onTestFinished(async () => {
    const stopped = processor.stop();
    await clock.advance(30);
    await stopped;
  });
  return { clock, processor };
}

test('of a name with a concurrency no more are alive, and others take the slots', async () => {
  const { job, load, ends } = counted({ concurrency: 2 }, () => 0);
  let others = 0;
  const other = defineJob({
    run: async (_: null) => {
      others += 1;
    },
  });
  const { clock, processor } = await started({ job, other }, { maxConcurrentJobs: 5 });
  await processor.submitMany('job', Array<string>(7).fill('x'));
  await processor.submitMany('other', Array<null>(20).fill(null));
  await clock.advance(1);
  expect({ alive: load.alive, others }).toEqual({ alive: 2, others: 20 });
  for (let done = 0; done < 7; done += 1) {
    ends.shift()?.();
    await clock.advance(0.1);
    expect(load.alive).toBe(Math.min(2, 6 - done));
  }
  expect(load.most).toBe(2);
  expect((await processor.counts()).completed).toBe(27);
});

test('of a key one is alive, or as many as the definition says; keys do not wait for each other', async () => {
  const single = counted({}, () => 0);
  const double = counted({ concurrencyPerKey: 2 }, () => 0);
  const { clock, processor } = await started(
    { single: single.job, double: double.job },
    { maxConcurrentJobs: 20 },
  );
  for (const name of ['single', 'double'] as const)
    for (const concurrencyKey of ['a', 'a', 'a', 'b', 'b'])
      await processor.submit(name, concurrencyKey, { concurrencyKey });
  await clock.advance(1);
  expect([single.load.alive, double.load.alive]).toEqual([2, 4]);
  while (single.ends.length + double.ends.length > 0) {
    for (const { ends } of [single, double]) ends.shift()?.();
    await clock.advance(0.1);
  }
  expect([single.load.mostByKey, double.load.mostByKey]).toEqual([1, 2]);
  expect((await processor.counts()).completed).toBe(10);
});

test('within no span of a rate do more begin, and nobody waits for longer than it', async () => {
  let now = () => 0;
  const { job, load, ends } = counted({ rate: { starts: 3, seconds: 10 } }, () => now());
  const { clock, processor } = await started({ job }, { maxConcurrentJobs: 50 });
  now = () => clock.monotonic();
  await processor.submitMany('job', Array<string>(5).fill('x'));
  await clock.advance(4);
  await processor.submitMany('job', Array<string>(5).fill('x'));
  await clock.advance(100);
  for (const end of ends) end();
  const seconds = load.starts.map((at) => Math.floor(at / 1000));
  expect(seconds).toEqual([0, 0, 0, 10, 10, 10, 20, 20, 20, 30]);
});

test('a job that was told to be next passes no limit', async () => {
  const { job, load, ends } = counted({}, () => 0);
  const { clock, processor } = await started({ job });
  const first = await processor.submit('job', 'first', { concurrencyKey: 'k' });
  await clock.advance(1);
  const [, last] = [
    await processor.submit('job', 'second', { concurrencyKey: 'k' }),
    await processor.submit('job', 'last', { concurrencyKey: 'k' }),
  ];
  await processor.startJob(last.id);
  await clock.advance(1);
  expect(load.alive).toBe(1);
  ends.shift()?.();
  await clock.advance(1);
  expect((await last.status()).state).toBe('running');
  expect((await first.status()).concurrencyKey).toBe('k');
  for (const end of ends) end();
});

test('limits hold over two processors on one file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'unstuck-'));
  const { job, load, ends } = counted({ concurrency: 3 }, () => 0);
  const options = {
    engine: `sqlite:${join(folder, 'jobs.db')}` as const,
    jobs: { job },
    logger: pino({ level: 'silent' }),
  };
  const [one, two] = [new JobProcessor(options), new JobProcessor(options)];
  onTestFinished(async () => {
    await Promise.all([one.stop(), two.stop()]);
    rmSync(folder, { recursive: true });
  });
  await Promise.all([one.start(), two.start()]);
  const all = await one.submitMany(
    'job',
    Array.from({ length: 20 }, (_, n) => `${n}`),
  );
  const results = Promise.all(all.map((each) => each.result()));
  let isOver = false;
  results.then(() => {
    isOver = true;
  });
  while (!isOver) {
    ends.shift()?.();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  expect(load.most).toBe(3);
  expect(load.starts).toHaveLength(20);
});

const bad: [string, unknown, string][] = [
  ['no object', 7, 'limits: expected an object of concurrency, concurrencyPerKey, inOrder, rate, got 7.'],
  ['an unknown one', { perKey: 1 }, 'limits.perKey: expected one of'],
  [
    'a part of a job',
    { concurrency: 1.5 },
    'limits.concurrency: expected a whole number, 1 or more, got 1.5.',
  ],
  [
    'none at all',
    { concurrencyPerKey: 0 },
    'limits.concurrencyPerKey: expected a whole number, 1 or more, got 0.',
  ],
  [
    'a rate without a time',
    { rate: { starts: 5 } },
    'limits.rate.seconds: expected seconds above 0, got null.',
  ],
  ['a rate that is a number', { rate: 5 }, 'limits.rate: expected { starts, seconds }, got 5.'],
];

test.each(bad)('limits that are %s are refused', (_, limits, message) => {
  expect(() => defineJob({ limits: limits as Limits, run: () => {} })).toThrow(message);
  expect(() => new JobProcessor({ engine: 'memory', jobs: { x: { run() {}, limits } as object } })).toThrow(
    `jobs.x.${message}`,
  );
});

test('a job that is limited by key and comes without one is refused', async () => {
  const { job } = counted({ concurrencyPerKey: 2 }, () => 0);
  const processor = new JobProcessor({ engine: 'memory', jobs: { job } });
  await expect(processor.submit('job', 'x')).rejects.toThrow(
    'concurrencyKey: expected a string, for the definition limits these jobs by key, got none.',
  );
  expect(await processor.counts()).toMatchObject({ queued: 0 });
  await processor.stop();
});

test('a key that is no text is refused', async () => {
  const { job } = counted({}, () => 0);
  const processor = new JobProcessor({ engine: 'memory', jobs: { job } });
  for (const concurrencyKey of ['', 7])
    await expect(processor.submit('job', 'x', { concurrencyKey: concurrencyKey as string })).rejects.toThrow(
      ConfigurationError,
    );
  await processor.stop();
});

test('over random sets of jobs no limit is passed, no job waits for ever, and none is passed by more than its bound', async () => {
  const anyJob = fc.record({
    name: fc.constantFrom('free' as const, 'few' as const, 'slow' as const),
    key: fc.constantFrom(undefined, 'a', 'b'),
    priority: fc.constantFrom(0, 0, 0.002, -0.003),
    seconds: fc.integer({ min: 1, max: 5 }),
    after: fc.integer({ min: 0, max: 3 }),
  });
  const limits = { free: {}, few: { concurrency: 2 }, slow: { rate: { starts: 2, seconds: 4 } } };
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyJob, { minLength: 5, maxLength: 40 }),
      fc.integer({ min: 1, max: 6 }),
      async (all, slots) => {
        const clock = new SimulatedClock();
        const alive: { name: string; key: string | undefined }[] = [];
        const starts: { name: string; n: number; at: number }[] = [];
        const define = (name: keyof typeof limits) =>
          defineJob({
            limits: limits[name],
            run: async ({ n }: { n: number }) => {
              const { key, seconds } = all[n] as (typeof all)[number];
              const me = { name, key };
              alive.push(me);
              starts.push({ name, n, at: clock.monotonic() });
              expect(alive.length).toBeLessThanOrEqual(slots);
              expect(alive.filter((other) => other.name === 'few').length).toBeLessThanOrEqual(2);
              if (key !== undefined)
                expect(alive.filter((other) => other.name === name && other.key === key)).toHaveLength(1);
              await new Promise<void>((resolve) => clock.setTimeout(resolve, seconds * 1000));
              alive.splice(alive.indexOf(me), 1);
            },
          });
        const processor = new JobProcessor({
          engine: 'memory',
          jobs: { free: define('free'), few: define('few'), slow: define('slow') },
          clock,
          logger: pino({ level: 'silent' }),
          maxConcurrentJobs: slots,
        });
        await processor.start();
        for (const [n, { name, key, priority, after }] of all.entries()) {
          if (after > 0) await clock.advance(after);
          await processor.submit(name, { n }, { concurrencyKey: key, priority });
        }
        // One after the other they would take as long as this.
        await clock.advance(all.length * 5 + 5);
        const { completed } = await processor.counts();
        const stopped = processor.stop();
        await clock.advance(30);
        await stopped;
        expect(completed).toBe(all.length);
        for (const { at } of starts.filter(({ name }) => name === 'slow')) {
          const inSpan = starts.filter(
            (other) => other.name === 'slow' && other.at >= at && other.at < at + 4000,
          );
          expect(inSpan.length).toBeLessThanOrEqual(2);
        }
        // Of those that nothing but a slot held back: passed only by later ones whose priority is worth the difference.
        const free = starts.filter(({ name, n }) => name === 'free' && all[n]?.key === undefined);
        for (const [index, { n }] of free.entries()) {
          for (const { n: later } of free.slice(0, index).filter((other) => other.n > n)) {
            const worth = ((all[later]?.priority ?? 0) - (all[n]?.priority ?? 0)) * placesAPoint;
            expect(later - n).toBeLessThanOrEqual(worth);
          }
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('an engine that fails beside a claim costs no slot, and lends none', async () => {
  class Failing extends MemoryEngine {
    override nextStartAt(): never {
      throw new Error('disk is full');
    }
  }
  const { job, load, ends } = counted({ rate: { starts: 100, seconds: 1 } }, () => 0);
  const { clock, processor } = await started(
    { job },
    { engine: new Failing() as never, maxConcurrentJobs: 2 },
  );
  for (let n = 0; n < 6; n += 1) {
    await processor.submit('job', 'x');
    await clock.advance(2);
  }
  expect(load.most).toBe(2);
  while (ends.length > 0) {
    ends.shift()?.();
    await clock.advance(2);
  }
  expect(load).toMatchObject({ alive: 0, most: 2 });
  expect((await processor.counts()).completed).toBe(6);
});

test('jobs may have any name', async () => {
  const { clock, processor } = await started({ constructor: defineJob({ run: (_: null) => 1 }) });
  const job = await processor.submit('constructor', null);
  await clock.advance(1);
  expect((await job.status()).state).toBe('completed');
});

test('a job that fails again and again lets the loop turn', async () => {
  const processor = new JobProcessor({
    engine: 'memory',
    jobs: {
      fails: defineJob({ retry: { maxAttempts: 2000 }, run: (_: null) => Promise.reject(new Error('no')) }),
    },
    logger: pino({ level: 'silent' }),
  });
  await processor.start();
  const job = await processor.submit('fails', null);
  let turns = 0;
  const turning = setInterval(() => {
    turns += 1;
  }, 1);
  await expect(job.result()).rejects.toThrow('no');
  clearInterval(turning);
  expect(turns).toBeGreaterThan(10);
  await processor.stop();
});
