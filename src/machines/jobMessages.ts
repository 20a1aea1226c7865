// What the job's chart is told, keeps, and says: its input and context, the events it takes, those it emits, and
// its commands to the attempt it started. Plain data, all of it.

import type { StopRecord } from './ladder.ts';
import type { FoundBy, TimeoutKind } from './states.ts';
import type { AttemptOutcome, RetryFacts, StopIntent, Verdict } from './verdict.ts';

export interface JobChartInput extends RetryFacts {
  jobId: string;
  /** Of the attempt that `job.start` begins; every write carries it. Empty at rest. */
  token: string;
  jobTimeoutMs: number;
  heartbeatTimeoutMs: number;
  progressTimeoutMs: number;
  graceMs: number;
  /** False for inline code: after the grace nothing more can be done to it. */
  isKillable: boolean;
  /** Wall ms, or null for off. */
  queueDueAt: number | null;
  /** Wall ms at which this actor starts. */
  now: number;
}

/** What a live attempt is timed out by. */
export type AttemptTimeouts = Pick<
  JobChartInput,
  'jobTimeoutMs' | 'heartbeatTimeoutMs' | 'progressTimeoutMs' | 'deadlineAt'
>;

export interface JobChartContext extends JobChartInput {
  intent: StopIntent | null;
  stop: StopRecord | null;
  verdict: Verdict | null;
}

export type JobEvent =
  | { type: 'job.start'; attempt: number; at: number }
  | { type: 'job.cancel'; reason: string | null }
  | { type: 'job.timeOut'; kind: TimeoutKind; by: FoundBy }
  /** A timeout's delay is over; the chart's own. */
  | { type: 'timeout.due'; kind: TimeoutKind }
  /** Wall ms. */
  | { type: 'wallClock.read'; at: number }
  | { type: 'job.handBack' }
  /** Other timeouts. `left`: of those that count from something in the attempt, ms; a deadline counts from `at`. */
  | {
      type: 'timeouts.changed';
      timeouts: AttemptTimeouts;
      left: { job: number; heartbeat: number; progress: number };
      at: number;
    }
  /** The verdict is durable; or the attempt's token is stale; or the engine does not answer. */
  | { type: 'verdict.stored' | 'verdict.refused' | 'verdict.unanswered' }
  /** The job was told to end elsewhere, and the verdict would have it run again. */
  | { type: 'verdict.overruled'; intent: StopIntent }
  | { type: 'lease.lost' }
  /** A sign of life. */
  | { type: 'chunk.heartbeat' }
  /** A chunk is done and its checkpoint durable: life and progress. */
  | { type: 'chunk.completed' }
  /** The attempt's event loop has seen the stop request. */
  | { type: 'attempt.acknowledged' }
  /** The attempt is over and proven so; `stopSeconds` counts from `stop.ask`. */
  | {
      type: 'attempt.ended';
      outcome: AttemptOutcome;
      at: number;
      stopSeconds: number | null;
      exitCode?: number;
      signal?: string;
    };

export type JobEmitted =
  | { type: 'timeout.found'; kind: TimeoutKind; by: FoundBy }
  | { type: 'stop.proven'; stop: StopRecord; intent: StopIntent }
  | { type: 'stop.unconfirmed'; stop: StopRecord; intent: StopIntent };

/** What the chart tells the attempt it started. */
export type AttemptCommand =
  | { type: 'stop.ask'; intent: StopIntent }
  | { type: 'stop.terminate' }
  | { type: 'stop.kill' }
  /** It could not be proven ended: nothing of it is taken any more. */
  | { type: 'stop.refuse' };

/** What a command to end an attempt is for; null for all other events. */
export function intentOf(event: JobEvent): StopIntent | null {
  switch (event.type) {
    case 'job.cancel':
      return { kind: 'cancel', reason: event.reason };
    case 'job.timeOut':
      return { kind: 'timeout', timeout: event.kind, by: event.by };
    case 'timeout.due':
      return { kind: 'timeout', timeout: event.kind, by: 'timer' };
    case 'job.handBack':
      return { kind: 'handBack' };
    case 'lease.lost':
      return { kind: 'leaseLost' };
    default:
      return null;
  }
}
