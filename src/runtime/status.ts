// A job as people and programs see it: the stored row, with what its live attempt adds where it runs here.

import type { StoredJob } from '../engines/engine.ts';
import type { StopRecord } from '../machines/ladder.ts';
import { isAtRest, type JobState, type TimeoutKind } from '../machines/states.ts';
import type { StoredFailure } from '../machines/verdict.ts';
import { nodeOf } from './nodes.ts';
import type { QueueAge } from './webhooks/notification.ts';

/** A job as people and programs see it. Dates are wall time. */
export interface JobStatus {
  readonly id: string;
  readonly name: string;
  readonly state: JobState;
  /** The live attempt, else the last; 0 before the first. */
  readonly attempt: number;
  readonly maxAttempts: number;
  /** Which node runs it, by its name: of a live job. Null: none does. */
  readonly node: string | null;
  readonly progress: {
    /** Chunks whose checkpoint is durable. */
    readonly chunks: number;
    readonly items: number;
    /** Items in all, where the job said. */
    readonly total: number | null;
  };
  readonly submittedAt: Date;
  /** Of the live or last attempt. */
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  readonly lastHeartbeat: Date | null;
  readonly lastProgress: Date | null;
  /** No attempt starts before: asked for at submit, or the pause before a retry. */
  readonly startAfter: Date | null;
  /**
   * What will time it out and when, if nothing happens before: the soonest first. Empty once it is being stopped. Of a job that
   * is alive in another process it is what is stored of it that counts.
   */
  readonly due: readonly { readonly kind: TimeoutKind; readonly at: Date }[];
  /** The timeout that ended the job, or its last attempt. */
  readonly timeout: TimeoutKind | null;
  readonly reason: string | null;
  readonly failure: StoredFailure | null;
  /** Its attempt could not be proven ended: it holds its slot. */
  readonly isUnconfirmed: boolean;
  /** How the last attempt that had to be stopped ended, and what was proven of it. */
  readonly stop: StopRecord | null;
  readonly concurrencyKey: string | null;
  /** Each transition, oldest first. */
  readonly history: readonly JobTransition[];
  /** What it was submitted with. */
  readonly idempotencyKey: string | null;
  /** The final job that this one repeats by hand. */
  readonly retryOf: string | null;
}

/** One step of a job's history. */
export interface JobTransition {
  readonly state: JobState;
  readonly at: Date;
  readonly attempt: number;
  readonly timeout?: TimeoutKind;
  readonly reason?: string;
  readonly stop?: StopRecord;
}

/** What a live attempt knows before it is stored. */
export interface LiveView {
  readonly state: JobState;
  readonly lastHeartbeatAt: number;
  readonly total: number | null;
  readonly timeout: TimeoutKind | null;
  readonly stop: StopRecord | null;
  readonly due: readonly Due[];
  readonly isUnconfirmed: boolean;
}

/** A timeout that is ahead. Wall ms. */
export interface Due {
  readonly kind: TimeoutKind;
  readonly at: number;
}

export function statusOf(job: StoredJob, live?: LiveView): JobStatus {
  return {
    id: job.id,
    name: job.name,
    state: live?.state ?? job.state,
    attempt: job.attempt,
    maxAttempts: job.settings.retry.maxAttempts,
    node: job.owner === null ? null : nodeOf(job.owner),
    progress: { chunks: job.chunks, items: job.items, total: live?.total ?? job.total },
    submittedAt: new Date(job.submittedAt),
    startedAt: toDate(job.startedAt),
    endedAt: toDate(job.endedAt),
    lastHeartbeat: toDate(live?.lastHeartbeatAt ?? job.lastHeartbeatAt),
    lastProgress: toDate(job.lastProgressAt),
    startAfter: isAtRest(job.state) ? toDate(job.notBefore) : null,
    due: (live?.due ?? dueOf(job)).map(({ kind, at }) => ({ kind, at: new Date(at) })),
    timeout: live?.timeout ?? job.timeout,
    reason: job.reason,
    failure: job.failure,
    isUnconfirmed: live?.isUnconfirmed ?? false,
    stop: live?.stop ?? job.stop,
    concurrencyKey: job.concurrencyKey,
    history: job.history.map((entry) => ({ ...entry, at: new Date(entry.at) })),
    idempotencyKey: job.idempotencyKey,
    retryOf: job.retryOf,
  };
}

/**
 * As far as the row tells. A job that lives in another process beats into it each second, so what is said of its heartbeat
 * is up to a second too soon.
 */
function dueOf(job: StoredJob): Due[] {
  const { state, startedAt, queueDueAt, deadlineAt, settings } = job;
  const deadline: Due = { kind: 'deadline', at: deadlineAt ?? Infinity };
  if (isAtRest(state))
    return soonestFirst([
      { kind: 'queue', at: (startedAt === null ? queueDueAt : null) ?? Infinity },
      deadline,
    ]);
  if (state !== 'running') return [];
  const after = (at: number | null, seconds: number) => (at ?? Infinity) + seconds * 1000;
  return soonestFirst([
    { kind: 'job', at: after(startedAt, settings.jobTimeoutSeconds) },
    { kind: 'heartbeat', at: after(job.lastHeartbeatAt, settings.heartbeatTimeoutSeconds) },
    { kind: 'progress', at: after(job.lastProgressAt, settings.progressTimeoutSeconds) },
    deadline,
  ]);
}

/** Wall ms: the last that a Date can be. What is due later is off, for all that it matters. */
const lastDate = 8.64e15;

/** Without those that are off. */
export function soonestFirst(due: readonly Due[]): Due[] {
  return due.filter(({ at }) => at <= lastDate).sort((a, b) => a.at - b.at);
}

export function toDate(at: number | null): Date | null {
  return at === null ? null : new Date(Math.min(at, lastDate));
}

/** What a processor emits: a job's status under the name of the state it came to, and between states. */
export type JobEvents = { [S in JobState]: [status: JobStatus] } & {
  /** A chunk's checkpoint is durable. */
  progress: [status: JobStatus];
  /** An attempt could not be proven stopped; it holds its slot. */
  unconfirmed: [status: JobStatus];
  /** An attempt here lost its lease and was ended; another processor decides about the job. */
  superseded: [status: JobStatus];
  /** The job that has waited longest has waited for `queueTooOldSeconds`. Told once, until the queue is younger again. */
  queueTooOld: [queue: QueueAge];
};
