// graphile-worker on PostgreSQL: as it comes, and as fast as its documentation makes it, with jobs fetched ahead into
// a local queue and completed in batches.

import { Logger, makeWorkerUtils, run } from 'graphile-worker';

const connectionString = 'postgres://root@127.0.0.1:5432/test';
const logger = new Logger(() => () => {});

const batches = { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };

/**
 * @param {string} space its schema
 * @param {string} variant
 */
export async function open(space, variant) {
  const utils = await makeWorkerUtils({ connectionString, schema: space, logger });
  await utils.migrate();
  /** @type {import('graphile-worker').Runner | null} */
  let runner = null;
  let added = 0;
  return {
    /** @param {number[]} inputs */
    async addMany(inputs) {
      await utils.addJobs(inputs.map((n) => ({ identifier: 'noop', payload: { n }, maxAttempts: 1 })));
      added += inputs.length;
    },
    /** @param {number} n */
    async addOne(n) {
      await utils.addJob('noop', { n }, { maxAttempts: 1 });
      added += 1;
    },
    /** @param {number} concurrency */
    async work(concurrency) {
      runner = await run({
        preset: {
          worker: {
            connectionString,
            schema: space,
            concurrentJobs: concurrency,
            ...(variant === 'batches' ? batches : {}),
          },
        },
        logger,
        noHandleSignals: true,
        taskList: { noop: async () => {} },
      });
    },
    /** What is completed is deleted. */
    async counted() {
      const before = added;
      const { rows } = await utils.withPgClient((client) =>
        client.query(`select count(*)::int as n from ${space}._private_jobs`),
      );
      return before - rows[0].n;
    },
    async remove() {
      await runner?.stop();
      await utils.withPgClient((client) => client.query(`drop schema ${space} cascade`));
    },
  };
}
