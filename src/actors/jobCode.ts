// What a job's author writes, as the attempt that runs it sees it: one function, or a fold over chunks.
// The runtime adds settings around these shapes (runtime/definitions.ts); nothing here knows where code runs.

import type { Logger } from 'pino';

/** What running code is told about itself. The same in every isolation. */
export interface JobContext {
  readonly jobId: string;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** Fences this attempt: send it along with writes elsewhere and refuse those of an older attempt. */
  readonly token: string;
  /** Aborted when the attempt is asked to stop; its reason says why. Pass it on to fetch, timers, queries. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** A sign of life by hand, for inline code; isolated attempts also beat by themselves. Cheap: gathered. */
  readonly heartbeat: () => void;
}

/** Of jobs of our own: what the host gives to an attempt beside the stored input. */
export interface OwnContext extends JobContext {
  readonly given: unknown;
}

/** The same, in a chunked job. */
export interface ChunkContext<I, C> extends JobContext {
  readonly input: I;
  /** The last acknowledged checkpoint, or the definition's `start`. */
  readonly checkpoint: C;
  /** Items a chunk should hold; frozen when the job was submitted. */
  readonly chunkSize: number;
  /** Output rows (JSON objects), stored in the transaction of this chunk's checkpoint, on every engine. */
  readonly append: (...rows: object[]) => void;
}

export interface OneJobCode<I, R> {
  /** The whole job. What it returns (JSON) is the job's result; what it throws fails the attempt. */
  run(input: I, context: JobContext): R | Promise<R>;
}

/** A fold over chunks: `process` takes a chunk and the checkpoint before it, and returns the next. */
export interface ChunkedJobCode<I, C, T, R> {
  /** The first checkpoint. It fixes the checkpoint's type. */
  start: C;
  /**
   * The chunks from `context.checkpoint` on. The next is pulled only after the checkpoint of the last one
   * is acknowledged. An empty chunk counts as a sign of life, not as progress.
   */
  chunks(input: I, context: ChunkContext<I, C>): AsyncIterable<T[]> | Iterable<T[]>;
  /** Returns the next checkpoint (JSON), the only way to make one. */
  process(chunk: T[], context: ChunkContext<I, C>): NoInfer<C> | Promise<NoInfer<C>>;
  /** Items in all, for progress and time left. */
  total?(input: I): number | Promise<number>;
  /** What the job gives back. Default: the last checkpoint. */
  result?(checkpoint: C, input: I, context: JobContext): R | Promise<R>;
}

// biome-ignore lint/suspicious/noExplicitAny: one registry holds jobs of every input and result.
export type JobCode = OneJobCode<any, any> | ChunkedJobCode<any, any, any, any>;

export function isChunked(
  code: JobCode,
  // biome-ignore lint/suspicious/noExplicitAny: see JobCode.
): code is ChunkedJobCode<any, any, any, any> {
  return 'chunks' in code;
}
