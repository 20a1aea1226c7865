// The reconciliation job: a fold over the buckets of a staged pair of files. Written on the public API alone, as a
// user would write one. It promises that a chunk is run once however often the job is killed: the staging file
// says which are done, and the checkpoint is a view of it.

import { defineChunkedJob } from '../index.ts';
import { inspectSources } from './check.ts';
import { type Counts, compareBucket, doneBuckets, progressOf } from './compare.ts';
import { foundEnough } from './enough.ts';
import { fingerprintOf } from './fingerprint.ts';
import { type CheckedInput, inputSchema } from './input.ts';
import { readSummary, writeReports } from './report.ts';
import type { Source } from './source.ts';
import { openStaging, removeStaging, resumeOrStage, type Staging } from './staging.ts';

/** How far a reconciliation is. */
export interface ReconciliationCheckpoint {
  /** The staging it is a view of. Where that is missing, on another machine, the job starts at 0 again. */
  staging: string;
  buckets: number;
  done: number;
  counts: Counts;
}

/** An item of a chunk. `done` ones were compared by an attempt whose checkpoint got lost: they only count. */
interface BucketTask {
  bucket: number;
  done: boolean;
  staging: Staging;
}

const MiB = 1 << 20;

/** How many chunks: about 48 MiB of CSV each, few enough to be quick and many enough to show progress. */
function bucketsFor({ checkpoint }: CheckedInput, { left, right }: { left: Source; right: Source }): number {
  if (!checkpoint) return 1;
  // Parquet is packed: its rows are about four times what the file is.
  const bytes = [left, right].reduce((sum, source) => sum + source.size * (source.csv === null ? 4 : 1), 0);
  return Math.min(1024, Math.max(bytes < MiB / 8 ? 8 : 16, Math.ceil(bytes / (48 * MiB))));
}

/** The built-in job: its definition, for a registry, under the name `reconciliation`. */
export default defineChunkedJob({
  module: import.meta.url,
  input: inputSchema,
  start: null as ReconciliationCheckpoint | null,

  async total(input: CheckedInput): Promise<number> {
    return bucketsFor(input, await inspectSources(input));
  },

  async *chunks(input: CheckedInput, { checkpoint, signal }): AsyncGenerator<BucketTask[]> {
    signal.throwIfAborted();
    // Killed between its last write and the end of the job: there is nothing left to do.
    if (checkpoint !== null && (await readSummary(input.out, checkpoint.staging)) !== null) return;
    const sources = await inspectSources(input);
    const staging = await resumeOrStage({
      input,
      sources,
      fingerprint: fingerprintOf(input, sources.left, sources.right),
      buckets: bucketsFor(input, sources),
      expected: checkpoint?.staging ?? null,
      signal,
    });
    try {
      const known = checkpoint?.staging === staging.id ? checkpoint.done : 0;
      const done = await doneBuckets(staging);
      const isDone = new Set(done);
      let chunk = done.slice(known).map((bucket): BucketTask => ({ bucket, done: true, staging }));
      for (let bucket = 0; bucket < staging.buckets; bucket += 1) {
        if (isDone.has(bucket)) continue;
        if (await foundEnough(staging, input)) break;
        yield [...chunk, { bucket, done: false, staging }];
        chunk = [];
      }
      if (chunk.length > 0) yield chunk;
    } finally {
      staging.database.close();
    }
  },

  async process(chunk, { input }): Promise<ReconciliationCheckpoint> {
    const { staging } = chunk[0]!;
    for (const task of chunk) if (!task.done) await compareBucket(staging, task.bucket);
    const checkpoint = { staging: staging.id, buckets: staging.buckets, ...(await progressOf(staging)) };
    if (!input.checkpoint) {
      // Nothing of it outlives this attempt but the reports.
      await writeReports(staging, input);
      await removeStaging(input.out, staging.database);
    }
    return checkpoint;
  },

  async result(checkpoint, input: CheckedInput) {
    const written = checkpoint === null ? null : await readSummary(input.out, checkpoint.staging);
    if (written !== null) return written;
    const { database, staging } = await openStaging(input);
    try {
      if (staging === null || staging.id !== checkpoint?.staging) {
        // Opening made an empty one.
        if (staging === null) await removeStaging(input.out, database);
        throw new Error(`${input.out}: the staging of this run is gone. Run the reconciliation again.`);
      }
      const summary = await writeReports(staging, input);
      await removeStaging(input.out, database);
      return summary;
    } finally {
      database.close();
    }
  },
});
