// What metrics must not do: grow with the jobs, tell of them what is theirs, stand in their way, or come where they were not asked.
// Simulated time, but for what readers wait.

import { metrics } from '@opentelemetry/api';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import type { OpenJobs } from '../../src/engines/engine.ts';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { ConfigurationError, defineJob, JobProcessor, type ProcessorOptions } from '../../src/index.ts';
import { attribute, instruments } from '../../src/runtime/telemetry/instruments.ts';
import { SimulatedClock } from '../../src/testing/simulatedClock.ts';
import { Readings, valuesOf } from './readings.ts';

const opened: JobProcessor<never>[] = [];
afterEach(async () => {
  for (const processor of opened.splice(0)) await processor.stop();
  metrics.disable();
});

const logger = pino({ level: 'silent' });
const jobs = {
  steady: defineJob({ run: (input: number) => input }),
  varied: defineJob({
    retry: { maxAttempts: 1 },
    run: (n: number) => {
      throw Object.assign(new Error(`no customer ${n}`), { name: `Error${n}` });
    },
  }),
};

function open(more: Partial<ProcessorOptions<typeof jobs>> = {}) {
  const processor = new JobProcessor({ engine: 'memory', jobs, logger, ...more });
  opened.push(processor as unknown as JobProcessor<never>);
  return processor;
}

test('a thousand jobs with ids, keys, messages and error names of their own make no more series than some fifty', async () => {
  const readings = new Readings();
  const processor = await open({ telemetry: { meterProvider: readings.provider } }).start();
  await processor.submit('varied', 0);
  const series = async () => {
    const read = await readings.read();
    return [...read.values()].flatMap(({ name, points }) =>
      points.map(({ attributes }) => `${name} ${JSON.stringify(attributes)}`),
    );
  };
  const few = (await series()).length;
  const submitted = await Promise.all(
    Array.from({ length: 1000 }, (_, n) => processor.submit('varied', n, { idempotencyKey: `key-${n}` })),
  );
  await Promise.all(submitted.map((job) => job.result().catch(() => {})));
  const all = await series();
  // 50 types of error, one for all others.
  expect(all.length - few).toBeLessThanOrEqual(51);
  const run = (await readings.read()).get(instruments.run.name);
  const byError = valuesOf(run, attribute.error);
  expect(Object.keys(byError)).toHaveLength(51);
  expect(byError._OTHER).toBe(1000 - 50);
  const text = all.join();
  expect(text).not.toMatch(/key-|no customer/);
  for (const { id } of submitted) expect(text).not.toContain(id);
});

test('what is no name or code of an error, but a message, is not told', async () => {
  const readings = new Readings();
  const strange = defineJob({
    retry: { maxAttempts: 1 },
    run: (name: string) => {
      throw Object.assign(new Error('x'), { name });
    },
  });
  const processor = new JobProcessor({
    engine: 'memory',
    logger,
    telemetry: { meterProvider: readings.provider },
    jobs: { strange },
  });
  opened.push(processor as unknown as JobProcessor<never>);
  await processor.start();
  for (const name of ['mail to a@b.example failed', 'E'.repeat(61), 'TypeError'])
    await (await processor.submit('strange', name)).result().catch(() => {});
  const run = (await readings.read()).get(instruments.run.name);
  expect(valuesOf(run, attribute.error)).toEqual({ _OTHER: 2, TypeError: 1 });
});

test('processors that share a provider add up what is theirs, and tell of their engine once', async () => {
  const readings = new Readings();
  const shared = { engine: new MemoryEngine(), telemetry: { meterProvider: readings.provider } };
  const first = await open({ ...shared, maxConcurrentJobs: 3 }).start();
  const second = await open({ ...shared, maxConcurrentJobs: 4 }).start();
  await first.pause('steady');
  await first.submit('steady', 1);
  await second.submit('steady', 2);
  const read = await readings.read();
  expect(valuesOf(read.get(instruments.jobs.name), attribute.job, attribute.state)).toEqual({
    'steady queued': 2,
  });
  expect(valuesOf(read.get(instruments.slots.name), attribute.slot)).toEqual({ free: 7 });
  expect(valuesOf(read.get(instruments.sent.name), attribute.job)).toEqual({ steady: 2 });
});

