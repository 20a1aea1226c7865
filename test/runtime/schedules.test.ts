// Schedules on simulated time: when they tick, what they submit, and what happens to ticks that nobody was there for.

import { Cron } from 'croner';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { ConfigurationError, defineJob, InputError, JobProcessor } from '../../src/index.ts';
import { SimulatedClock } from '../../src/testing/simulatedClock.ts';
import { type CapturedLog, capturedLog } from '../support/capturedLog.ts';

/** Loses the answer of the next tick, or fails all of them. */
class FailingEngine extends MemoryEngine {
  isFailing = false;
  losesAnswer = false;
  /** Holds back what was read until a test resolves it. */
  late: Promise<void> | null = null;
  override async schedules(query: Parameters<MemoryEngine['schedules']>[0]) {
    const found = await super.schedules(query);
    await this.late;
    return found;
  }
  override async storeSchedule(...args: Parameters<MemoryEngine['storeSchedule']>) {
    if (this.isFailing) throw new Error('no answer');
    const stored = await super.storeSchedule(...args);
    if (!this.losesAnswer) return stored;
    this.losesAnswer = false;
    throw new Error('the answer was lost');
  }
}

let clock: SimulatedClock;
let engine: FailingEngine;
let log: CapturedLog;
let ended: PromiseWithResolvers<void>;
/** When jobs came, each with its input. */
let came: [at: string, input: unknown][];
let processors: { stop(): Promise<void> }[];

const text = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value: unknown) =>
      typeof value === 'string' ? { value } : { issues: [{ message: 'expected a string' }] },
  },
} as const;
const jobs = {
  report: defineJob({ run: (_: { of: string }) => 'done' }),
  held: defineJob({ run: (_: null) => ended.promise }),
  checked: defineJob<string, void>({ input: text, run: () => {} }),
};

function open(registry: Partial<typeof jobs> = jobs, options: { maxConcurrentJobs?: number } = {}) {
  const processor = new JobProcessor({
    engine,
    jobs: registry as typeof jobs,
    clock,
    logger: log.logger,
    // Not at the very time of a tick.
    monitorIntervalSeconds: 7,
    ...options,
  });
  processor.on('queued', async ({ id }) => {
    const at = new Date(clock.now()).toISOString();
    came.push([at, JSON.parse((await engine.get(id))?.input ?? '')]);
  });
  processors.push(processor);
  return processor;
}
const start = (...args: Parameters<typeof open>) => open(...args).start();
const cameAt = () => came.map(([at]) => at);

async function stopAll(): Promise<void> {
  const stopped = Promise.all(processors.splice(0).map((processor) => processor.stop()));
  await clock.advance(30);
  await stopped;
}

/** The wall clock shows this time; nobody has noticed. */
const setWall = (iso: string) => clock.jumpWall(Date.parse(iso) - clock.now());

/** Lives through the minute that ends at this time, and says what came at its very end, and not before. */
async function live(until: string): Promise<string[]> {
  setWall(new Date(Date.parse(until) - 60_000).toISOString());
  await clock.advance(59.75);
  const before = came.length;
  await clock.advance(0.25);
  return cameAt().slice(before);
}

beforeEach(() => {
  clock = new SimulatedClock();
  engine = new FailingEngine();
  log = capturedLog();
  ended = Promise.withResolvers();
  came = [];
  processors = [];
});
afterEach(async () => {
  ended.resolve();
  await stopAll();
  expect(clock.pending).toBe(0);
});

const everyMinute = { name: 'report', input: { of: 'all' }, cron: '* * * * *' } as const;

