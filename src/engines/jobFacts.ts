// What storing, stopping and settling make of a job's facts: the same on every engine, which only keeps them.

import { isFinal } from '../machines/states.ts';
import { isRetried, type StopIntent, type Verdict } from '../machines/verdict.ts';
import type { FrozenSettings, NameLimits, NewJob, StoredJob, Timeouts, Transition } from './engine.ts';

/** A job as it is when it was just stored. */
export function freshJob(job: NewJob, now: number): StoredJob {
  return {
    ...job,
    state: 'queued',
    attempt: 0,
    token: null,
    owner: null,
    group: null,
    submittedAt: now,
    startedAt: null,
    endedAt: null,
    ...dueTimes(now, job.settings),
    lastHeartbeatAt: null,
    lastProgressAt: null,
    checkpoint: null,
    chunks: 0,
    crashes: 0,
    claimedAhead: false,
    items: 0,
    total: null,
    intent: null,
    timeout: null,
    reason: null,
    failure: null,
    result: null,
    stop: null,
    history: [{ state: 'queued', at: now, attempt: 0 }],
  };
}

/** A job may have any name, `constructor` too. */
export function limitsOf(
  name: string,
  limits: Readonly<Record<string, NameLimits>> | undefined,
): NameLimits | undefined {
  return limits !== undefined && Object.hasOwn(limits, name) ? limits[name] : undefined;
}

/** A point of priority is worth so many places in the queue. */
export const placesAPoint = 1000;

/**
 * The rank of a job that waits, the lowest starts first. Its place is the number of jobs that came before it, so that priority
 * lets it pass at most `placesAPoint` of them a point: no job waits for ever behind later ones of higher priority.
 */
export function rankOf(place: number, priority: number): number {
  return place - priority * placesAPoint;
}

/** Of a job that is to be next: before every priority, and behind those that were told so before. */
export function nextRank(place: number): number {
  return place - 2 ** 52;
}

function dueTimes(submittedAt: number, { queueTimeoutSeconds, deadlineSeconds }: FrozenSettings) {
  const after = (seconds: number) => (seconds === Infinity ? null : submittedAt + seconds * 1000);
  return { queueDueAt: after(queueTimeoutSeconds), deadlineAt: after(deadlineSeconds) };
}

/** What other timeouts make of a job. */
export function withTimeouts(
  { submittedAt, settings }: Pick<StoredJob, 'submittedAt' | 'settings'>,
  timeouts: Partial<Timeouts>,
): Pick<StoredJob, 'settings' | 'queueDueAt' | 'deadlineAt'> {
  const changed = Object.freeze({ ...settings, ...timeouts });
  return { settings: changed, ...dueTimes(submittedAt, changed) };
}

/** The entry in a job's history when it begins to be stopped. */
export function stoppingEntry(intent: StopIntent, attempt: number, at: number): Transition {
  return {
    state: 'stopping',
    at,
    attempt,
    ...(intent.kind === 'timeout' ? { timeout: intent.timeout } : {}),
    ...(intent.kind === 'cancel' && intent.reason !== null ? { reason: intent.reason } : {}),
  };
}

/** The entry in a job's history when an attempt, or the job at rest, is over. */
export function settledEntry(verdict: Verdict, attempt: number, at: number): Transition {
  const { state, timeout, reason, failure, stop } = verdict;
  return {
    state,
    at,
    attempt,
    ...(timeout === null ? {} : { timeout }),
    ...(reason === null && failure === null ? {} : { reason: reason ?? failure?.message ?? '' }),
    ...(stop === null ? {} : { stop }),
  };
}

/**
 * A verdict that lets a job run again, from one who has not seen that it was to end meanwhile: refused, so that what was
 * asked is not undone.
 */
export function undoes({ state }: Verdict, intent: StopIntent | null): boolean {
  return !isFinal(state) && intent !== null && mustEnd(intent);
}

/** The job is to end, and not only this attempt of it. */
export function mustEnd(intent: StopIntent): boolean {
  return intent.kind === 'cancel' || (intent.kind === 'timeout' && !isRetried(intent));
}

/** The result that is kept with a verdict: JSON text, of a job that is over. */
export function resultOf({ state, result }: Verdict): string | null {
  return isFinal(state) && typeof result === 'string' ? result : null;
}

/**
 * By which timeout a job at rest is ended that is due: its deadline where that has passed, else the one that comes first. The clock may
 * have been set back since it was found due.
 */
export function timeoutAtRest(
  job: Pick<StoredJob, 'startedAt' | 'queueDueAt' | 'deadlineAt'>,
  now: number,
): 'queue' | 'deadline' {
  const { deadlineAt } = job;
  return deadlineAt !== null && (deadlineAt <= now || deadlineAt <= queueDue(job)) ? 'deadline' : 'queue';
}

/** The queue timeout counts to the first start. Infinity: it has none. */
function queueDue({ startedAt, queueDueAt }: Pick<StoredJob, 'startedAt' | 'queueDueAt'>): number {
  return (startedAt === null ? queueDueAt : null) ?? Infinity;
}

/** When a job at rest times out: its deadline, and before its first start its queue timeout; null: never. */
export function dueAtRest(job: Pick<StoredJob, 'startedAt' | 'queueDueAt' | 'deadlineAt'>): number | null {
  const due = Math.min(queueDue(job), job.deadlineAt ?? Infinity);
  return due === Infinity ? null : due;
}
