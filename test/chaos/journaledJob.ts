// A chunked job that writes down what it does in a file that outlives every process: `run` when a chunk is run,
// `ack` when the engine has acknowledged its checkpoint. Each line is one write at the end of the file, so the order
// of lines is the order in which they happened.

import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineChunkedJob } from '../../src/index.ts';

export interface JournaledInput {
  key: string;
  chunks: number;
  chunkMs: number;
  journal: string;
}

export default defineChunkedJob({
  module: import.meta.url,
  // A child that is killed is a failed attempt.
  retry: { maxAttempts: 1000 },
  start: 0,
  *chunks({ key, chunks, journal }: JournaledInput, { checkpoint }) {
    for (let index = checkpoint; index < chunks; index += 1) {
      yield [index];
      // Pulled again: the checkpoint of this chunk is acknowledged.
      appendFileSync(journal, `ack ${key} ${index}\n`);
    }
  },
  async process([index = 0], { input: { key, chunkMs, journal }, append }) {
    appendFileSync(journal, `run ${key} ${index}\n`);
    await sleep(chunkMs);
    append({ index });
    return index + 1;
  },
});
