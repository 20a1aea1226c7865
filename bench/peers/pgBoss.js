// pg-boss has a job timeout, expireInSeconds, of one second at least; the worker's own timer keeps it, and the
// supervisor of any instance. That looks for expired jobs every second here, also from a second process.

import { PgBoss } from 'pg-boss';

const queue = 'trial';

/** @param {string} schema */
async function start(schema) {
  const boss = new PgBoss({
    connectionString: 'postgres://root@127.0.0.1:5432/test',
    schema,
    max: 4,
    schedule: false,
    superviseIntervalSeconds: 1,
    monitorIntervalSeconds: 1,
    maintenanceIntervalSeconds: 1,
    queueCacheIntervalSeconds: 1,
  });
  boss.on('error', () => {});
  return boss.start();
}

/** @param {string} space this trial's own, its schema */
export async function openClient(space) {
  const boss = await start(space);
  await boss.createQueue(queue, { expireInSeconds: 1, retryLimit: 0 });
  return {
    /** @param {object} data */
    add: (data) => boss.send(queue, data),
    /** @param {string} id */
    async state(id) {
      const job = await boss.getJobById(queue, id);
      if (job === null) return 'no such job';
      const { message = job.output?.value?.message } = job.output ?? {};
      return [job.state, message].filter(Boolean).join(': ');
    },
    async remove() {
      await boss.getDb().executeSql(`drop schema ${space} cascade`);
    },
  };
}

/**
 * @param {string} space
 * @param {(data: object) => unknown} task
 */
export async function startWorker(space, task) {
  const boss = await start(space);
  await boss.work(queue, { pollingIntervalSeconds: 0.5, batchSize: 1 }, ([{ data }]) => task(data));
}
