// An engine that other machines share, and that cannot be reached: attempts end themselves before their leases do, and their jobs
// go on from their checkpoints when it answers again. On simulated time; with real processes and a real server it is
// engines/postgresProcesses.test.ts.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Beat } from '../../src/engines/engine.ts';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { defineChunkedJob, defineJob, JobProcessor } from '../../src/index.ts';
import { placesOption } from '../../src/runtime/processorOptions.ts';
import { SimulatedClock, settle } from '../../src/testing/simulatedClock.ts';
import { SimulatedPlaces } from '../../src/testing/simulatedPlaces.ts';
import { type CapturedLog, capturedLog } from '../support/capturedLog.ts';

class SharedEngine extends MemoryEngine {
  override readonly spansMachines = true;
  /** How a beat is answered. */
  mode: 'renews' | 'fails' | 'hangs' | 'skips' = 'renews';
  readonly beats: Beat[] = [];

  override async beat(beats: readonly Beat[], leaseMs: number) {
    this.beats.push(...beats);
    if (this.mode === 'fails') throw new Error('no answer');
    if (this.mode === 'hangs') return new Promise<never>(() => {});
    const replies = await super.beat(beats, leaseMs);
    return this.mode === 'skips' ? replies.map((reply) => ({ ...reply, renewed: false })) : replies;
  }
}

let clock: SimulatedClock;
let engine: SharedEngine;
let log: CapturedLog;
let places: SimulatedPlaces;
let chunksRun: number[];
let signals: AbortSignal[];
let processor: JobProcessor<typeof jobs>;

const hang = (signal: AbortSignal) =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

const module = new URL('../fixtures/ways.ts', import.meta.url).href;
const jobs = {
  inline: defineJob({
    run(_: null, { signal }) {
      signals.push(signal);
      return hang(signal);
    },
  }),
  isolated: defineChunkedJob({
    module,
    start: 0,
    async *chunks(input: number, { checkpoint, signal }) {
      for (let n = checkpoint; n < input; n += 1) {
        yield [n];
        if (n === 0) await hang(signal).catch(() => {});
      }
    },
    process([n = 0]) {
      chunksRun.push(n);
      return n + 1;
    },
  }),
};

beforeEach(async () => {
  clock = new SimulatedClock();
  engine = new SharedEngine();
  log = capturedLog();
  chunksRun = [];
  signals = [];
  places = new SimulatedPlaces({ clock });
  processor = await new JobProcessor({
    ...{ engine, jobs, clock, logger: log.logger, [placesOption]: places },
  }).start();
});
afterEach(async () => {
  engine.mode = 'renews';
  const stopped = processor.stop();
  await clock.advance(15);
  await stopped;
});

async function running(name: 'inline' | 'isolated') {
  const job = await (name === 'inline' ? processor.submit(name, null) : processor.submit(name, 3));
  await clock.advance(2);
  expect((await job.status()).state).toBe('running');
  return job;
}

describe.each(['fails', 'hangs', 'skips'] as const)('where a beat %s', (mode) => {
  test('the host ends an attempt a quarter of its lease before that is over', async () => {
    const job = await running('isolated');
    engine.mode = mode;
    await clock.advance(8);
    expect(places.alive.size).toBe(1);
    await clock.advance(2);
    expect(places.alive.size).toBe(0);
    expect((await engine.get(job.id))?.state).toBe('running');
    expect(await engine.lapsed()).toEqual([]);
  });
});

test('inline code, which cannot be ended, is asked to stop by then', async () => {
  await running('inline');
  engine.mode = 'fails';
  await clock.advance(10);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
});

test('when the engine answers again the job goes on from its checkpoint, no attempt used up', async () => {
  const job = await running('isolated');
  engine.mode = 'fails';
  await clock.advance(20);
  expect(chunksRun).toEqual([0]);
  engine.mode = 'renews';
  await clock.advance(3);
  expect(await job.result()).toBe(3);
  const { history, attempt } = await job.status();
  expect(history.map(({ state, reason }) => reason ?? state)).toEqual([
    ...['queued', 'running', 'its owner is gone', 'running', 'completed'],
  ]);
  expect(attempt).toBe(1);
  expect(chunksRun).toEqual([0, 1, 2]);
});

test('where the host itself stands still, the watchdog ends the attempt before its lease is over', async () => {
  // Its clock is its own: it stands while that of its children goes on.
  const own = new SimulatedClock();
  const frozen = await new JobProcessor({
    ...{ engine, jobs, clock: own, logger: log.logger, [placesOption]: places, leaseSeconds: 24 },
  }).start();
  await processor.stop();
  await frozen.submit('isolated', 3);
  await settle();
  expect(places.alive.size).toBe(1);
  await clock.advance(20.9);
  expect(places.alive.size).toBe(1);
  await clock.advance(0.2);
  expect(places.alive.size).toBe(0);
  expect(await engine.lapsed()).toEqual([]);
  // Back again it knows, and calls the job neither failed nor timed out.
  await own.advance(1);
  expect(log.lines.some((line) => /superseded: its lease is gone/.test(line))).toBe(true);
  const stopped = frozen.stop();
  await own.advance(10);
  await stopped;
});

test('its processes are stored before its code begins, and told again until they are', async () => {
  engine.mode = 'skips';
  const job = await processor.submit('isolated', 1);
  await clock.advance(3);
  expect(chunksRun).toEqual([]);
  engine.mode = 'renews';
  await clock.advance(1);
  expect(chunksRun).toEqual([0]);
  expect((await engine.get(job.id))?.group).toMatchObject({ boot: 'simulated' });
  const told = engine.beats.length;
  await clock.advance(2);
  const later = engine.beats.slice(told).map(({ group }) => group);
  expect(later).toEqual([null, null]);
});

test.each([2.9, 3601, Number.NaN, '12'])('a lease of %s s is refused', (leaseSeconds) => {
  expect(() => new JobProcessor({ engine: 'memory', jobs, leaseSeconds: leaseSeconds as number })).toThrow(
    'leaseSeconds: expected seconds, 3 to 3600, got',
  );
});
