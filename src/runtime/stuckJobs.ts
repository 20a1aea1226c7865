// Jobs that are past their time, wherever they are: judged from what is stored of them, so that whoever asks need not
// run them. Finds, ends nothing.

import type { Clock } from '../engines/clock.ts';
import type { Engine, StoredJob } from '../engines/engine.ts';
import { stopBudgetMs } from '../machines/ladder.ts';
import type { TimeoutKind } from '../machines/states.ts';
import type { JobStatus } from './status.ts';

/** A job that is past its time, and why. */
export interface StuckJob {
  readonly job: JobStatus;
  /**
   * A timeout that has passed, of a live job by more than its stop may take; or
   * - `stop`: it is being stopped for longer than that may take;
   * - `owner`: the process that ran it is gone, or has not renewed its lease, and no other has taken the job over yet;
   * - `idle`: in time, but without progress for as long as was asked about.
   */
  readonly why: TimeoutKind | 'stop' | 'owner' | 'idle';
  /** When that came about. */
  readonly since: Date;
}

export interface StuckSources {
  readonly engine: Engine;
  readonly clock: Clock;
  statusOf(job: StoredJob): JobStatus;
}

export async function findStuckJobs(sources: StuckSources, idleMs = Infinity): Promise<StuckJob[]> {
  const { engine, clock, statusOf } = sources;
  const lost = new Set((await engine.lapsed()).map(({ id }) => id));
  const found: StuckJob[] = [];
  for await (const stored of engine.list({ states: ['running', 'stopping'], limit: Infinity })) {
    const job = statusOf(stored);
    const [why, at] = whyStuck(job, stored, clock.now(), lost.has(job.id), idleMs) ?? [];
    if (why !== undefined && at !== undefined) found.push({ job, why, since: new Date(at) });
  }
  for (const stored of await engine.due()) {
    const job = statusOf(stored);
    const [first] = job.due;
    if (first !== undefined) found.push({ job, why: first.kind, since: first.at });
  }
  return found;
}

/** Of a live job. */
function whyStuck(
  job: JobStatus,
  { settings }: StoredJob,
  now: number,
  isLost: boolean,
  idleMs: number,
): [why: StuckJob['why'], at: number] | null {
  if (isLost) return ['owner', latest(job.lastHeartbeat, job.startedAt)];
  // Longer than the second that what is stored of it may be late.
  const stopMs = stopBudgetMs(settings.graceSeconds * 1000);
  if (job.state === 'stopping') {
    const began = job.history.findLast(({ state }) => state === 'stopping')?.at.getTime() ?? now;
    return now > began + stopMs ? ['stop', began + stopMs] : null;
  }
  const [first] = job.due;
  if (first !== undefined && now > first.at.getTime() + stopMs) return [first.kind, first.at.getTime()];
  const progressed = latest(job.lastProgress, job.startedAt);
  return now - progressed >= idleMs ? ['idle', progressed] : null;
}

function latest(...dates: (Date | null)[]): number {
  return Math.max(...dates.map((date) => date?.getTime() ?? 0));
}
