// The reconciliation with another bug: in the middle of its run it awaits a promise that nobody ever settles. The
// event loop is free, so the process beats on: it is alive, and stuck. Only progress tells.

import { defineChunkedJob } from '../../src/index.ts';
import { reconciliation } from '../../src/reconciliation/index.ts';

export default defineChunkedJob({
  ...reconciliation,
  module: import.meta.url,

  async process(chunk, context) {
    const { done = 0, buckets = 0 } = context.checkpoint ?? {};
    if (context.attempt === 1 && done > 0 && done === Math.floor(buckets / 2)) {
      context.log.info(
        { pid: process.pid },
        `chunk ${done + 1}, process ${process.pid}: await new Promise(() => {})`,
      );
      await new Promise(() => {});
    }
    return reconciliation.process(chunk, context);
  },
});
