// graphile-worker has no job timeout: a job whose worker is silent is given on after four hours.

import { Logger, makeWorkerUtils, run } from 'graphile-worker';

const connectionString = 'postgres://root@127.0.0.1:5432/test';
const logger = new Logger(() => () => {});

/** @param {string} space this trial's own, its schema */
export async function openClient(space) {
  const utils = await makeWorkerUtils({ connectionString, schema: space, logger });
  await utils.migrate();
  return {
    /** @param {object} data */
    add: async (data) => (await utils.addJob('task', data, { maxAttempts: 1 })).id,
    /** @param {string} id */
    async state(id) {
      const found = await utils.withPgClient((client) =>
        client.query(`select locked_at, attempts, last_error from ${space}.jobs where id = $1`, [id]),
      );
      const [job] = found.rows;
      // A job that is done is deleted.
      if (job === undefined) return 'completed';
      if (job.locked_at !== null) return 'locked';
      return job.attempts === 0 ? 'waiting' : `failed: ${job.last_error}`;
    },
    async remove() {
      await utils.withPgClient((client) => client.query(`drop schema ${space} cascade`));
    },
  };
}

/**
 * @param {string} space
 * @param {(data: object) => unknown} task
 */
export async function startWorker(space, task) {
  await run({
    connectionString,
    schema: space,
    logger,
    concurrency: 1,
    pollInterval: 500,
    noHandleSignals: true,
    taskList: { task: (data) => task(/** @type {object} */ (data)) },
  });
}