describe('a schedule', () => {
  test('submits its job at each tick, with its input and options, and is listed', async () => {
    const processor = await start();
    const schedule = { name: 'report', input: { of: 'July' }, cron: '*/5 * * * *', priority: 7 } as const;
    const set = await processor.schedule('reports', { ...schedule, deadlineSeconds: 60 });
    expect(set).toMatchObject({ name: 'report', timeZone: 'UTC', overlap: 'skip', lastTick: null });
    expect(set.nextTick).toEqual(new Date('2026-01-01T00:05Z'));
    await clock.advance(299.75);
    expect(came).toEqual([]);
    await clock.advance(0.25);
    await clock.advance(300);
    expect(came).toEqual([
      ['2026-01-01T00:05:00.000Z', { of: 'July' }],
      ['2026-01-01T00:10:00.000Z', { of: 'July' }],
    ]);
    const [listed] = await processor.schedules();
    expect(listed).toMatchObject({
      key: 'reports',
      nextTick: new Date('2026-01-01T00:15Z'),
      lastTick: new Date('2026-01-01T00:10Z'),
      lastSkip: null,
    });
    const last = await engine.get(listed?.lastJobId ?? '');
    expect(last).toMatchObject({ name: 'report', state: 'completed', priority: 7 });
    expect(last?.settings.deadlineSeconds).toBe(60);
    expect(log.lines).toContain(
      `INFO: schedule reports: job ${last?.id} is submitted, by its tick of 2026-01-01T00:10:00.000Z`,
    );
  });

  test('of the same key takes the place of the one before', async () => {
    const processor = await start();
    await processor.schedule('reports', everyMinute);
    await processor.schedule('reports', { ...everyMinute, input: { of: 'some' }, cron: '*/2 * * * *' });
    expect(await processor.schedules()).toHaveLength(1);
    await clock.advance(240);
    expect(came).toEqual([
      ['2026-01-01T00:02:00.000Z', { of: 'some' }],
      ['2026-01-01T00:04:00.000Z', { of: 'some' }],
    ]);
  });

  test('that is removed ticks no more; its jobs stay', async () => {
    const processor = await start();
    await processor.schedule('reports', everyMinute);
    await clock.advance(60);
    expect(await processor.unschedule('reports')).toBe(true);
    expect(await processor.unschedule('reports')).toBe(false);
    await clock.advance(300);
    expect(came).toHaveLength(1);
    expect(await processor.schedules()).toEqual([]);
    expect(await processor.counts()).toMatchObject({ completed: 1 });
  });

  test('ticks where all slots are held', async () => {
    const processor = await start(jobs, { maxConcurrentJobs: 1 });
    await processor.submit('held', null);
    await processor.schedule('reports', { ...everyMinute, overlap: 'allow' });
    await clock.advance(180);
    expect(cameAt().slice(1)).toEqual(['01', '02', '03'].map((minute) => `2026-01-01T00:${minute}:00.000Z`));
    expect(await processor.counts('report')).toMatchObject({ queued: 3 });
  });

  test('set by a processor that is not started is ticked by one that is', async () => {
    await open().schedule('reports', everyMinute);
    await clock.advance(60);
    expect(came).toEqual([]);
    await start();
    await clock.advance(0);
    expect(cameAt()).toEqual(['2026-01-01T00:01:00.000Z']);
  });

  test('ticks once, however many processors have seen that it is due', async () => {
    const [first] = [await start(), await start(), await start()];
    await first.schedule('reports', { ...everyMinute, overlap: 'allow' });
    await clock.advance(50);
    const { promise, resolve } = Promise.withResolvers<void>();
    engine.late = promise;
    await clock.advance(10);
    expect(came).toEqual([]);
    engine.late = null;
    resolve();
    await clock.advance(0);
    expect(cameAt()).toEqual(['2026-01-01T00:01:00.000Z']);
    expect(await first.counts()).toMatchObject({ completed: 1 });
    await clock.advance(60);
    expect(await first.counts()).toMatchObject({ completed: 2 });
  });

  test('of a job that no processor knows is left alone until one does', async () => {
    await open().schedule('reports', everyMinute);
    const other = await start({ held: jobs.held });
    await clock.advance(600);
    expect(came).toEqual([]);
    expect((await other.schedules())[0]?.nextTick).toEqual(new Date('2026-01-01T00:01Z'));
    await start();
    await clock.advance(0);
    expect(came).toHaveLength(1);
  });

  test('whose times cannot be reckoned with here does not hold up the others', async () => {
    const processor = await start();
    await processor.schedule('reports', everyMinute);
    const [stored] = await engine.schedules({});
    const elsewhere = { key: 'elsewhere', revision: '1', timeZone: 'Mars/Olympus', nextTickAt: clock.now() };
    await engine.storeSchedule({ ...(stored as NonNullable<typeof stored>), ...elsewhere }, null, []);
    await clock.advance(65);
    expect(cameAt()).toEqual(['2026-01-01T00:01:00.000Z']);
    const errors = log.lines.filter((line) => line.startsWith('ERROR: schedule elsewhere cannot tick here:'));
    // Once, and again with each sweep of the monitor.
    expect(errors).toHaveLength(10);
  });
});

