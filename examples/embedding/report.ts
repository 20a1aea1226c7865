// report.ts: the job, in a file of its own
import { defineJob } from 'unstuck';

export default defineJob({
  module: import.meta.url,
  retry: { maxAttempts: 3, backoff: { kind: 'exponential', seconds: 1 } },
  run: ({ month }: { month: string }) => ({ title: `Report of ${month}` }),
});
