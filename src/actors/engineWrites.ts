// The writes the job's chart waits for, as actors: the verdict on an attempt, and the intent to stop it.

import { fromPromise } from 'xstate';
import { type Engine, StaleAttemptError, type StoredJob } from '../engines/engine.ts';
import type { StopIntent, Verdict } from '../machines/verdict.ts';

/** A write that must not be tried again: the attempt is no longer the job's own. */
export class RefusedWrite extends Error {
  readonly refused = true;
}

export function createSettle(
  engine: Engine,
  tokenOf: (jobId: string) => string,
  settled: (job: StoredJob) => void,
) {
  return fromPromise<void, { jobId: string; verdict: Verdict }>(async ({ input: { jobId, verdict } }) => {
    try {
      settled(await engine.settle(jobId, tokenOf(jobId), verdict));
    } catch (error) {
      if (error instanceof StaleAttemptError) throw new RefusedWrite(error.message, { cause: error });
      throw error;
    }
  });
}

export function createRecordIntent(engine: Engine, tokenOf: (jobId: string) => string) {
  return fromPromise<void, { jobId: string; intent: StopIntent }>(async ({ input: { jobId, intent } }) => {
    if (intent.kind !== 'leaseLost') await engine.recordIntent(jobId, tokenOf(jobId), intent);
  });
}