describe('schedule() refuses, and stores nothing', () => {
  const good = everyMinute;
  test.each<[string, object, string, string]>([
    [
      'nonsense',
      { cron: 'nonsense' },
      'cron',
      `such as '0 3 * * *' (each day at 3:00), got "nonsense". CronPattern:`,
    ],
    [
      'an hour that is none',
      { cron: '0 25 * * *' },
      'cron',
      'got "0 25 * * *". CronPattern: Invalid value for hour',
    ],
    ['years', { cron: '0 0 3 * * * 2030' }, 'cron', 'exactly 5 or 6 parts'],
    ['the 31st of February', { cron: '0 0 31 2 *' }, 'cron', 'It never comes.'],
    ['a date', { cron: '2030-01-01T00:00:00' }, 'cron', 'It comes only once: submit a job with startAfter.'],
    ['no cron', { cron: undefined }, 'cron', 'got nothing.'],
    [
      'an unknown time zone',
      { timeZone: 'Mars/Olympus' },
      'timeZone',
      `such as 'Europe/Berlin', got "Mars/Olympus"`,
    ],
    [
      'an unknown name',
      { name: 'reprot' },
      'name',
      'a job of the registry (report, held, checked), got "reprot"',
    ],
    ['an unknown overlap', { overlap: 'queue' }, 'overlap', `'skip' or 'allow', got "queue"`],
    [
      'a misspelt option',
      { timezone: 'UTC' },
      'timezone',
      'Known: name, input, cron, timeZone, overlap, priority',
    ],
    ['startAfter', { startAfter: new Date() }, 'startAfter', 'a known option'],
    ['a setting', { deadlineSeconds: -1 }, 'deadlineSeconds', 'seconds above 0'],
  ])('%s', async (_, more, field, message) => {
    const processor = open();
    const error = await processor
      .schedule('k', { ...good, ...more } as typeof good)
      .catch((reason) => reason);
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error).toMatchObject({ field });
    expect(error.message).toContain(message);
    expect(await processor.schedules()).toEqual([]);
  });

  test('an empty key, and an input that its definition refuses', async () => {
    const processor = open();
    await expect(processor.schedule('', good)).rejects.toMatchObject({ field: 'key' });
    await expect(processor.unschedule('')).rejects.toMatchObject({ field: 'key' });
    // @ts-expect-error the types refuse it too
    const refused = processor.schedule('k', { name: 'checked', input: 5, cron: '* * * * *' });
    await expect(refused).rejects.toBeInstanceOf(InputError);
    await expect(refused).rejects.toThrow('input: expected a string');
    expect(await processor.schedules()).toEqual([]);
  });
});

describe('a tick that was missed', () => {
  test('runs once, at the next start, however many there were', async () => {
    const daily = { ...everyMinute, cron: '0 3 * * *' };
    await (await start()).schedule('nightly', daily);
    await stopAll();
    setWall('2026-01-08T12:00:00.000Z');
    const processor = await start();
    await clock.advance(60);
    expect(cameAt()).toEqual(['2026-01-08T12:00:00.000Z']);
    expect((await processor.schedules())[0]?.nextTick).toEqual(new Date('2026-01-09T03:00Z'));
  });

  test('is not lost to an app that sets its schedule at each start', async () => {
    const daily = { ...everyMinute, cron: '0 3 * * *' };
    await open().schedule('nightly', daily);
    setWall('2026-01-01T12:00:00.000Z');
    const processor = open();
    await processor.schedule('nightly', { ...daily, input: { of: 'the new version' } });
    await processor.start();
    await clock.advance(0);
    expect(came).toEqual([['2026-01-01T12:00:00.000Z', { of: 'the new version' }]]);
    // Other times are counted from now on.
    await processor.schedule('nightly', { ...daily, cron: '0 11 * * *' });
    await clock.advance(60);
    expect(came).toHaveLength(1);
    expect((await processor.schedules())[0]?.nextTick).toEqual(new Date('2026-01-02T11:00Z'));
  });

  test.each(['isFailing', 'losesAnswer'] as const)(
    'while the engine does not answer (%s) is made up for once',
    async (trouble) => {
      const processor = await start();
      await processor.schedule('reports', everyMinute);
      engine[trouble] = true;
      await clock.advance(60);
      expect((await processor.health()).status).toBe(trouble === 'isFailing' ? 'down' : 'ok');
      await clock.advance(4);
      engine.isFailing = false;
      await clock.advance(2);
      expect((await processor.health()).status).toBe('ok');
      expect(await processor.counts()).toMatchObject({ completed: 1 });
      await clock.advance(54);
      expect(await processor.counts()).toMatchObject({ completed: 2 });
    },
  );
});

