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

/** A queue whose oldest job has waited longer than `queueTooOldSeconds`. */
export interface QueueAge {
  /** Since when that job could have started. */
  readonly oldest: Date;
  readonly ageSeconds: number;
  /** Queued jobs of this registry. */
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
      readonly data: { readonly oldest: string; readonly ageSeconds: number; readonly waiting: number };
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

const longestMessage = 1000;

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
      reason,
      failure: failure && {
        name: failure.name,
        message: failure.message.slice(0, longestMessage),
        ...(failure.code === undefined ? {} : { code: failure.code }),
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

export function queueNotification({ oldest, ageSeconds, waiting }: QueueAge, at: number): Notification {
  return {
    type: 'queue.tooOld',
    timestamp: toText(at),
    data: { oldest: oldest.toISOString(), ageSeconds, waiting },
  };
}

function toText<At extends number | null>(at: At): At extends null ? null : string;
function toText(at: number | null): string | null {
  return toDate(at)?.toISOString() ?? null;
}
