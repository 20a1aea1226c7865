// What became of a reconciliation, as the exit code and the one JSON object tell it. Scripts hold on to both, so
// they are made here and nowhere else.

import type { JobState } from '../index.ts';
import type { ReconciliationSummary } from '../reconciliation/index.ts';

export const exitCodes = { matches: 0, differs: 1, failed: 2, timedOut: 3 } as const;

export interface Outcome {
  /** Bad input counts as `failed`, though no job was started. */
  readonly state: JobState;
  readonly summary: ReconciliationSummary | null;
  readonly seconds: number;
  readonly attempts: number;
  /** One line; null where all went well. */
  readonly error: string | null;
  /** Where `summary` does not say it: what the signal that ended it stands for. */
  readonly exitCode: number;
}

export function badInput(error: string, seconds = 0): Outcome {
  return { state: 'failed', summary: null, seconds, attempts: 0, error, exitCode: exitCodes.failed };
}

/** Rows that could not be read were compared with nothing: neither "matches" nor "differs" would be true. */
export function exitCodeOf({ rejected, ...summary }: ReconciliationSummary): number {
  if (rejected.left + rejected.right > 0) return exitCodes.failed;
  const { mismatched, onlyLeft, onlyRight, duplicateRows } = summary;
  const differs = mismatched + onlyLeft + onlyRight + duplicateRows.left + duplicateRows.right > 0;
  return differs ? exitCodes.differs : exitCodes.matches;
}

/** What is not known is null. `error` is there only where something went wrong, and what makes the numbers partial where they are. */
export function toJson({ state, summary, seconds, attempts, error }: Outcome): string {
  return JSON.stringify({
    state,
    left: summary?.left ?? null,
    right: summary?.right ?? null,
    matched: summary?.matched ?? null,
    mismatched: summary?.mismatched ?? null,
    onlyLeft: summary?.onlyLeft ?? null,
    onlyRight: summary?.onlyRight ?? null,
    duplicateKeys: summary?.duplicateKeys ?? null,
    columns: summary?.columns ?? null,
    ...(summary === null || summary.passes.length === 0 ? {} : { passes: summary.passes }),
    seconds: Math.round(seconds * 1000) / 1000,
    attempts,
    report: summary?.report ?? null,
    ...(summary?.stoppedEarly ? { stoppedEarly: summary.stoppedEarly } : {}),
    ...(summary?.sample ? { sample: summary.sample } : {}),
    ...(error === null ? {} : { error }),
  });
}