test('engines add up, and of a processor that is stopped nothing stands', async () => {
  const readings = new Readings();
  const telemetry = { meterProvider: readings.provider };
  const [first, second] = [await open({ telemetry }).start(), await open({ telemetry }).start()];
  for (const processor of [first, second]) {
    await processor.pause('steady');
    await processor.submitMany('steady', [1, 2]);
  }
  const counts = async () =>
    valuesOf((await readings.read()).get(instruments.jobs.name), attribute.job, attribute.state);
  expect(await counts()).toEqual({ 'steady queued': 4 });
  await first.stop();
  expect(await counts()).toEqual({ 'steady queued': 2 });
  await second.stop();
  expect(await counts()).toEqual({});
  expect(valuesOf((await readings.read()).get(instruments.slots.name), attribute.slot)).toEqual({});
});

test('the global provider is used where an SDK is registered by the time of start, and of who only submits', async () => {
  const readings = new Readings();
  const before = open();
  metrics.setGlobalMeterProvider(readings.provider);
  await before.start();
  const submitter = open();
  for (const processor of [before, submitter]) await processor.submit('steady', 1);
  const read = await readings.read();
  expect(valuesOf(read.get(instruments.sent.name), attribute.job)).toEqual({ steady: 2 });
  // The submitter has no slots.
  expect(valuesOf(read.get(instruments.slots.name), attribute.slot).free).toBeLessThanOrEqual(10);
});

test('with `telemetry: false` nothing is recorded', async () => {
  const readings = new Readings();
  metrics.setGlobalMeterProvider(readings.provider);
  const processor = await open({ telemetry: false }).start();
  await (await processor.submit('steady', 1)).result();
  expect((await readings.read()).size).toBe(0);
});

test('an engine that does not answer is told, and holds up no reader', async () => {
  const readings = new Readings();
  class Silent extends MemoryEngine {
    isSilent = false;
    override openJobs(): Promise<OpenJobs[]> {
      return this.isSilent ? new Promise(() => {}) : super.openJobs();
    }
  }
  const engine = new Silent();
  await open({ engine, telemetry: { meterProvider: readings.provider } }).start();
  const up = async () => (await readings.read()).get(instruments.engineUp.name)?.points[0]?.value;
  expect(await up()).toBe(1);
  engine.isSilent = true;
  expect(await up()).toBe(0);
  const slots = (await readings.read()).get(instruments.slots.name);
  expect(valuesOf(slots, attribute.slot)).toEqual({ free: 10 });
});

test('what only a sweep of the monitor can find is counted as found by it', async () => {
  const readings = new Readings();
  const clock = new SimulatedClock();
  const processor = await open({ clock, telemetry: { meterProvider: readings.provider } }).start();
  await processor.pause('steady');
  const job = await processor.submit('steady', 1, { deadlineSeconds: 600 });
  // No timer notices that the clock was set forward.
  clock.jumpWall(3_600_000);
  await clock.advance(61);
  expect((await job.status()).state).toBe('timedOut');
  const read = await readings.read();
  expect(valuesOf(read.get(instruments.sweepFound.name))).toEqual({ '': 1 });
  expect(valuesOf(read.get(instruments.sweep.name))).toEqual({ '': 1 });
  expect(valuesOf(read.get(instruments.timeouts.name), attribute.timeout, attribute.foundBy)).toEqual({
    'deadline monitor': 1,
  });
});

test.each([
  [1, /^telemetry: expected an object .* or false, got 1\.$/],
  [{ meterProvider: {} }, /^telemetry\.meterProvider: expected a meter provider .*, got an object\.$/],
  [{ tracerProvider: 'x' }, /^telemetry\.tracerProvider: expected a tracer provider .*, got "x"\.$/],
  [{ meter: new MeterProvider() }, /^telemetry\.meter: expected meterProvider or tracerProvider, got /],
])('telemetry that cannot be used is refused: %j', (telemetry, message) => {
  const make = () => open({ telemetry: telemetry as never });
  expect(make).toThrow(ConfigurationError);
  expect(make).toThrow(message);
});
