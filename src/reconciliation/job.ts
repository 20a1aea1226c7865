// The reconciliation job: a fold over the buckets of a staged pair of files. Written on the public API alone, as a
// user would write one. It promises that a chunk is run once however often the job is killed: the staging file
// says which are done, and the checkpoint is a view of it.

import { defineChunkedJob } from '../index.ts';
import { inspectSources } from './check.ts';
import { type Counts, compareBucket, doneBuckets, noCounts, progressOf, stagedRows } from './compare.ts';
import { foundEnough } from './enough.ts';
import { fingerprintOf } from './fingerprint.ts';
import { type CheckedInput, inputSchema } from './input.ts';
import { runPassChunk } from './passes/runPass.ts';
import { readSummary, writeReports } from './report.ts';
import type { Side, Source } from './source.ts';
import { openStaging, removeStaging, resumeOrStage, type Staging, stepsOf } from './staging.ts';
import { passedSteps, type Report } from './stagingProgress.ts';

/** How far a reconciliation is. */
export interface ReconciliationCheckpoint {
  /**
   * The staging it is a view of; null while that is made. Where it is missing, on another machine, the job starts at 0 again.
   */
  staging: string | null;
  /** Chunks in all: one for each bucket of keys, and as many for each matching pass. */
  buckets: number;
  /** Steps of the staging that count as items, as many as chunks. */
  staged: number;
  done: number;
  counts: Counts;
}

/**
 * An item of a chunk: a step of the staging, or a chunk of it: a bucket, or behind those a part of a pass. `done` ones were compared by an attempt whose checkpoint got lost:
 * they only count.
 */
type Task =
  | { kind: 'step'; chunks: number; staging: Staging | null }
  | { kind: 'bucket'; bucket: number; done: boolean; staging: Staging };

const MiB = 1 << 20;

/** How many chunks: about 48 MiB of CSV each, few enough to be quick and many enough to show progress. */
function bucketsFor({ checkpoint }: CheckedInput, { left, right }: Sources): number {
  if (!checkpoint) return 1;
  const bytes = left.size + right.size;
  return Math.min(1024, Math.max(bytes < MiB / 8 ? 8 : 16, Math.ceil(bytes / (48 * MiB))));
}

type Sources = Record<Side, Source>;

const inspected = new WeakMap<CheckedInput, Promise<Sources>>();

/** Once an attempt, so that all of it counts on one view of them. */
function sourcesOf(input: CheckedInput): Promise<Sources> {
  const known = inspected.get(input) ?? inspectSources(input);
  inspected.set(input, known);
  return known;
}

/** The built-in job: its definition, for a registry, under the name `reconciliation`. */
export default defineChunkedJob({
  module: import.meta.url,
  input: inputSchema,
  start: null as ReconciliationCheckpoint | null,

  /** The staging is half of the work, whatever a machine is good at: a step for each chunk. */
  async total(input: CheckedInput): Promise<number> {
    return stepsOf(bucketsFor(input, await sourcesOf(input)), input.passes) * 2;
  },

  async *chunks(input: CheckedInput, { checkpoint, signal, log }): AsyncGenerator<Task[]> {
    signal.throwIfAborted();
    // Killed between its last write and the end of the job: there is nothing left to do.
    if (checkpoint?.staging != null && (await readSummary(input.out, checkpoint.staging)) !== null) return;
    const sources = await sourcesOf(input);
    const buckets = bucketsFor(input, sources);
    const chunks = stepsOf(buckets, input.passes);
    const over = new AbortController();
    let staging: Staging | null = null;
    let staged = checkpoint?.staged ?? 0;
    const stage = async (progress: Report) => {
      staging = await resumeOrStage({
        input,
        sources,
        fingerprint: fingerprintOf(input, sources.left, sources.right),
        buckets,
        expected: checkpoint?.staging ?? null,
        signal: AbortSignal.any([signal, over.signal]),
        progress,
        startsOver: (why) => log.info(`Starting over: ${why} since the run that was left in ${input.out}.`),
      });
    };
    const steps = (count: number, of: Staging | null) =>
      Array.from({ length: Math.max(0, count) }, (): Task => ({ kind: 'step', chunks, staging: of }));
    let running: Promise<void> | undefined;
    try {
      let passed = 0;
      for await (const more of passedSteps(chunks, (progress) => {
        running = stage(progress);
        return running;
      })) {
        passed += more;
        // A retry stages anew, and its steps count once.
        if (passed <= staged) continue;
        yield steps(passed - staged, null);
        staged = passed;
      }
      yield* bucketTasks(staging!, input, checkpoint, steps(staging!.steps - staged, staging));
    } finally {
      over.abort();
      await running?.catch(() => undefined);
      (staging as Staging | null)?.database.close();
    }
  },

  async process(chunk, { input, checkpoint, append }): Promise<ReconciliationCheckpoint> {
    const steps = chunk.filter((task) => task.kind === 'step').length;
    const staged = (checkpoint?.staged ?? 0) + steps;
    const last = chunk.at(-1)!;
    if (last.staging === null)
      return {
        staging: null,
        buckets: (last as { chunks: number }).chunks,
        staged,
        done: 0,
        counts: noCounts,
      };
    const { staging } = last;
    for (const task of chunk) {
      if (task.kind === 'step' || task.done) continue;
      if (task.bucket < staging.buckets) await compareBucket(staging, task.bucket);
      else await runPassChunk(staging, task.bucket);
    }
    if (steps > 0) append(await stagedRows(staging));
    const next = { staging: staging.id, buckets: staging.steps, staged, ...(await progressOf(staging)) };
    // In one piece nothing of it outlives this attempt but the reports.
    if (!input.checkpoint && (next.done === staging.steps || (await foundEnough(staging, input)))) {
      await writeReports(staging, input);
      await removeStaging(input.out, staging.database);
    }
    return next;
  },

  async result(checkpoint, input: CheckedInput) {
    const written = checkpoint?.staging == null ? null : await readSummary(input.out, checkpoint.staging);
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

/** What is left of a staging; `steps` of it that were not counted yet come first. */
async function* bucketTasks(
  staging: Staging,
  input: CheckedInput,
  checkpoint: ReconciliationCheckpoint | null,
  steps: Task[],
): AsyncGenerator<Task[]> {
  const known = checkpoint?.staging === staging.id ? checkpoint.done : 0;
  const done = await doneBuckets(staging);
  const isDone = new Set(done);
  let chunk = [
    ...steps,
    ...done.slice(known).map((bucket): Task => ({ kind: 'bucket', bucket, done: true, staging })),
  ];
  // Of one that was found, the first chunk says at once how far it is.
  if (staging.isNew && chunk.length > 0) {
    yield chunk;
    chunk = [];
  }
  for (let bucket = 0; bucket < staging.steps; bucket += 1) {
    if (isDone.has(bucket)) continue;
    if (await foundEnough(staging, input)) break;
    yield [...chunk, { kind: 'bucket', bucket, done: false, staging }];
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}
