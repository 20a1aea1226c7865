// invoices.ts: the job, in a file of its own
import { defineChunkedJob } from '../../src/index.ts';

export default defineChunkedJob({
  module: import.meta.url,
  heartbeatTimeoutSeconds: 2,
  retry: { maxAttempts: 3 },
  start: { sent: 0 },
  *chunks({ customers }: { customers: string[] }, { checkpoint, chunkSize }) {
    for (let at = checkpoint.sent; at < customers.length; at += chunkSize) {
      yield customers.slice(at, at + chunkSize);
    }
  },
  process(chunk, { checkpoint, attempt, append }) {
    // A bug that no await and no AbortSignal can get out of:
    while (attempt === 1 && chunk.includes('Carol')) {}
    append(...chunk.map((customer) => ({ customer, attempt })));
    return { sent: checkpoint.sent + chunk.length };
  },
});