describe('a tick while the job of the one before is not final', () => {
  test('is skipped, with a line in the log, and the next after its end is not', async () => {
    const processor = await start();
    await processor.schedule('slow', { name: 'held', input: null, cron: '* * * * *' });
    await clock.advance(180);
    expect(cameAt()).toEqual(['2026-01-01T00:01:00.000Z']);
    const [listed] = await processor.schedules();
    expect(listed).toMatchObject({
      nextTick: new Date('2026-01-01T00:04Z'),
      lastTick: new Date('2026-01-01T00:01Z'),
      lastSkip: new Date('2026-01-01T00:03Z'),
    });
    expect(log.lines).toContain(
      `WARN: schedule slow: its tick of 2026-01-01T00:03:00.000Z is skipped, job ${listed?.lastJobId} of the one before is running`,
    );
    ended.resolve();
    await clock.advance(60);
    expect(cameAt()).toEqual(['2026-01-01T00:01:00.000Z', '2026-01-01T00:04:00.000Z']);
  });

  test('submits one more where that is allowed', async () => {
    const processor = await start();
    const slow = { name: 'held', input: null, cron: '* * * * *', overlap: 'allow' } as const;
    await processor.schedule('slow', slow);
    await clock.advance(180);
    expect(await processor.counts()).toMatchObject({ running: 3 });
  });

  test('waits for nothing where that job is gone', async () => {
    const processor = await start();
    await processor.schedule('slow', { name: 'held', input: null, cron: '* * * * *' });
    await clock.advance(60);
    const { lastJobId } = (await processor.schedules())[0] as { lastJobId: string };
    ended.resolve();
    await clock.advance(1);
    await engine.prune(['completed'], clock.now() + 1);
    expect(await engine.get(lastJobId)).toBeNull();
    await clock.advance(60);
    expect(came).toHaveLength(2);
  });
});

describe('where the clocks are changed', () => {
  const berlin = { ...everyMinute, timeZone: 'Europe/Berlin', overlap: 'allow' } as const;
  /** [cron, the first of the ticks, those that are expected] */
  const changes: [string, string, string[]][] = [
    // 2:00 to 3:00 is not there on 2026-03-29: a fixed time comes when the clock has jumped, others are left out.
    ['30 2 * * *', '2026-03-28', ['2026-03-28T01:30', '2026-03-29T01:00', '2026-03-30T00:30']],
    ['0 3 * * *', '2026-03-28', ['2026-03-28T02:00', '2026-03-29T01:00', '2026-03-30T01:00']],
    ['*/30 2 * * *', '2026-03-28T12:00', ['2026-03-30T00:00', '2026-03-30T00:30']],
    ['0 * * * *', '2026-03-29T00:00', ['2026-03-29T01:00', '2026-03-29T02:00']],
    // 2:00 to 3:00 is there twice on 2026-10-25: a fixed time comes the first time, others come both times.
    ['30 2 * * *', '2026-10-24', ['2026-10-24T00:30', '2026-10-25T00:30', '2026-10-26T01:30']],
    ['0 3 * * *', '2026-10-24T12:00', ['2026-10-25T02:00', '2026-10-26T02:00']],
    [
      '*/30 2 * * *',
      '2026-10-24T12:00',
      ['2026-10-25T00:00', '2026-10-25T00:30', '2026-10-25T01:00', '2026-10-25T01:30', '2026-10-26T01:00'],
    ],
    ['0 * * * *', '2026-10-24T23:00', ['2026-10-25T00:00', '2026-10-25T01:00', '2026-10-25T02:00']],
  ];

  test.each(changes)('%s from %s on ticks as croner says', async (cron, from, expected) => {
    const ticks = expected.map((at) => `${at}:00.000Z`);
    const first = new Date(from.includes('T') ? `${from}Z` : from);
    const said = new Cron(cron, { timezone: 'Europe/Berlin', paused: true }).nextRuns(ticks.length, first);
    expect(said.map((date) => date.toISOString())).toEqual(ticks);
    setWall(first.toISOString());
    const processor = await start();
    await processor.schedule('berlin', { ...berlin, cron });
    for (const tick of ticks) {
      expect((await processor.schedules())[0]?.nextTick).toEqual(new Date(tick));
      expect(await live(tick)).toEqual([tick]);
    }
    expect(cameAt()).toEqual(ticks);
  });
});

