// BullMQ on PostgreSQL.

import { createPostgresBackend, Queue, runMigrations, setDefaultBackendFactory, Worker } from 'bullmq';
import pg from 'pg';

const connectionString = process.env.UNSTUCK_POSTGRES ?? 'postgres://root@127.0.0.1:5432/test';

/** @param {string} space its schema */
export async function open(space) {
  setDefaultBackendFactory(createPostgresBackend);
  const connection = /** @type {any} */ ({ connectionString, schema: space });
  const pool = new pg.Pool({ connectionString, max: 1 });
  await runMigrations(/** @type {any} */ (pool), /** @type {any} */ (space));
  const queue = new Queue('bench', { connection });
  await queue.waitUntilReady();
  /** @type {Worker | null} */
  let worker = null;
  let completed = 0;
  return {
    /** @param {number[]} inputs */
    addMany: (inputs) => queue.addBulk(inputs.map((data) => ({ name: 'noop', data }))),
    /** @param {number} input */
    addOne: (input) => queue.add('noop', input),
    /** @param {number} concurrency */
    async work(concurrency) {
      worker = new Worker('bench', async ({ data }) => data, { connection, concurrency });
      worker.on('completed', () => {
        completed += 1;
      });
      worker.on('error', () => {});
      await worker.waitUntilReady();
    },
    counted: () => completed,
    async remove() {
      await worker?.close(true);
      await queue.close();
      await pool.query(`DROP SCHEMA ${space} CASCADE`);
      await pool.end();
    },
  };
}
