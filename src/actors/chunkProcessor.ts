// The child actor of a job: runs one attempt in its isolation, makes its checkpoints durable, and tells the
// job's chart what it sees: `chunk.heartbeat`, `chunk.completed`, `attempt.acknowledged`, `attempt.ended`.
// A chunk is reported as completed only when its checkpoint is durable. When the chart is over before the
// attempt is (a stop that could not be proven), what still comes is refused and logged.

import { fromCallback } from 'xstate';
import type { Clock } from '../engines/clock.ts';
import { type Engine, StaleAttemptError } from '../engines/engine.ts';
import type { AttemptCommand, JobEvent } from '../machines/jobMessages.ts';
import type { AttemptHandle, AttemptPort, AttemptSpec, Launch } from './attempt.ts';
import { toFailure } from './protocol.ts';

export interface LiveAttempt extends AttemptSpec {
  readonly launch: Launch;
  /** Chunks that earlier attempts finished. */
  readonly chunksDone: number;
  /** What to end it with, as soon as it runs. */
  launched(handle: AttemptHandle): void;
  lived(): void;
  progressed(items: number): void;
  counted(total: number): void;
  /** Nothing of the attempt runs any more: its slot is free. */
  over(): void;
}

const retryMs = 1000;

export function createChunkProcessor(
  engine: Engine,
  clock: Clock,
  attemptOf: (token: string) => LiveAttempt,
  failed: (error: unknown) => void,
) {
  return fromCallback<AttemptCommand, { token: string }>(({ input: { token }, receive, sendBack }) => {
    const live = attemptOf(token);
    const { jobId } = live.start;
    let chunk = live.chunksDone;
    let isChartOver = false;
    let hasEnded = false;
    const report = (event: JobEvent) => {
      if (!isChartOver) sendBack(event);
    };
    let askedAt: number | null = null;
    let total: number | null = null;

    const commit = async (checkpoint: string, rows: readonly string[], items: number): Promise<void> => {
      chunk += 1;
      for (;;) {
        try {
          return await engine.checkpoint({ id: jobId, token, chunk, checkpoint, rows, items, total });
        } catch (error) {
          live.log.warn({ err: error }, `checkpoint refused: ${(error as Error).message}`);
          if (!(error instanceof StaleAttemptError)) failed(error);
          if (error instanceof StaleAttemptError) report({ type: 'lease.lost' });
          if (error instanceof StaleAttemptError || isChartOver) throw error;
          await new Promise<void>((resolve) => clock.setTimeout(resolve, retryMs));
        }
      }
    };

    const port: AttemptPort = {
      heartbeat() {
        if (isChartOver) return;
        live.lived();
        report({ type: 'chunk.heartbeat' });
      },
      acknowledged: () => report({ type: 'attempt.acknowledged' }),
      total(items) {
        total = items;
        live.counted(items);
      },
      async checkpoint(checkpoint, rows, items) {
        await commit(checkpoint, rows, items);
        live.progressed(items);
        report({ type: 'chunk.completed' });
      },
      ended(outcome, exit) {
        if (hasEnded) return;
        hasEnded = true;
        live.over();
        if (isChartOver) live.log.warn({ outcome: outcome.kind }, `late result refused: ${outcome.kind}`);
        const stopSeconds = askedAt === null ? null : Math.round(clock.monotonic() - askedAt) / 1000;
        report({ type: 'attempt.ended', outcome, at: clock.now(), stopSeconds, ...exit });
      },
    };
    const launch = () => {
      try {
        const handle = live.launch(live, port);
        live.launched(handle);
        return handle;
      } catch (error) {
        queueMicrotask(() => port.ended({ kind: 'failed', failure: toFailure(error) }));
        return null;
      }
    };
    const handle = launch();
    receive((command) => {
      askedAt ??= clock.monotonic();
      if (command.type === 'stop.ask') handle?.ask(command.intent.kind);
      else if (command.type === 'stop.terminate') handle?.terminate();
      else handle?.kill();
    });
    return () => {
      isChartOver = true;
    };
  });
}
