// The writes the job's chart asks for: the verdict on an attempt, and the intent to stop it. Each
// carries the token of its own attempt, never that of whichever is live now.

import { fromPromise } from 'xstate';
import { type Engine, type NewJob, StaleAttemptError, type StoredJob } from '../engines/engine.ts';
import type { JobChartContext, JobEvent } from '../machines/jobMessages.ts';
import type { StopIntent, Verdict } from '../machines/verdict.ts';

export interface EngineWritesHost {
  settled(token: string, job: StoredJob): void;
  /** Jobs to be stored with this end of an attempt. */
  followUps(token: string, verdict: Verdict): readonly NewJob[];
  /** The engine did not answer. */
  failed(error: unknown): void;
}

export function createStoreVerdict(engine: Engine, host: EngineWritesHost) {
  return ({ context, self }: { context: JobChartContext; self: { send(event: JobEvent): void } }): void => {
    const { jobId, token } = context;
    const verdict = context.verdict as Verdict;
    engine.settle(jobId, token, verdict, host.followUps(token, verdict)).then(
      (job) => {
        host.settled(token, job);
        self.send({ type: 'verdict.stored' });
      },
      (error) => {
        const isRefused = error instanceof StaleAttemptError;
        if (isRefused && error.intent !== null) {
          self.send({ type: 'verdict.overruled', intent: error.intent });
          return;
        }
        if (!isRefused) host.failed(error);
        self.send({ type: isRefused ? 'verdict.refused' : 'verdict.unanswered' });
      },
    );
  };
}

/** Never rejects: the verdict will say it again, and a stale token is found there. */
export function createStoreIntent(engine: Engine, host: Pick<EngineWritesHost, 'failed'>) {
  return fromPromise<void, { jobId: string; token: string; intent: StopIntent }>(
    async ({ input: { jobId, token, intent } }) => {
      if (intent.kind === 'leaseLost') return;
      try {
        await engine.recordIntent(jobId, token, intent);
      } catch (error) {
        if (!(error instanceof StaleAttemptError)) host.failed(error);
      }
    },
  );
}
