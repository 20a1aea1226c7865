// A chunked job in a process of its own that writes down, in a file that outlives every process, that it begins, that it still lives
// (every 50 ms), each chunk that it runs and each whose checkpoint was acknowledged; all with the token of its attempt and the time of
// the kernel's one monotonic clock. Each line is one write at the end of the file: the order of lines is that of what happened.

import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineChunkedJob } from '../../../src/index.ts';

export interface StepsInput {
  key: string;
  chunks: number;
  chunkMs: number;
}

const aliveMs = 50;

/** Of all processors together, and of one key. */
export const stepsLimits = { concurrency: 5, concurrencyPerKey: 2 };

export default defineChunkedJob({
  module: import.meta.url,
  // A child that is killed is a failed attempt.
  retry: { maxAttempts: 1000, on: ['failed'], backoff: { kind: 'fixed', seconds: 0.1 } },
  limits: stepsLimits,
  start: 0,
  *chunks({ key, chunks }: StepsInput, { checkpoint, token }) {
    const said = journalOf(key, token);
    said('begin');
    const living = setInterval(() => said('alive'), aliveMs);
    try {
      for (let index = checkpoint; index < chunks; index += 1) {
        yield [index];
        // Pulled again: the checkpoint of this chunk is acknowledged.
        said(`ack ${index}`);
      }
    } finally {
      clearInterval(living);
    }
  },
  async process([index = 0], { input: { key, chunkMs }, append, token }) {
    journalOf(key, token)(`run ${index}`);
    await sleep(chunkMs);
    append({ index });
    return index + 1;
  },
});

function journalOf(key: string, token: string) {
  const journal = process.env.CHAOS_JOURNAL as string;
  return (what: string) =>
    appendFileSync(journal, `${key} ${token} ${Number(process.hrtime.bigint() / 1_000_000n)} ${what}\n`);
}
