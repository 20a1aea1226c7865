// What the engine acknowledged of each job, chunk by chunk, beside what it has stored: so that a test can tell what was done
// once, twice or by whom.

import type { CheckpointWrite } from '../engines/engine.ts';
import type { SimulatedAttempt } from './simulatedAttempt.ts';

/** One chunk as the engine was told of it. */
export interface RecordedChunk {
  /** The chunk's number in the job, from 1. */
  readonly chunk: number;
  readonly attempt: number;
  readonly checkpoint: unknown;
  /** What it appended. */
  readonly rows: readonly unknown[];
  readonly items: number;
}

/** What became of a job's chunks. */
export interface JobRecord {
  /** Acknowledged, in their order. */
  readonly chunks: readonly RecordedChunk[];
  /** Refused: the attempt was not the job's own any more. */
  readonly refused: readonly RecordedChunk[];
  /** For each attempt the checkpoint it started from, undefined: from the beginning; and how many chunks were done by then. */
  readonly startedFrom: readonly {
    readonly attempt: number;
    readonly checkpoint: unknown;
    readonly chunks: number;
  }[];
}

interface Kept {
  chunks: RecordedChunk[];
  refused: RecordedChunk[];
  startedFrom: { attempt: number; checkpoint: unknown; chunks: number }[];
}

export class Records {
  readonly #byJob = new Map<string, Kept>();
  readonly #attempts = new Map<string, number>();

  of(jobId: string): JobRecord {
    return this.#of(jobId);
  }

  started({ spec }: SimulatedAttempt): void {
    const { jobId, attempt, token, checkpoint } = spec.start;
    this.#attempts.set(token, attempt);
    const { chunks, startedFrom } = this.#of(jobId);
    startedFrom.push({
      attempt,
      chunks: chunks.length,
      checkpoint: checkpoint === null ? undefined : JSON.parse(checkpoint),
    });
  }

  acknowledged(write: CheckpointWrite): void {
    const { chunks } = this.#of(write.id);
    // One whose answer was lost comes again, and is stored once.
    if ((chunks.at(-1)?.chunk ?? 0) < write.chunk) chunks.push(this.#chunkOf(write));
  }

  refused(write: CheckpointWrite): void {
    this.#of(write.id).refused.push(this.#chunkOf(write));
  }

  forget(jobId: string): void {
    this.#byJob.delete(jobId);
  }

  #chunkOf({ chunk, token, checkpoint, rows, items }: CheckpointWrite): RecordedChunk {
    return {
      ...{ chunk, items, attempt: this.#attempts.get(token) ?? 0 },
      checkpoint: JSON.parse(checkpoint),
      rows: rows.map((row) => JSON.parse(row)),
    };
  }

  #of(jobId: string): Kept {
    const kept = this.#byJob.get(jobId) ?? { chunks: [], refused: [], startedFrom: [] };
    this.#byJob.set(jobId, kept);
    return kept;
  }
}
