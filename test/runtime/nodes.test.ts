// Which node runs what, as any processor on the engine sees it: what runs, what is being drained, what is gone and whose jobs were
// taken over, on simulated time.

import { afterEach, beforeEach, expect, test } from 'vitest';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { defineJob, EngineError, JobProcessor } from '../../src/index.ts';
import { HostEngine } from '../../src/testing/hostEngine.ts';
import { SimulatedClock } from '../../src/testing/simulatedClock.ts';
import { capturedLog } from '../support/capturedLog.ts';

let clock: SimulatedClock;
let engine: MemoryEngine;
let end: (() => void)[];
/** Leaves when the test lets it. */
const jobs = {
  held: defineJob({ run: (_: number) => new Promise<void>((resolve) => end.push(resolve)) }),
  other: defineJob({ run: () => {} }),
};
let log: ReturnType<typeof capturedLog>;
let running: JobProcessor<typeof jobs>[];
let watcher: JobProcessor<Record<string, never>>;

beforeEach(() => {
  clock = new SimulatedClock();
  engine = new MemoryEngine();
  end = [];
  log = capturedLog();
  running = [];
  watcher = new JobProcessor({ engine, jobs: {}, clock });
});
afterEach(async () => {
  for (const leave of end) leave();
  const stopped = Promise.all([...running, watcher].map((each) => each.stop()));
  await clock.advance(30);
  await stopped;
  expect(clock.pending).toBe(0);
});

async function start(nodeName?: string, on: MemoryEngine = engine) {
  const processor = new JobProcessor({
    ...{ engine: on, jobs, clock, logger: log.logger, maxConcurrentJobs: 2 },
    ...(nodeName === undefined ? {} : { nodeName }),
  });
  running.push(processor);
  await processor.start();
  await clock.advance(0);
  return processor;
}

/** As a node has it that can be cut off. */
function severable(inner: MemoryEngine) {
  let isCut = false;
  const severed = async () => {
    throw new EngineError('no way to the engine');
  };
  const get = (_: unknown, name: keyof MemoryEngine) => {
    const value = inner[name] as unknown;
    if (typeof value !== 'function') return value;
    return isCut && name !== 'close' ? severed : value.bind(inner);
  };
  const cut = () => {
    isCut = true;
  };
  return { engine: new Proxy(inner, { get: get as never }), cut };
}

/** Its calls can be made to fail. */
function hostOn(inner: MemoryEngine) {
  const host = new HostEngine(inner, { active() {}, acknowledged() {}, refused() {} });
  return { host, engine: host.engine as MemoryEngine };
}

test('a node is there once it is started, says what it has and runs, and is no more when it has stopped', async () => {
  const first = await start('web-1');
  const second = await start('web-2');
  const job = await first.submit('held', 1);
  await clock.advance(3);
  const [one, two] = await watcher.nodes();
  const runs = [one, two].map((node) => node?.running);
  expect(runs.filter((each) => each?.length === 0)).toHaveLength(1);
  expect(runs).toContainEqual([{ name: 'held', jobs: 1 }]);
  expect(one).toMatchObject({
    ...{ name: 'web-1', state: 'running', pid: process.pid, jobs: ['held', 'other'] },
    ...{ health: { status: 'ok', reasons: [] }, lastFailure: null, lastSeen: new Date(clock.now()) },
  });
  const holder = [one, two].find((node) => node?.running.length === 1);
  expect(holder?.slots).toEqual({ max: 2, used: 1, unconfirmed: 0 });
  expect((await job.status()).node).toBe(holder?.name);
  for await (const listed of watcher.list()) expect(listed.node).toBe(holder?.name);

  end[0]?.();
  await clock.advance(0);
  expect((await job.status()).node).toBeNull();
  await second.stop();
  expect((await watcher.nodes()).map(({ name }) => name)).toEqual(['web-1']);
  await first.stop();
  expect(await watcher.nodes()).toEqual([]);
});

test('a node without a name is called by its host and process', async () => {
  const processor = await start();
  expect(processor.nodeName).toMatch(new RegExp(`^.+:${process.pid}$`));
  expect(await watcher.nodes()).toMatchObject([{ name: processor.nodeName }]);
});

test('a node that is being drained says so at once', async () => {
  const processor = await start('web-1');
  await processor.submit('held', 1);
  await clock.advance(1);
  const drained = processor.drain();
  await clock.advance(0);
  expect(await watcher.nodes()).toMatchObject([
    { state: 'draining', slots: { used: 1 }, health: { status: 'degraded' } },
  ]);
  end[0]?.();
  await drained;
});

test('a node that is cut off is gone by the time its jobs are taken over, and whoever takes them says from whom', async () => {
  const { engine: way, cut } = severable(engine);
  const first = await start('web-1', way);
  const job = await first.submit('held', 1);
  await first.submit('held', 2);
  await clock.advance(1);
  cut();
  const cutAt = clock.now();
  await start('web-2');
  await clock.advance(8);
  expect(await watcher.nodes()).toMatchObject([{ name: 'web-1', state: 'running' }, { name: 'web-2' }]);
  await clock.advance(10);
  const [gone] = await watcher.nodes();
  expect(gone).toMatchObject({ name: 'web-1', state: 'gone', running: [] });
  expect(gone?.lastSeen.getTime()).toBeLessThanOrEqual(cutAt);
  const lines = log.records.filter(({ node }) => node === 'web-1');
  expect(lines).toMatchObject([{ level: 40, jobs: 2 }]);
  expect(lines[0]?.msg).toMatch(
    /^node web-1 is gone, last seen \d\d s ago: 2 of its job\(s\) were taken over here$/,
  );
  expect((await (await watcher.get(job.id)).status()).node).toBe('web-2');
  // A day later, as the engine counts it.
  const { monotonic } = clock;
  clock.monotonic = () => monotonic.call(clock) + 24 * 3_600_000;
  await clock.advance(4);
  expect((await watcher.nodes()).map(({ name }) => name)).toEqual(['web-2']);
  clock.monotonic = monotonic;
});

test('where it cannot be told, it is told a few seconds later; the failure of the engine is kept', async () => {
  const { host, engine: failing } = hostOn(engine);
  host.failNext('nodeSeen');
  const processor = await start('web-1', failing);
  expect(await watcher.nodes()).toEqual([]);
  await clock.advance(3);
  expect(await watcher.nodes()).toMatchObject([{ name: 'web-1', lastFailure: null }]);
  host.failNext('claim');
  await processor.submit('other', undefined);
  const failedAt = new Date(clock.now());
  await clock.advance(5);
  expect(await watcher.nodes()).toMatchObject([
    { lastFailure: { at: failedAt, message: 'the engine does not answer (simulated)' } },
  ]);
  host.once('removeNode', async () => {
    throw new EngineError('not now');
  });
  await processor.stop();
  expect(await watcher.nodes()).toMatchObject([{ name: 'web-1' }]);
});

test('an engine that does not answer does not hold up a stop for long', async () => {
  const { host, engine: silent } = hostOn(engine);
  const processor = await start('web-1', silent);
  host.once('removeNode', () => new Promise(() => {}));
  const stopped = processor.stop();
  await clock.advance(1);
  await stopped;
});

test.each(['', ' web', 'a\nb', 'x'.repeat(101), 7])('a name such as %j is refused', (nodeName) => {
  expect(() => new JobProcessor({ engine, jobs, nodeName: nodeName as string })).toThrow(
    /^nodeName: expected 1 to 100 characters, no control character, and no space at its ends, got /,
  );
});
