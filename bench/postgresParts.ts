// What each part of a job's life costs the server: its processor time, as the kernel counts it for the engine's own sessions, and bytes of its log.
// Where it is on another machine its processor time is not known here.

import { readFileSync } from 'node:fs';
import pg from 'pg';
import { systemClock } from '../src/actors/systemClock.ts';
import type { StoredJob } from '../src/engines/engine.ts';
import { PostgresEngine } from '../src/engines/postgres/postgres.ts';
import { plainJob, verdict } from '../test/engines/contract.ts';
import { connectionString } from './postgresServer.ts';

const batch = 100;

export async function partsOfALife(jobs: number): Promise<Record<string, string | number>[]> {
  const schema = `unstuck_parts_${process.pid}`;
  const url = new URL(connectionString);
  url.searchParams.set('application_name', schema);
  const engine = new PostgresEngine({ url: url.href, schema });
  const client = new pg.Client({ connectionString });
  await client.connect();
  const logAt = async () =>
    Number((await client.query(`SELECT pg_current_wal_insert_lsn() - '0/0' AS at`)).rows[0].at);
  const processorMs = async () => {
    const { rows } = await client.query('SELECT pid FROM pg_stat_activity WHERE application_name = $1', [
      schema,
    ]);
    return rows.reduce((sum, { pid }) => sum + processorMsOf(pid), 0);
  };
  const found: Record<string, string | number>[] = [];
  const part = async (name: string, act: () => Promise<unknown>) => {
    const [log, processor] = [await logAt(), await processorMs()];
    await act();
    const micros = Math.round((((await processorMs()) - processor) * 1000) / jobs);
    found.push({
      part: name,
      logBytesAJob: Math.round(((await logAt()) - log) / jobs),
      serverMicrosecondsAJob: micros > 0 ? micros : '',
    });
  };
  try {
    await engine.open(systemClock);
    const claimed: StoredJob[] = [];
    const batches = async (act: (from: number) => Promise<unknown>) => {
      for (let from = 0; from < jobs; from += batch) await act(from);
    };
    await part('submit', () =>
      batches((from) =>
        engine.submit(
          Array.from({ length: batch }, (_, n) => ({
            ...plainJob,
            ...{ id: `${schema}-${from + n}`, name: 'noop', input: '1', idempotencyKey: null },
          })),
        ),
      ),
    );
    await part('claim', () =>
      batches(async () => {
        claimed.push(
          ...(await engine.claim({
            owner: 'bench',
            limit: batch,
            ahead: 0,
            names: ['noop'],
            leaseMs: 15_000,
          })),
        );
      }),
    );
    await part('heartbeat', () =>
      batches((from) =>
        engine.beat(
          claimed
            .slice(from, from + batch)
            .map(({ id, token }) => ({ id, token: token as string, heartbeatAt: Date.now(), total: null })),
          15_000,
        ),
      ),
    );
    await part('settle', () =>
      batches((from) =>
        Promise.all(
          claimed
            .slice(from, from + batch)
            .map(({ id, token }) => engine.settle(id, token, verdict('completed', { result: '1' }))),
        ),
      ),
    );
    return found;
  } finally {
    await engine.close();
    await client.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
    await client.end();
  }
}

/** 0 where it is no process of this machine. */
export function processorMsOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // In ticks of 10 ms, in its own mode and in the kernel's.
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return 0;
  }
}
