// What durability costs: jobs a second from submit to completed, each with a durable submit, claim and completion,
// beside other job systems, on one disk. Those that can work in batches are measured so. Every figure comes from a process of its own; the
// systems take turns round by round, and what is held to a bar is the median of the ratios within a round.

import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atMost, type Bar, type Benchmark, median } from './benchmark.ts';
import { isListening } from './peers/index.ts';
import { ensurePeers } from './peers/install.ts';
import { answer, killGroup, start } from './peers/trialProcess.ts';
import { type Fsync, withRedisFsync } from './throughput/redisDurability.ts';

export interface System {
  name: string;
  module: string;
  variant?: string;
  port?: number;
  fsync?: Fsync;
  /** What an acknowledged job survives. */
  durable: string;
}

const ours: System = { name: 'unstuck', module: './unstuck.ts', durable: 'loss of power' };
const others: readonly System[] = [
  {
    name: 'BullMQ, fsync each second',
    module: './bullmq.js',
    port: 6379,
    fsync: 'everysec',
    durable: 'end of the process; loss of power takes the last second',
  },
  {
    name: 'BullMQ, fsync always',
    module: './bullmq.js',
    port: 6379,
    fsync: 'always',
    durable: 'loss of power',
  },
  { name: 'pg-boss, in batches', module: './pgBoss.js', port: 5432, durable: 'loss of power' },
  { name: 'graphile-worker', module: './graphileWorker.js', port: 5432, durable: 'loss of power' },
  {
    name: 'graphile-worker, in batches',
    module: './graphileWorker.js',
    variant: 'batches',
    port: 5432,
    durable: 'loss of power; jobs fetched ahead stay locked for 4 h when their worker dies',
  },
];

export const durable: Benchmark = {
  about: 'durable jobs and submits a second, beside BullMQ, pg-boss and graphile-worker',
  async run({ quick, progress }) {
    ensurePeers();
    const rounds = quick ? 1 : 5;
    const window = quick ? { warmUpMs: 700, ms: 1000 } : { warmUpMs: 1500, ms: 3000 };
    const systems = [ours];
    const rows: Record<string, string | number>[] = [];
    for (const system of others) {
      if (await isListening(system.port as number)) systems.push(system);
      else
        rows.push({ system: system.name, says: `not measured: nothing listens on 127.0.0.1:${system.port}` });
    }
    const bars: Bar[] = [];
    for (const concurrency of quick ? [10, 100] : [1, 10, 100]) {
      const found = await inTurns(systems, rounds, async (system, round) => {
        progress(`concurrency ${concurrency}: ${system.name}, round ${round + 1} of ${rounds}`);
        return ask<{ jobs: number; commits: number }>(system, 'throughput', { concurrency, ...window });
      });
      for (const [system, figures] of found) {
        const jobs = figures.map((figure) => figure.jobs);
        rows.push({
          system: system.name,
          concurrency,
          jobsASecond: whole(median(jobs)),
          least: whole(Math.min(...jobs)),
          most: whole(Math.max(...jobs)),
          fsyncsASecond: system === ours ? whole(median(figures.map(({ commits }) => commits))) : '',
          survives: system.durable,
        });
        // One short round says little.
        if (system === ours || concurrency === 1 || quick) continue;
        const ratios = jobs.map((value, round) => value / (found.get(ours)?.[round]?.jobs as number));
        bars.push(atMost(`${system.name} at ${concurrency}, as part of ours`, twoPlaces(median(ratios)), 1));
      }
    }
    const submits = await inTurns(systems, quick ? 1 : 3, async (system, round) => {
      progress(`submits: ${system.name}, round ${round + 1}`);
      return ask<{ batches: number; single: number }>(system, 'submits', { ms: window.ms });
    });
    for (const [system, figures] of submits) {
      rows.push({
        system: system.name,
        submitsASecondInBatchesOf500: whole(median(figures.map(({ batches }) => batches))),
        submitsASecondBy100Callers: whole(median(figures.map(({ single }) => single))),
      });
    }
    progress('event loop delay');
    const load = { perSecond: 1000, ms: quick ? 3000 : 10_000 };
    const inMemory: System = { ...ours, name: 'unstuck, in memory', variant: 'memory' };
    const delays = await inTurns([ours, inMemory], 3, (system) =>
      ask<{ p99: number; jobs: number }>(system, 'loopDelay', load),
    );
    for (const [{ name }, figures] of delays)
      rows.push({
        system: name,
        loopDelayP99Ms: twoPlaces(median(figures.map(({ p99 }) => p99))),
        jobsASecond: whole(median(figures.map(({ jobs }) => jobs))),
      });
    // What a slow machine does to any loop is not the file's doing.
    const added = (delays.get(ours) ?? []).map(
      ({ p99 }, round) => p99 - (delays.get(inMemory)?.[round]?.p99 ?? 0),
    );
    bars.push(
      atMost(
        "99th percentile of the host's event loop delay at 1 000 jobs/s, beyond that with jobs in memory, ms",
        twoPlaces(median(added)),
        5,
      ),
    );
    rows.push({ disk: tmpdir(), fsyncsASecond: whole(fsyncsASecond()) });
    return { rows, bars };
  },
};

/** Each system once a round, the first of a round another one each time. */
export async function inTurns<T>(
  systems: readonly System[],
  rounds: number,
  measure: (system: System, round: number) => Promise<T>,
): Promise<Map<System, T[]>> {
  const found = new Map<System, T[]>(systems.map((system) => [system, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const index of systems.keys()) {
      const system = systems[(index + round) % systems.length] as System;
      const act = () => measure(system, round);
      found.get(system)?.push(await (system.fsync === undefined ? act() : withRedisFsync(system.fsync, act)));
    }
  }
  return found;
}

let spaces = 0;

export async function ask<T>(system: System, task: string, value: object): Promise<T> {
  spaces += 1;
  const space = `unstuck_bench_${process.pid}_${Date.now().toString(36)}_${spaces}`;
  const module = new URL(`./throughput/${system.module}`, import.meta.url).href;
  const child = await start('../throughput/subject.ts', [module, space, system.variant ?? '']);
  const say = async (message: unknown): Promise<T> => {
    child.send(message as object);
    const { value: found, error } = (await answer(child, 60_000)) as { value: T; error?: string };
    if (error !== undefined) throw new Error(`${system.name}, ${task}: ${error}`);
    return found;
  };
  try {
    const found = await say([task, value]);
    await say(['remove', null]).catch((error) =>
      console.error(`bench: ${system.name}, remove: ${error.message}`),
    );
    return found;
  } finally {
    killGroup(child);
  }
}

/** Of the disk that all of them write to: one small write, one fsync, for a second. */
function fsyncsASecond(): number {
  const folder = mkdtempSync(join(tmpdir(), 'unstuck-fsync-'));
  const file = openSync(join(folder, 'file'), 'w');
  let count = 0;
  const began = performance.now();
  for (; performance.now() - began < 1000; count += 1) {
    writeSync(file, 'one page of nothing'.padEnd(4096));
    fdatasyncSync(file);
  }
  const seconds = (performance.now() - began) / 1000;
  closeSync(file);
  rmSync(folder, { recursive: true });
  return count / seconds;
}

const whole = Math.round;
const twoPlaces = (value: number) => Math.round(value * 100) / 100;
