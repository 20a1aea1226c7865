// What a job waits for, as it is stored: the part of a row that claims are found by.

import type { NewJob } from './engine.ts';

/** Of a job at rest, what it waits for; of a live one that has a concurrency key, `alive`; null otherwise. */
export const stages = { notBefore: 0, slot: 1, itsKey: 2, alive: 3 } as const;

export function stageOf(
  { notBefore, concurrencyKey }: Pick<NewJob, 'notBefore' | 'concurrencyKey'>,
  now: number,
): number {
  if (notBefore !== null && notBefore > now) return stages.notBefore;
  return concurrencyKey === null ? stages.slot : stages.itsKey;
}
