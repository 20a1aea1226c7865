// Whether the PostgreSQL engine stands on pg-boss or on PostgreSQL alone: what the life of a durable job costs (submit, claim,
// settle, each in batches of 100) with our table alone, with pg-boss holding the queue and our rows beside it in the same
// transactions, and with pg-boss alone. One connection, one server, in turns; what is compared is the ratio within a round.

import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { migrate } from '../src/engines/postgres/schema.ts';
import { settings } from '../test/engines/contract.ts';
import { type Benchmark, median } from './benchmark.ts';
import { ensurePeers } from './peers/install.ts';
import { connectionString } from './postgresServer.ts';
import { tableOf } from './postgresTrialTable.ts';

const batch = 100;
const queue = 'trial';

interface PgBoss {
  start(): Promise<unknown>;
  stop(options: object): Promise<void>;
  on(event: 'error', listener: () => void): void;
  createQueue(name: string, options: object): Promise<void>;
  insert(name: string, jobs: object[], options: object): Promise<unknown>;
  fetch(name: string, options: object): Promise<{ id: string }[]>;
  complete(name: string, ids: string[], data: null, options: object): Promise<unknown>;
}

/** The parts of a job's life, each for a batch. */
interface Side {
  name: string;
  submit(): Promise<void>;
  claim(): Promise<string[]>;
  settle(ids: string[]): Promise<void>;
}

export const postgresTrial: Benchmark = {
  about: 'the life of a job in PostgreSQL: our table alone, with pg-boss beneath it, and pg-boss alone',
  async run({ quick, progress }) {
    ensurePeers();
    const rounds = quick ? 3 : 9;
    const jobsARound = quick ? 2000 : 5000;
    const space = `unstuck_trial_${process.pid}`;
    const client = new pg.Client({ connectionString });
    await client.connect();
    let statements = 0;
    const run = async (text: string, values?: unknown[]) => {
      statements += 1;
      return client.query(text, values) as Promise<{ rows: never[] }>;
    };
    const inTransaction = async <T>(act: () => Promise<T>): Promise<T> => {
      await run('BEGIN');
      try {
        const found = await act();
        await run('COMMIT');
        return found;
      } catch (error) {
        await client.query('ROLLBACK');
        throw error;
      }
    };
    await migrate(client, space);
    const boss = await startBoss(`${space}_boss`);
    const db = { executeSql: run };
    const ours = tableOf(space, run);
    const inputs = () => Array.from({ length: batch }, (_, n) => ({ id: randomUUID(), data: { n } }));
    const sides: Side[] = [
      {
        name: 'our table alone',
        submit: () => inTransaction(() => ours.submit(inputs(), settings)),
        claim: () => inTransaction(() => ours.claim(batch)),
        settle: (ids) => inTransaction(() => ours.settle(ids)),
      },
      {
        name: 'our table, its queue in pg-boss',
        submit: () =>
          inTransaction(async () => {
            const jobs = inputs();
            await boss.insert(queue, jobs, { db });
            await ours.submit(jobs, settings, { isQueued: false });
          }),
        claim: () =>
          inTransaction(async () => {
            const ids = (await boss.fetch(queue, { batchSize: batch, db })).map(({ id }) => id);
            await ours.start(ids);
            return ids;
          }),
        settle: (ids) =>
          inTransaction(async () => {
            await boss.complete(queue, ids, null, { db });
            await ours.settle(ids);
          }),
      },
      {
        name: 'pg-boss alone',
        submit: async () => void (await boss.insert(queue, inputs(), { db })),
        claim: async () => (await boss.fetch(queue, { batchSize: batch, db })).map(({ id }) => id),
        settle: async (ids) => void (await boss.complete(queue, ids, null, { db })),
      },
    ];
    const found = sides.map(() => [] as { seconds: number; statements: number; walBytes: number }[]);
    const walAt = async () =>
      Number(
        (await client.query<{ at: string }>(`SELECT pg_current_wal_insert_lsn() - '0/0' AS at`)).rows[0]?.at,
      );
    try {
      for (let round = -1; round < rounds; round += 1) {
        for (const turn of sides.keys()) {
          const index = (turn + round + 1) % sides.length;
          const side = sides[index] as Side;
          progress(`${side.name}, round ${round + 1} of ${rounds}`);
          // Otherwise the one pays for what the other has left.
          await client.query('VACUUM ANALYZE');
          const [wal, before, began] = [await walAt(), statements, performance.now()];
          for (let n = 0; n < jobsARound; n += batch) await side.submit();
          for (let n = 0; n < jobsARound; n += batch) {
            const ids = await side.claim();
            if (ids.length !== batch) throw new Error(`${side.name}: claimed ${ids.length} of ${batch} jobs`);
            await side.settle(ids);
          }
          const seconds = (performance.now() - began) / 1000;
          const figures = { seconds, statements: statements - before, walBytes: (await walAt()) - wal };
          if (round >= 0) found[index]?.push(figures);
        }
      }
      const first = found[0] ?? [];
      const rows = sides.map(({ name }, index) => {
        const figures = found[index] ?? [];
        return {
          side: name,
          jobsASecond: Math.round(median(figures.map(({ seconds }) => jobsARound / seconds))),
          asPartOfOurs: twoPlaces(
            median(figures.map(({ seconds }, n) => (first[n]?.seconds ?? 0) / seconds)),
          ),
          statementsABatch: twoPlaces(median(figures.map((f) => (f.statements / jobsARound) * batch))),
          walBytesAJob: Math.round(median(figures.map(({ walBytes }) => walBytes / jobsARound))),
        };
      });
      return { rows, bars: [] };
    } finally {
      await boss.stop({ graceful: false });
      for (const schema of [space, `${space}_boss`]) await client.query(`DROP SCHEMA ${schema} CASCADE`);
      await client.end();
    }
  },
};

async function startBoss(schema: string): Promise<PgBoss> {
  // Installed with the other job systems, when they are first measured: not there for the types.
  const { PgBoss } = (await import('pg-boss' as string)) as { PgBoss: new (options: object) => PgBoss };
  const boss = new PgBoss({ connectionString, schema, max: 2, schedule: false, supervise: false });
  boss.on('error', () => {});
  await boss.start();
  await boss.createQueue(queue, { retryLimit: 0 });
  return boss;
}

const twoPlaces = (value: number) => Math.round(value * 100) / 100;
