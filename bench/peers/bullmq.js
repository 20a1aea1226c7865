// BullMQ has no job timeout. Nearest to one is its lock: a job whose worker no longer renews it has stalled, and
// is put back. Both are set to one second here.

import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';

const connection = { host: '127.0.0.1', port: 6379, maxRetriesPerRequest: null };
const sandboxed = new URL('sandboxed.js', import.meta.url);

/** @param {string} space this trial's own, a prefix of its keys */
export async function openClient(space) {
  const queue = new Queue('trial', { connection, prefix: space });
  // A second process that looks for stalled jobs, as in a deployment of several: the first may be blocked.
  const lookout = new Worker('trial', undefined, { ...workerOptions(space), autorun: false });
  await lookout.waitUntilReady();
  lookout.on('error', () => {});
  lookout.startStalledCheckTimer();
  return {
    /** @param {object} data */
    add: async (data) => (await queue.add('task', data)).id,
    /** @param {string} id */
    async state(id) {
      const job = await queue.getJob(id);
      if (job === undefined) return 'no such job';
      return [await job.getState(), job.failedReason].filter(Boolean).join(': ');
    },
    async remove() {
      await lookout.close(true);
      await queue.close();
      // Not queue.obliterate(): that leaves the locks of active jobs.
      const redis = new Redis(connection);
      const keys = await redis.keys(`${space}:*`);
      if (keys.length > 0) await redis.del(keys);
      await redis.quit();
    },
  };
}

/**
 * @param {string} space
 * @param {(data: object) => unknown} task
 * @param {string} variant
 */
export async function startWorker(space, task, variant) {
  const run = variant === 'sandboxed' ? sandboxed : (/** @type {{ data: object }} */ { data }) => task(data);
  const worker = new Worker('trial', run, workerOptions(space));
  worker.on('error', () => {});
  await worker.waitUntilReady();
}

/** @param {string} prefix */
function workerOptions(prefix) {
  return { connection, prefix, concurrency: 1, lockDuration: 1000, stalledInterval: 1000 };
}
