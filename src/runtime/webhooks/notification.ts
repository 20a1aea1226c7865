// What a target is told: the body of a notification. Facts about a job, never its input, checkpoint or result.

import type { StoredJob } from '../../engines/engine.ts';
import type { StopRecord } from '../../machines/ladder.ts';
import type { FinalState, TimeoutKind } from '../../machines/states.ts';
import type { Verdict } from '../../machines/verdict.ts';
import { toDate } from '../status.ts';

/** Each is the event of that name on the processor. */
export const notificationEvents = [
  'completed',
  'failed',
  'timedOut',
  'cancelled',
  'retrying',
  'unconfirmed',
  'queueTooOld',
] as const;

/** What a target can be told of. */
export type NotificationEvent = (typeof notificationEvents)[number];

/** The queue of a name whose next job has waited for a slot longer than `queueTooOldSeconds`. */
export interface QueueAge {
  /** Of the jobs. */
  readonly name: string;
  /** When that job could have started. */
  readonly since: Date;
  readonly ageSeconds: number;
  /** Jobs of the name that wait for a slot, for their time, or out the pause before a retry. */
  readonly waiting: number;
}

/** As Standard Webhooks shapes a payload. */
export type Notification =
  | {
      readonly type: `job.${Exclude<NotificationEvent, 'queueTooOld'>}`;
      /** ISO 8601: when it happened. */
      readonly timestamp: string;
      readonly data: JobFacts;
    }
  | {
      readonly type: 'queue.tooOld';
      readonly timestamp: string;
      readonly data: {
        readonly name: string;
        readonly since: string;
        readonly ageSeconds: number;
        readonly waiting: number;
      };
    };

/** About a job; never its input, checkpoint or result. Times are ISO 8601. */
export interface JobFacts {
  readonly id: string;
  readonly name: string;
  readonly state: FinalState | 'retrying' | 'stopping';
  readonly attempt: number;
  readonly maxAttempts: number;
  /** Of the attempt that ended. */
  readonly timeout: TimeoutKind | null;
  readonly reason: string | null;
  readonly failure: { readonly name: string; readonly message: string; readonly code?: string } | null;
  /** How it had to be stopped, and what was proven of it. */
  readonly stop: StopRecord | null;
  readonly submittedAt: string;
  readonly startedAt: string | null;
  /** Of `retrying`: when the next attempt may start. */
  readonly nextAttemptAt: string | null;
  readonly progress: { readonly chunks: number; readonly items: number; readonly total: number | null };
  readonly retryOf: string | null;
}

/** Characters. A receiver takes no body of any size. */
const longestText = 1000;
const short = (text: string) => text.slice(0, longestText);

export function jobNotification(
  event: Exclude<NotificationEvent, 'queueTooOld'>,
  job: StoredJob,
  verdict: Pick<Verdict, 'timeout' | 'reason' | 'failure' | 'stop' | 'notBefore'>,
  at: number,
): Notification {
  const { id, name, attempt, settings, submittedAt, startedAt, chunks, items, total, retryOf } = job;
  const { timeout, reason, failure, stop, notBefore } = verdict;
  return {
    type: `job.${event}`,
    timestamp: toText(at),
    data: {
      id,
      name,
      state: event === 'unconfirmed' ? 'stopping' : event,
      attempt,
      maxAttempts: settings.retry.maxAttempts,
      timeout,
      reason: reason && short(reason),
      failure: failure && {
        name: short(failure.name),
        message: short(failure.message),
        ...(failure.code === undefined ? {} : { code: short(failure.code) }),
      },
      stop,
      submittedAt: toText(submittedAt),
      startedAt: toText(startedAt),
      nextAttemptAt: event === 'retrying' ? toText(notBefore) : null,
      progress: { chunks, items, total },
      retryOf,
    },
  };
}

export function queueNotification({ since, ...facts }: QueueAge, at: number): Notification {
  return { type: 'queue.tooOld', timestamp: toText(at), data: { ...facts, since: since.toISOString() } };
}

function toText<At extends number | null>(at: At): At extends null ? null : string;
function toText(at: number | null): string | null {
  return toDate(at)?.toISOString() ?? null;
}
