// Jobs in PostgreSQL: jobs a second from submit to completed beside pg-boss, BullMQ and graphile-worker on the same server, how soon
// a job starts that is submitted elsewhere, and what each part of a job's life costs the server. The systems take turns
// round by round, each in a process of its own, and what is held to a bar is the median of the ratios within a round.

import { atMost, type Bar, type Benchmark, median } from './benchmark.ts';
import { ask, inTurns, type System } from './durable.ts';
import { ensurePeers } from './peers/install.ts';
import { partsOfALife } from './postgresParts.ts';
import { needServer } from './postgresServer.ts';

const ours: System = { name: 'unstuck', module: './unstuckPostgres.ts', durable: '' };
const others: readonly System[] = [
  { name: 'pg-boss, in batches', module: './pgBoss.js', durable: '' },
  { name: 'BullMQ on PostgreSQL', module: './bullmqPostgres.js', durable: '' },
  { name: 'graphile-worker', module: './graphileWorker.js', durable: '' },
  { name: 'graphile-worker, in batches', module: './graphileWorker.js', variant: 'batches', durable: '' },
];
/** It locks jobs for four hours that way, which we would not: shown, and not a bar. */
const withoutBar = 'graphile-worker, in batches';

export const postgres: Benchmark = {
  about: 'jobs in PostgreSQL a second, beside pg-boss, BullMQ and graphile-worker; how soon one starts',
  async run({ quick, progress }) {
    await needServer();
    ensurePeers();
    const rounds = quick ? 1 : 5;
    const window = quick ? { warmUpMs: 700, ms: 1000 } : { warmUpMs: 1500, ms: 3000 };
    const systems = [ours, ...others];
    const rows: Record<string, string | number>[] = [];
    const bars: Bar[] = [];
    for (const concurrency of quick ? [10, 100] : [1, 10, 100]) {
      const found = await inTurns(systems, rounds, (system, round) => {
        progress(`concurrency ${concurrency}: ${system.name}, round ${round + 1} of ${rounds}`);
        return ask<{ jobs: number; commits: number }>(system, 'throughput', { concurrency, ...window });
      });
      for (const [system, figures] of found) {
        const jobs = figures.map((figure) => figure.jobs);
        const ratios = jobs.map((value, round) => value / (found.get(ours)?.[round]?.jobs as number));
        const ratio = twoPlaces(median(ratios));
        rows.push({
          system: system.name,
          concurrency,
          jobsASecond: Math.round(median(jobs)),
          least: Math.round(Math.min(...jobs)),
          most: Math.round(Math.max(...jobs)),
          asPartOfOurs: ratio,
        });
        // One short round says little.
        if (system === ours || system.name === withoutBar || concurrency === 1 || quick) continue;
        bars.push(atMost(`${system.name} at ${concurrency}, as part of ours`, ratio, 1));
      }
    }
    progress('time from submit to start');
    const { median: usual, p99 } = await ask<{ median: number; p99: number }>(ours, 'latency', {
      perSecond: 50,
      ms: quick ? 3000 : 20_000,
    });
    rows.push({ submitToStartMs: twoPlaces(usual), p99: twoPlaces(p99) });
    progress('what each part costs');
    rows.push(...(await partsOfALife(quick ? 2000 : 10_000)));
    return { rows, bars };
  },
};

const twoPlaces = (value: number) => Math.round(value * 100) / 100;
