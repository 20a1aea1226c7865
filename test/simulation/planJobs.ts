// The jobs of a simulation: when each is submitted, with which settings, and how troubled its code is.

import type { JobSettings } from '../../src/index.ts';
import type { NamePlan } from './planNames.ts';
import { Random } from './random.ts';

export interface JobPlan {
  readonly label: string;
  readonly name: string;
  /** ms after the beginning. */
  readonly at: number;
  readonly node: number;
  /** Of a job in chunks. */
  readonly chunks: number;
  /** What a chunk takes, or the whole of a job without any, ms. */
  readonly workMs: number;
  /** The chance that something is wrong with an attempt of it. */
  readonly trouble: number;
  readonly settings: JobSettings;
  readonly priority: number;
  /** ms after its submit; null: at once. */
  readonly startAfterMs: number | null;
  readonly key: string | null;
}

export function planJobs(
  seed: number,
  names: readonly NamePlan[],
  seconds: number,
  nodes: number,
): JobPlan[] {
  const random = new Random(seed, 'jobs');
  // Few with room for everything, or many short ones, which are claimed ahead of their slots.
  const isBurst = random.chance(0.15);
  const count = isBurst ? random.whole(40, 120) : Math.round(random.long(2, 24));
  // At once, or spread out.
  const spread = random.pick([0, 0.2, 0.8]);
  return Array.from({ length: count }, (_, index) => {
    const own = new Random(seed, `job ${index}`);
    const { name, chunked, keyed, isolation, limits } = own.pick(names);
    const isOrdered = limits.inOrder === true;
    return {
      label: `job${index + 1}`,
      name,
      at: own.between(0, spread * seconds * 1000),
      node: own.whole(0, nodes - 1),
      chunks: chunked ? own.whole(0, isBurst ? 1 : 6) : 0,
      workMs: Math.round(
        isBurst || own.chance(0.5) ? own.long(1, isBurst ? 20 : 1000) : own.long(1000, 20_000),
      ),
      trouble: isBurst ? own.pick([0, 0, 0, 0.1]) : own.pick([0, 0, 0.3, 0.8]),
      settings: planSettings(own, chunked, isolation === 'inline'),
      priority: isOrdered || own.chance(0.7) ? 0 : own.whole(-3, 3),
      startAfterMs: isOrdered || own.chance(0.85) ? null : Math.round(own.between(0, 40_000)),
      key: keyed ? own.pick(['Alice', 'Bob']) : null,
    };
  });
}

function planSettings(own: Random, chunked: boolean, isInline: boolean): JobSettings {
  const seconds = (least: number, most: number) => Math.round(own.long(least, most) * 10) / 10;
  return {
    jobTimeoutSeconds: seconds(3, 120),
    ...(isInline && own.chance(0.7) ? {} : { heartbeatTimeoutSeconds: seconds(2, 40) }),
    ...(chunked ? { progressTimeoutSeconds: seconds(2, 60) } : {}),
    ...(own.chance(0.3) ? { queueTimeoutSeconds: seconds(2, 90) } : {}),
    ...(own.chance(0.4) ? { deadlineSeconds: seconds(5, 200) } : {}),
    graceSeconds: own.pick([0, 0.5, 2, 5]),
    maxCrashes: own.whole(1, 4),
    chunkSize: 1,
    retry: {
      maxAttempts: own.whole(1, 4),
      on: own.pick([['failed', 'timedOut'], ['failed', 'timedOut'], ['failed'], ['timedOut'], []]),
      backoff: own.pick([
        { kind: 'fixed', seconds: 0 },
        { kind: 'fixed', seconds: 2 },
        { kind: 'exponential', seconds: 0.5, maxSeconds: 10 },
      ]),
    },
  };
}
