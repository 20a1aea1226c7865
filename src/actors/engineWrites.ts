// The writes the job's chart asks for, as actors: the verdict on an attempt, and the intent to stop it. Each
// carries the token of its own attempt, never that of whichever is live now.

import { fromPromise } from 'xstate';
import { type Engine, StaleAttemptError, type StoredJob } from '../engines/engine.ts';
import type { StopIntent, Verdict } from '../machines/verdict.ts';

/** A write that must not be tried again: the attempt is no longer the job's own. */
export class RefusedWrite extends Error {
  readonly refused = true;
}

export interface EngineWritesHost {
  settled(token: string, job: StoredJob): void;
  /** The engine did not answer. */
  failed(error: unknown): void;
}

export function createSettle(engine: Engine, host: EngineWritesHost) {
  return fromPromise<void, { jobId: string; token: string; verdict: Verdict }>(
    async ({ input: { jobId, token, verdict } }) => {
      try {
        host.settled(token, await engine.settle(jobId, token, verdict));
      } catch (error) {
        if (error instanceof StaleAttemptError) throw new RefusedWrite(error.message, { cause: error });
        host.failed(error);
        throw error;
      }
    },
  );
}

/** Never rejects: the verdict will say it again, and a stale token is found there. */
export function createStoreIntent(engine: Engine, host: EngineWritesHost) {
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
