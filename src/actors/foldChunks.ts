// Runs a job's code to its end, wherever it is: the fold over chunks, or the one function. The same in the
// host (inline) and in a child process; who runs it says how a checkpoint is made durable.

import type { Logger } from 'pino';
import { ChunkInHand, inHand } from './chunkInHand.ts';
import { type ChunkContext, isChunked, type JobCode, type JobContext } from './jobCode.ts';
import { InputError, toJsonText } from './jsonText.ts';

/** What an attempt starts from. Plain data: it crosses to another process as it is. */
export interface AttemptStart {
  readonly jobId: string;
  readonly name: string;
  readonly attempt: number;
  readonly token: string;
  /** JSON text. */
  readonly input: string;
  /** JSON text of the last checkpoint; null before the first. */
  readonly checkpoint: string | null;
  /** Chunks that earlier attempts finished. */
  readonly chunksDone: number;
  readonly chunkSize: number;
  /** See OwnContext. Never stored. */
  readonly given?: unknown;
  /** As `trace` of the job, of this attempt's own span. */
  readonly trace: string | null;
}

export interface AttemptHost {
  readonly signal: AbortSignal;
  readonly log: Logger;
  heartbeat(): void;
  total(items: number): void;
  /** Resolves when checkpoint and rows are durable; rejects when the attempt is no longer the job's own. */
  saveCheckpoint(checkpoint: string, rows: readonly string[], items: number): Promise<void>;
}

/** Resolves with the result as JSON text; `undefined` becomes `null`. */
export async function foldChunks(code: JobCode, start: AttemptStart, host: AttemptHost): Promise<string> {
  const { jobId, attempt, token } = start;
  const { signal, log } = host;
  const context: JobContext = {
    ...{ jobId, attempt, token, signal, log, heartbeat: () => host.heartbeat() },
    ...(start.given === undefined ? {} : { given: start.given }),
  };
  signal.throwIfAborted();
  const input = JSON.parse(start.input);
  if (!isChunked(code)) return toJsonText(await code.run(input, context), 'result');

  let total: number | null = null;
  if (code.total !== undefined) {
    total = await code.total(input);
    if (!Number.isFinite(total))
      throw new InputError(`total: expected a number of items, got ${String(total)}.`);
    host.total(total);
  }
  // A copy of its own: a job that changes its checkpoint in place must not change the next job's first.
  let checkpoint: unknown = JSON.parse(start.checkpoint ?? toJsonText(code.start, 'start'));
  const hand = new ChunkInHand(start, total);
  const chunkContext: ChunkContext<unknown, unknown> & { [inHand]: ChunkInHand } = {
    ...context,
    input,
    get checkpoint() {
      return checkpoint;
    },
    chunkSize: start.chunkSize,
    append: (...rows) => hand.append(rows),
    [inHand]: hand,
  };
  for await (const chunk of code.chunks(input, chunkContext)) {
    signal.throwIfAborted();
    if (!Array.isArray(chunk)) throw new InputError('chunk: expected an array of items, got something else.');
    if (chunk.length === 0) {
      host.heartbeat();
      continue;
    }
    hand.begin(chunk.length);
    const { checkpoint: next, rows, items } = hand.finish(await code.process(chunk, chunkContext));
    await host.saveCheckpoint(next, rows, items);
    // Read back from its text, so that a run that is never interrupted sees what a resumed one would.
    checkpoint = JSON.parse(next);
  }
  signal.throwIfAborted();
  if (hand.hasRows) {
    throw new InputError(
      'append: expected rows in process(), got some after the last chunk. No checkpoint stores them.',
    );
  }
  return toJsonText(
    code.result === undefined ? checkpoint : await code.result(checkpoint, input, context),
    'result',
  );
}
