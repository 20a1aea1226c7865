// The job as an app runs it, in a process of its own: ours.ts LEFT RIGHT OUT MEMORY CHECKPOINT. Prints the seconds from
// submit to result, and what it found.

import { JobProcessor } from '../../src/index.ts';
import { reconciliation, startReconciliationJob } from '../../src/reconciliation/index.ts';

const [left = '', right = '', out = '', memory = '', checkpoint] = process.argv.slice(2);
const processor = new JobProcessor({ engine: 'memory', jobs: { reconciliation }, maxConcurrentJobs: 1 });
await processor.start();
// The spare is ready, as in an app that has been up for a while.
await new Promise((resolve) => setTimeout(resolve, 1500));
const startedAt = performance.now();
const job = await startReconciliationJob(processor, {
  ...{ left, right, out, memory, key: ['id'], checkpoint: checkpoint === 'true' },
});
const { matched, mismatched, onlyLeft, onlyRight, duplicateRows } = await job.result();
const seconds = (performance.now() - startedAt) / 1000;
const counts = {
  matched,
  mismatched,
  onlyLeft,
  onlyRight,
  duplicates: duplicateRows.left + duplicateRows.right,
};
await processor.stop();
console.log(JSON.stringify({ seconds, counts }));
