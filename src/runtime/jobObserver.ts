// What happens to jobs in a processor, for whoever measures it: called as it happens, by what does it. It must not throw and
// must not be waited for.

import type { StoredJob } from '../engines/engine.ts';
import type { StopRecord } from '../machines/ladder.ts';
import type { FoundBy, TimeoutKind } from '../machines/states.ts';

export interface JobObserver {
  /** So many jobs of a name are stored. */
  submitted(name: string, jobs: number): void;
  /** A job, or its live attempt, was found past a timeout. */
  timeoutFound(name: string, kind: TimeoutKind, by: FoundBy): void;
  /** An attempt that had to be stopped is proven over, so many seconds after it was asked; or it was given up after them. */
  stopEnded(name: string, stop: StopRecord, seconds: number): void;
  /** An attempt that ran here for so many seconds is over, and what became of its job stored; null: by another owner. */
  attemptEnded(name: string, seconds: number, job: StoredJob | null): void;
  /** What became of a job of which no attempt was alive here is stored. */
  settled(job: StoredJob): void;
  /** The monitor has looked, for so many seconds, and found so many jobs to end. */
  swept(seconds: number, found: number): void;
}
