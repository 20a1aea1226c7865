// A million queued jobs cost what a thousand do: the time of a claim and of the counts in the database, and the memory of a processor
// that works them off, with 1 000, 100 000 and 1 000 000 jobs waiting. The three files take turns; what is held to a
// bar is the median of the ratios within a round.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { pino } from 'pino';
import type { NewJob } from '../src/engines/engine.ts';
import { JobStore } from '../src/engines/sqlite/jobStore.ts';
import { migrate } from '../src/engines/sqlite/schema.ts';
import { defineJob, JobProcessor } from '../src/index.ts';
import { handedBack } from '../src/machines/verdict.ts';
import { resolveSettings } from '../src/runtime/settings.ts';
import { atMost, type Benchmark, median } from './benchmark.ts';

const few = 1000;
const flat = 1.2;
/** Of the database thread, for what is asked at each scrape of the metrics. */
const mostMs = 5;

export const queued: Benchmark = {
  about: 'time of a claim and memory with 1 000, 100 000 and 1 000 000 jobs queued',
  async run({ quick, progress }) {
    const sizes = quick ? [few, 100_000] : [few, 100_000, 1_000_000];
    const folder = mkdtempSync(join(tmpdir(), 'unstuck-queued-'));
    try {
      const files = sizes.map((size) => ({ size, path: join(folder, `${size}.db`) }));
      for (const { size, path } of files) {
        progress(`filling a file with ${size} jobs`);
        fill(path, size);
      }
      progress('claiming');
      const paths = files.map(({ path }) => path);
      const claims = claimTimes(paths, quick ? 100 : 400);
      const counts = paths.map(countTime);
      const memory: number[] = [];
      for (const { size, path } of files) {
        progress(`memory with ${size} jobs`);
        memory.push(await heapMb(path));
      }
      const rows = files.map(({ size }, index) => ({
        queued: size,
        claimOfTenUs: Math.round(median(claims[index] as number[]) * 1000),
        countsUs: Math.round((counts[index] as number) * 1000),
        hostHeapMb: Math.round((memory[index] as number) * 10) / 10,
      }));
      const ratio = (index: number) =>
        median((claims[index] as number[]).map((ms, round) => ms / (claims[0]?.[round] as number)));
      const bars = files
        .slice(1)
        .flatMap(({ size }, index) => [
          atMost(`time of a claim with ${size} queued / with ${few}`, twoPlaces(ratio(index + 1)), flat),
          atMost(`counts of ${size} queued jobs by name, ms`, twoPlaces(counts[index + 1] as number), mostMs),
          atMost(
            `memory of the host with ${size} queued / with ${few}`,
            twoPlaces((memory[index + 1] as number) / (memory[0] as number)),
            flat,
          ),
        ]);
      return { rows, bars };
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};

function openStore(path: string) {
  const database = new DatabaseSync(path);
  // What is measured is not the disk.
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF');
  migrate(database, path);
  const store = new JobStore(database, { boot: '', holder: '', isAlive: () => true, now: () => 0 }, () => {});
  return { database, store };
}

const at = () => ({ now: Date.now(), monotonic: performance.now() });

function fill(path: string, size: number): void {
  const { database, store } = openStore(path);
  const settings = resolveSettings([], { chunked: false, isolation: 'inline' });
  const common = {
    name: 'noop',
    settings,
    priority: 0,
    notBefore: null,
    idempotencyKey: null,
    concurrencyKey: null,
    keyLimit: 1,
    inOrder: false,
    retryOf: null,
    trace: null,
  };
  for (let from = 0; from < size; from += 1000) {
    const jobs = Array.from({ length: 1000 }, (_, index): NewJob => {
      const n = from + index;
      return { ...common, id: `job-${n}`, input: String(n) };
    });
    database.exec('BEGIN');
    store.submit(at(), jobs);
    store.publish([]);
    database.exec('COMMIT');
  }
  database.close();
}

/** Of ten jobs each, ms: all files once a round. */
function claimTimes(paths: readonly string[], rounds: number): number[][] {
  const opened = paths.map(openStore);
  const times: number[][] = paths.map(() => []);
  const warmUp = 20;
  for (let round = -warmUp; round < rounds; round += 1) {
    for (const [index, { database, store }] of opened.entries()) {
      database.exec('BEGIN');
      const began = performance.now();
      const claimed = store.claim(at(), { owner: 'me', limit: 10, ahead: 0, names: ['noop'], leaseMs: 1000 });
      if (round >= 0) times[index]?.push(performance.now() - began);
      // Back to where they were: every round finds the same.
      for (const { id, token } of claimed) store.settle(at(), id, token, handedBack);
      database.exec('COMMIT');
    }
  }
  for (const { database } of opened) database.close();
  return times;
}

/** Of what the metrics ask: jobs by name and state, and since when the oldest waits. ms. */
function countTime(path: string): number {
  const { database, store } = openStore(path);
  const times = Array.from({ length: 200 }, () => {
    const began = performance.now();
    store.queries.openJobs(at());
    return performance.now() - began;
  });
  database.close();
  return median(times);
}

/** Of the host, after a garbage collection, while it works off the queue; without the sizes of what is on disk. */
async function heapMb(path: string): Promise<number> {
  let done = 0;
  const enough = Promise.withResolvers<void>();
  const processor = new JobProcessor({
    engine: `sqlite:${path}`,
    durability: 'normal',
    jobs: { noop: defineJob({ run: (input: number) => input }) },
    logger: pino({ level: 'silent' }),
  });
  processor.on('completed', () => {
    done += 1;
    if (done === 500) enough.resolve();
  });
  await processor.start();
  await enough.promise;
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  const { heapUsed, external } = process.memoryUsage();
  await processor.stop();
  return (heapUsed + external) / 2 ** 20;
}

function twoPlaces(value: number): number {
  return Math.round(value * 100) / 100;
}
