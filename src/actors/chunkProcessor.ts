// The child actor of a job: runs one attempt in its isolation, makes its checkpoints durable, and tells the
// job's chart what it sees: `chunk.heartbeat`, `chunk.completed`, `attempt.acknowledged`, `attempt.ended`.
// A chunk is reported as completed only when its checkpoint is durable. Once the stop of an attempt could not be
// proven, what still comes of it (heartbeat, checkpoint, result) is refused and logged; only its end is heard.

import { fromCallback } from 'xstate';
import type { Clock } from '../engines/clock.ts';
import { type Engine, type ProcessGroup, StaleAttemptError } from '../engines/engine.ts';
import type { AttemptCommand, JobEvent } from '../machines/jobMessages.ts';
import type { AttemptHandle, AttemptPort, AttemptSpec, Launch } from './attempt.ts';
import { gatherMs, toFailure } from './isolation/protocol.ts';

export interface LiveAttempt extends AttemptSpec {
  readonly launch: Launch;
  /** What to end it with, as soon as it runs. */
  launched(handle: AttemptHandle): void;
  /** As of the port. */
  started(group: ProcessGroup): Promise<void>;
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
    let chunk = live.start.chunksDone;
    let isChartOver = false;
    let isRefused = false;
    let hasEnded = false;
    // Of an attempt whose chart is over nothing is passed on: XState drops it.
    const report: (event: JobEvent) => void = sendBack;
    let askedAt: number | null = null;
    let total: number | null = null;
    let hasBeatenLate = false;

    const commit = async (checkpoint: string, rows: readonly string[], items: number): Promise<void> => {
      chunk += 1;
      for (;;) {
        if (isRefused) {
          live.log.warn('late checkpoint refused');
          throw new StaleAttemptError(jobId, 'checkpoint');
        }
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

    const beats = gathered(clock, () => {
      live.lived();
      report({ type: 'chunk.heartbeat' });
    });
    const port: AttemptPort = {
      started: (group) => live.started(group),
      heartbeat() {
        if (!isRefused) return beats.beat();
        // Once is enough: it may go on for ever.
        if (!hasBeatenLate) live.log.warn('late heartbeat refused');
        hasBeatenLate = true;
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
      expired: (kind) => report({ type: 'job.timeOut', kind, by: 'watchdog' }),
      lapsed: () => report({ type: 'lease.lost' }),
      ended(outcome, exit) {
        if (hasEnded) return;
        hasEnded = true;
        beats.stop();
        live.over();
        if (isRefused) live.log.warn({ outcome: outcome.kind }, `late result refused: ${outcome.kind}`);
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
      if (command.type === 'stop.refuse') isRefused = true;
      else if (command.type === 'stop.ask') handle?.ask(command.intent.kind);
      else if (command.type === 'stop.terminate') handle?.terminate();
      else handle?.kill();
    });
    return () => {
      isChartOver = true;
      isRefused = true;
      beats.stop();
    };
  });
}

/**
 * Signs of life that come close together are passed on as one: the first at once, the last of them when the
 * others are over, so that a timeout counts from it and is never early.
 */
function gathered(clock: Clock, lived: () => void): { beat(): void; stop(): void } {
  let heardAt = -Infinity;
  let trailing: unknown = null;
  const hear = () => {
    heardAt = clock.monotonic();
    trailing = null;
    lived();
  };
  return {
    beat() {
      if (trailing !== null) return;
      if (clock.monotonic() - heardAt >= gatherMs) hear();
      else trailing = clock.setTimeout(hear, gatherMs);
    },
    stop() {
      if (trailing !== null) clock.clearTimeout(trailing);
    },
  };
}
