// Limits of a job's name, as its definition says them: checked, and as the engine takes them. They hold over all processors of
// an engine, which is why they stand in the definition: all processors should have the same.

import type { NameLimits } from '../engines/engine.ts';
import { ConfigurationError, describeValue } from './errors.ts';
import { checkNumber } from './settings.ts';

/** Of a job's name, over all processors of the engine. They stand in its definition. */
export interface Limits {
  /** Attempts of this job that are alive at a time. Default: no limit but the processors' slots. */
  concurrency?: number;
  /** Of those submitted with the same `concurrencyKey`. Default 1. */
  concurrencyPerKey?: number;
  /**
   * Those of one `concurrencyKey` run in the order of submission: one that waits out the pause before a retry keeps its place
   * in the queue, and one of the places that the key has. `startAfter` keeps nobody waiting. Default false.
   */
  inOrder?: boolean;
  /** At most so many attempts begin within any so many seconds. Default: no limit. */
  rate?: { starts: number; seconds: number };
}

const fields = ['concurrency', 'concurrencyPerKey', 'inOrder', 'rate'];
const isCount = (n: number) => n >= 1 && Number.isInteger(n);

/** Throws ConfigurationError. `field` is the name of the whole for it. */
export function checkLimits(field: string, limits: Limits | undefined): void {
  if (limits === undefined) return;
  if (typeof limits !== 'object' || limits === null)
    throw new ConfigurationError(field, `an object of ${fields.join(', ')}`, describeValue(limits));
  for (const name of Object.keys(limits)) {
    if (!fields.includes(name))
      throw new ConfigurationError(`${field}.${name}`, `one of ${fields.join(', ')}`, 'an unknown limit');
  }
  const { concurrency, concurrencyPerKey, inOrder, rate } = limits;
  checkNumber(`${field}.concurrency`, concurrency, 'a whole number, 1 or more', isCount);
  checkNumber(`${field}.concurrencyPerKey`, concurrencyPerKey, 'a whole number, 1 or more', isCount);
  if (inOrder !== undefined && typeof inOrder !== 'boolean')
    throw new ConfigurationError(`${field}.inOrder`, 'true or false', describeValue(inOrder));
  if (rate === undefined) return;
  const { starts, seconds, ...others } = Object(rate);
  if (typeof rate !== 'object' || Object.keys(others).length > 0)
    throw new ConfigurationError(`${field}.rate`, '{ starts, seconds }', describeValue(rate));
  checkNumber(`${field}.rate.starts`, starts ?? null, 'a whole number, 1 or more', isCount);
  checkNumber(`${field}.rate.seconds`, seconds ?? null, 'seconds above 0', (n) => n > 0 && n < Infinity);
}

/** Null: nothing limits the name as a whole. */
function nameLimits(limits: Limits | undefined): NameLimits | null {
  const { concurrency = Infinity, rate } = limits ?? {};
  if (concurrency === Infinity && rate === undefined) return null;
  return {
    concurrency,
    rate: rate === undefined ? null : { starts: rate.starts, ms: rate.seconds * 1000 },
  };
}

/** By name, of those that have any. */
export function limitsOf(
  jobs: ReadonlyMap<string, { readonly limits?: Limits }>,
): Record<string, NameLimits> {
  const found = [...jobs].flatMap(([name, { limits }]) => {
    const limit = nameLimits(limits);
    return limit === null ? [] : [[name, limit] as const];
  });
  return Object.fromEntries(found);
}