describe('a clock that jumps', () => {
  const hourly = { ...everyMinute, cron: '0 * * * *' };

  test('forward over ticks: they run once, with the next sweep', async () => {
    const processor = await start();
    await processor.schedule('hourly', hourly);
    await clock.advance(5);
    setWall('2026-01-01T07:30:00.000Z');
    await clock.advance(10);
    expect(came).toHaveLength(1);
    expect((await processor.schedules())[0]?.nextTick).toEqual(new Date('2026-01-01T08:00Z'));
  });

  test('back: a tick that has come does not come again, the next comes at its time', async () => {
    const processor = await start();
    await processor.schedule('hourly', hourly);
    expect(await live('2026-01-01T01:00:00.000Z')).toHaveLength(1);
    setWall('2026-01-01T00:30:00.000Z');
    await clock.advance(3599);
    expect(came).toHaveLength(1);
    expect(await live('2026-01-01T02:00:00.000Z')).toEqual(['2026-01-01T02:00:00.000Z']);
    expect(came).toHaveLength(2);
  });

  test('back from years ahead: its ticks are not waited for', async () => {
    const processor = await start();
    setWall('2040-05-05T05:30:00.000Z');
    await processor.schedule('hourly', hourly);
    await live('2040-05-05T06:00:00.000Z');
    setWall('2026-01-01T00:30:00.000Z');
    await clock.advance(10);
    expect((await processor.schedules())[0]?.nextTick).toEqual(new Date('2026-01-01T01:00Z'));
    expect(log.lines).toContain(
      'WARN: schedule hourly: the clock was set back, its ticks are counted from now on',
    );
    expect(await live('2026-01-01T01:00:00.000Z')).toEqual(['2026-01-01T01:00:00.000Z']);
  });

  test('however it jumps within a day: no tick comes twice, none that it comes to for the first time is lost', async () => {
    const everyTwenty = { ...everyMinute, cron: '*/20 * * * *', overlap: 'allow' } as const;
    /** Of the monitor, in which a jump is found. */
    const noticedMs = 7000;
    const step = fc.record({
      jumpMinutes: fc.integer({ min: -300, max: 300 }),
      seconds: fc.integer({ min: 8, max: 4000 }),
    });
    const property = async (steps: { jumpMinutes: number; seconds: number }[]) => {
      const processor = await start();
      await processor.schedule('k', everyTwenty);
      const from = log.lines.length;
      const passed: number[] = [];
      let latest = clock.now();
      for (const { jumpMinutes, seconds } of steps) {
        clock.jumpWall(Math.max(jumpMinutes * 60_000, latest - 20 * 3_600_000 - clock.now()));
        const begin = Math.max(latest, clock.now()) + noticedMs;
        await clock.advance(seconds);
        latest = Math.max(latest, clock.now());
        for (let at = Math.ceil(begin / 1_200_000) * 1_200_000; at <= clock.now(); at += 1_200_000)
          passed.push(at);
      }
      await processor.unschedule('k');
      await stopAll();
      const ticks = log.lines
        .slice(from)
        .flatMap((line) => /by its tick of (\S+)$/.exec(line)?.[1] ?? [])
        .map((at) => Date.parse(at));
      expect(ticks).toEqual([...new Set(ticks)].toSorted((a, b) => a - b));
      expect(ticks).toEqual(expect.arrayContaining(passed));
    };
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), property), {
      numRuns: 15,
    });
  });
});
