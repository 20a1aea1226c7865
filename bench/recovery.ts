// How soon a job runs again whose host was killed with -9: at the next start, and beside another process that lives.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { JobProcessor } from '../src/index.ts';
import counting from '../test/fixtures/counting.ts';
import type { SqliteWord } from '../test/fixtures/sqliteHost.ts';
import { SpawnedHost } from '../test/support/spawnedHost.ts';
import { atMost, type Benchmark, median } from './benchmark.ts';

const startLimitMs = 1000;
const leaseMs = 15_000;

export const recovery: Benchmark = {
  about: 'how soon a job runs again after kill -9 of its host',
  async run({ quick, progress }) {
    const rounds = quick ? 3 : 15;
    const atStart: number[] = [];
    const beside: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      progress(`round ${round + 1} of ${rounds}`);
      atStart.push(await afterKill(false));
      beside.push(await afterKill(true));
    }
    const row = (what: string, ms: number[]) => ({
      what,
      medianMs: Math.round(median(ms)),
      worstMs: Math.round(Math.max(...ms)),
      rounds,
    });
    const fromStart = 'runs again after the start of the next processor';
    const fromKill = 'runs again in a process that lived beside it, after the kill';
    return {
      rows: [row(fromStart, atStart), row(fromKill, beside)],
      bars: [
        atMost(`${fromStart}, ms`, Math.round(Math.max(...atStart)), startLimitMs),
        atMost(`${fromKill}, ms`, Math.round(Math.max(...beside)), leaseMs),
      ],
    };
  },
};

async function afterKill(hasNeighbour: boolean): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'unstuck-recovery-'));
  const path = join(folder, 'jobs.db');
  const host = () =>
    new SpawnedHost<SqliteWord>(new URL('../test/fixtures/sqliteHost.ts', import.meta.url), { path });
  const client = new JobProcessor({
    engine: `sqlite:${path}`,
    jobs: { counting },
    logger: pino({ level: 'silent' }),
  });
  try {
    await using first = host();
    await first.says('started');
    await client.submit('counting', { chunks: 10_000, chunkMs: 20, journal: join(folder, 'journal') });
    await first.says('state');
    await using neighbour = host();
    if (hasNeighbour) await neighbour.says('started');
    else neighbour.kill();
    let began = performance.now();
    first.kill();
    await first.ended;
    await using second = hasNeighbour ? neighbour : host();
    if (!hasNeighbour) {
      await second.says('started');
      began = performance.now();
    }
    await second.says('state');
    return performance.now() - began;
  } finally {
    await client.stop();
    rmSync(folder, { recursive: true });
  }
}
