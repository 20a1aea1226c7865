// pg-boss on PostgreSQL, as fast as its documentation makes it: jobs fetched in batches, again at once while a batch
// comes back full, and the statistics of its table fresh.

import { PgBoss } from 'pg-boss';

const queue = 'bench';

/** @param {string} space its schema */
export async function open(space) {
  const boss = new PgBoss({
    connectionString: 'postgres://root@127.0.0.1:5432/test',
    schema: space,
    max: 10,
    schedule: false,
    monitorIntervalSeconds: 1,
    queueCacheIntervalSeconds: 1,
  });
  boss.on('error', () => {});
  await boss.start();
  await boss.createQueue(queue, { retryLimit: 0 });
  /** @param {string} sql */
  const run = async (sql) => (await boss.getDb().executeSql(sql)).rows;
  return {
    /** @param {number[]} inputs */
    addMany: (inputs) =>
      boss.insert(
        queue,
        inputs.map((n) => ({ data: { n } })),
      ),
    /** @param {number} n */
    addOne: (n) => boss.send(queue, { n }),
    /** @param {number} concurrency */
    async work(concurrency) {
      await run('analyze');
      await boss.work(
        queue,
        {
          batchSize: concurrency,
          burstWhenBatchFull: true,
          burstWhenReadyExceeds: 1,
          pollingIntervalSeconds: 0.5,
        },
        async () => {},
      );
    },
    async counted() {
      const [row] = await run(`select count(*)::int as n from ${space}.job where state = 'completed'`);
      return row.n;
    },
    remove: () => run(`drop schema ${space} cascade`),
  };
}
