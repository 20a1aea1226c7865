// Makes a chunk every 100 ms for as long as its input says: alive, and never stuck.

import { defineChunkedJob } from '../../src/index.ts';

export default defineChunkedJob({
  module: import.meta.url,
  start: 0,
  async *chunks({ seconds }: { seconds: number }, { log }) {
    log.info({ pids: [process.pid] }, 'steady');
    const until = performance.now() + seconds * 1000;
    while (performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      yield [1];
    }
  },
  process: (_, { checkpoint }) => checkpoint + 1,
});
