// The reconciliation with a bug: in the middle of its run, in the middle of a chunk, the code never comes back.
// The event loop is blocked, so the process falls silent, and no signal, promise or timer in it is ever served.
// Only the first attempt has the bug, so that the second can show where it goes on.

import { defineChunkedJob } from '../../src/index.ts';
import { reconciliation } from '../../src/reconciliation/index.ts';

export default defineChunkedJob({
  ...reconciliation,
  module: import.meta.url,

  process(chunk, context) {
    const work = reconciliation.process(chunk, context);
    const { done = 0, buckets = 0 } = context.checkpoint ?? {};
    if (context.attempt === 1 && done > 0 && done === Math.floor(buckets / 2)) {
      context.log.info({ pid: process.pid }, `chunk ${done + 1}, process ${process.pid}: while (true) {}`);
      while (true) {}
    }
    return work;
  },
});
