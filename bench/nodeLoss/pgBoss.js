// pg-boss, with its defaults; or, variant `heartbeat`, with the shortest heartbeat of a job that it takes.

import { PgBoss } from 'pg-boss';

const connectionString = process.env.UNSTUCK_POSTGRES ?? 'postgres://root@127.0.0.1:5432/test';
const queue = 'pause';

/**
 * @param {string} space its schema
 * @param {string} variant
 */
export async function open(space, variant) {
  const boss = new PgBoss({ connectionString, schema: space, max: 10 });
  boss.on('error', () => {});
  await boss.start();
  await boss.createQueue(
    queue,
    variant === 'heartbeat' ? { heartbeatSeconds: 10, retryLimit: 5 } : { retryLimit: 5 },
  );
  return {
    /** @param {number[]} numbers */
    add: (numbers) =>
      boss.insert(
        queue,
        numbers.map((n) => ({ data: { n } })),
      ),
    /**
     * @param {number} concurrency
     * @param {(n: number) => Promise<void>} run
     */
    work: (concurrency, run) =>
      boss.work(queue, { localConcurrency: concurrency, pollingIntervalSeconds: 0.5 }, async ([job]) =>
        run(/** @type {any} */ (job).data.n),
      ),
  };
}
