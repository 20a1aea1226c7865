// BullMQ on PostgreSQL, with its defaults.

import { createPostgresBackend, Queue, runMigrations, setDefaultBackendFactory, Worker } from 'bullmq';
import pg from 'pg';

const connectionString = process.env.UNSTUCK_POSTGRES ?? 'postgres://root@127.0.0.1:5432/test';

/** @param {string} space its schema */
export async function open(space) {
  setDefaultBackendFactory(createPostgresBackend);
  const connection = /** @type {any} */ ({ connectionString, schema: space });
  const pool = new pg.Pool({ connectionString, max: 1 });
  await runMigrations(/** @type {any} */ (pool), /** @type {any} */ (space));
  await pool.end();
  const queue = new Queue('pause', { connection });
  await queue.waitUntilReady();
  return {
    /** @param {number[]} numbers */
    add: (numbers) => queue.addBulk(numbers.map((n) => ({ name: 'pause', data: { n } }))),
    /**
     * @param {number} concurrency
     * @param {(n: number) => Promise<void>} run
     */
    async work(concurrency, run) {
      const worker = new Worker('pause', ({ data }) => run(data.n), { connection, concurrency });
      worker.on('error', () => {});
      await worker.waitUntilReady();
    },
  };
}
