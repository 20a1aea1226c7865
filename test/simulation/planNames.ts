// The registry of a simulation: names with an isolation, limits, chunks or none. All processors know all of them.

import type { Isolation } from '../../src/actors/attempt.ts';
import type { Limits } from '../../src/runtime/limits.ts';
import { Random } from './random.ts';

export interface NamePlan {
  readonly name: string;
  readonly isolation: Isolation;
  readonly chunked: boolean;
  /** Its jobs have concurrency keys. */
  readonly keyed: boolean;
  readonly limits: Limits;
}

export function planNames(seed: number): NamePlan[] {
  const random = new Random(seed, 'names');
  const inOrder = random.chance(0.5);
  const all: NamePlan[] = [
    { name: 'report', isolation: 'process', chunked: true, keyed: false, limits: {} },
    { name: 'mail', isolation: 'process', chunked: false, keyed: false, limits: {} },
    { name: 'index', isolation: 'thread', chunked: true, keyed: false, limits: {} },
    { name: 'ping', isolation: 'inline', chunked: random.chance(0.5), keyed: false, limits: {} },
    {
      ...{ name: 'sync', isolation: 'process', chunked: true, keyed: true },
      limits: { concurrencyPerKey: random.whole(1, 2), inOrder },
    },
    {
      ...{ name: 'export', isolation: random.pick(['process', 'thread']), chunked: true, keyed: false },
      limits: { concurrency: random.whole(1, 2) },
    },
    {
      ...{ name: 'call', isolation: random.pick(['inline', 'process']), chunked: false, keyed: false },
      limits: { rate: { starts: random.whole(1, 3), seconds: random.whole(2, 15) } },
    },
  ];
  // A few at a time: what they share then comes under load.
  const some = all.filter(() => random.chance(0.4));
  return some.length === 0 ? all : some;
}
