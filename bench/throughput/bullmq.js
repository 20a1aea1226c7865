// BullMQ on Redis. How durable it is, Redis decides: see redisDurability.ts.

import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';

const connection = { host: '127.0.0.1', port: 6379, maxRetriesPerRequest: null };

/** @param {string} space a prefix of its keys */
export async function open(space) {
  const queue = new Queue('bench', { connection, prefix: space });
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
      worker = new Worker('bench', async ({ data }) => data, { connection, prefix: space, concurrency });
      worker.on('completed', () => {
        completed += 1;
      });
      await worker.waitUntilReady();
    },
    counted: () => completed,
    async remove() {
      await worker?.close(true);
      await queue.close();
      const redis = new Redis(connection);
      for (const keys = await redis.keys(`${space}:*`); keys.length > 0; )
        await redis.unlink(keys.splice(0, 10_000));
      await redis.quit();
    },
  };
}
