// How a whole engine stands, in a few numbers.

import type { Engine } from '../engines/engine.ts';
import { type JobState, jobStates, type TimeoutKind } from '../machines/states.ts';

/** What `stats()` says. */
export interface Stats {
  readonly counts: Record<JobState, number>;
  readonly queue: {
    /** Jobs that wait for a slot, for their time, or out the pause before a retry. */
    readonly length: number;
    /** When the one was submitted that has waited longest of those that may start now. */
    readonly oldest: Date | null;
  };
  /** What ended in the last hour. */
  readonly lastHour: {
    readonly completed: number;
    readonly failed: number;
    readonly timedOut: number;
    readonly cancelled: number;
    /** Of those that timed out, by which timeout. */
    readonly timeouts: Record<TimeoutKind, number>;
  };
}

const hourMs = 3_600_000;

export async function countsOf(engine: Engine, name?: string): Promise<Record<JobState, number>> {
  return countEach(jobStates, (state) => engine.count([state], name));
}

export async function statsOf(engine: Engine, now: number): Promise<Stats> {
  const since = now - hourMs;
  const [counts, oldest, ended, timeouts] = await Promise.all([
    countsOf(engine),
    engine.oldestWaiting(),
    countEach(['completed', 'failed', 'timedOut', 'cancelled'], (state) => engine.countEnded(state, since)),
    countEach(['job', 'heartbeat', 'progress', 'queue', 'deadline'], (kind) =>
      engine.countEnded('timedOut', since, kind),
    ),
  ]);
  return {
    counts,
    queue: {
      length: counts.queued + counts.retrying,
      oldest: oldest === null ? null : new Date(oldest),
    },
    lastHour: { ...ended, timeouts },
  };
}

async function countEach<K extends string>(
  keys: readonly K[],
  count: (key: K) => Promise<number>,
): Promise<Record<K, number>> {
  const counts = await Promise.all(keys.map(count));
  return Object.fromEntries(keys.map((key, index) => [key, counts[index]])) as Record<K, number>;
}
