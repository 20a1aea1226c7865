// When a run that was asked to stop after so many differences has found them. Chunks are done in one order, so the same
// run ends after the same one, however often it is killed.

import type { CheckedInput } from './input.ts';
import type { Staging } from './staging.ts';

export async function foundEnough({ database }: Staging, { stopAfter }: CheckedInput): Promise<boolean> {
  if (stopAfter === null) return false;
  const [row] = await database.rows(
    `SELECT coalesce(sum(mismatched + only_left + only_right + left_duplicate_keys + right_duplicate_keys), 0)::DOUBLE AS found
     FROM chunks WHERE done`,
  );
  return (row!.found as number) >= stopAfter;
}
