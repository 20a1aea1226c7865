// What becomes of a job when an attempt of it is over: pure decisions on the chart's context. Retries are
// decided here and nowhere else.

import type { StopRecord } from './ladder.ts';
import type { FinalState, FoundBy, TimeoutKind } from './states.ts';

export interface StoredFailure {
  name: string;
  message: string;
  code?: string;
  stack?: string;
  /** Set where another attempt is pointless: the error said so. */
  retryable?: false;
}

export type AttemptOutcome =
  | { kind: 'completed'; result: unknown }
  | { kind: 'failed'; failure: StoredFailure }
  | { kind: 'stopped' };

/** Why an attempt is being stopped. */
export type StopIntent =
  | { kind: 'timeout'; timeout: TimeoutKind; by: FoundBy }
  | { kind: 'cancel'; reason: string | null }
  /** Back to the queue without using up the attempt. */
  | { kind: 'handBack' }
  /** The lease is gone: another owner decides, this attempt only has to end. */
  | { kind: 'leaseLost' };

/** What is written when an attempt is over; the chart goes to `state` once it is durable. */
export interface Verdict {
  state: FinalState | 'retrying' | 'queued';
  timeout: TimeoutKind | null;
  reason: string | null;
  failure: StoredFailure | null;
  result: unknown;
  stop: StopRecord | null;
  /** Wall ms before which the next attempt must not start. */
  notBefore: number | null;
  /** The host ended while the attempt ran in it: counted against the job. */
  crashed: boolean;
  /** It was claimed, and its code did not run: as if it had not been. */
  neverBegan: boolean;
}

/** The part of the chart's context that decides. */
export interface RetryFacts {
  /** The live attempt, else the last; 0 before the first. */
  attempt: number;
  maxAttempts: number;
  retryOn: readonly ('failed' | 'timedOut')[];
  /** `jitter`: the part of the pause that is left to chance, 0 to 1. */
  backoff: { kind: 'fixed' | 'exponential'; ms: number; maxMs: number; jitter: number };
  /** This attempt's own chance, 0 to 1: drawn outside, so that all that is decided here is decided once. */
  chance: number;
  /** Wall ms, or null for off. */
  deadlineAt: number | null;
}

/** Doubled more often than this no pause is one that anybody waits for; and 0 times Infinity is no number. */
const mostDoublings = 64;

/**
 * The pause before the attempt after this one, in ms. Exponential doubles from the second attempt on. Jitter takes from
 * it and never adds.
 */
export function backoffMs({ attempt, backoff, chance }: RetryFacts): number {
  const { kind, ms, maxMs, jitter } = backoff;
  const factor = kind === 'exponential' ? 2 ** Math.min(attempt - 1, mostDoublings) : 1;
  return Math.min(ms * factor, maxMs) * (1 - jitter * chance);
}

/** Whether an attempt that ends so at `at` (wall ms) is followed by another, before the deadline. */
export function mayRetry(facts: RetryFacts, outcome: 'failed' | 'timedOut', at: number): boolean {
  if (facts.attempt >= facts.maxAttempts || !facts.retryOn.includes(outcome)) return false;
  return facts.deadlineAt === null || at + backoffMs(facts) < facts.deadlineAt;
}

/** Only timeouts of one attempt are retried: not those of the whole job, and not those by hand. */
export function isRetried(intent: StopIntent): boolean {
  return (
    intent.kind === 'timeout' &&
    intent.by !== 'hand' &&
    intent.timeout !== 'queue' &&
    intent.timeout !== 'deadline'
  );
}

/** The attempt itself said that no other can do better. */
function isPointless(outcome: AttemptOutcome): outcome is Extract<AttemptOutcome, { kind: 'failed' }> {
  return outcome.kind === 'failed' && outcome.failure.retryable === false;
}

function whyPointless({ message }: StoredFailure): string {
  return `not to be retried: ${message}`;
}

/** What a verdict says where nothing else is said. */
export const blank = {
  timeout: null,
  reason: null,
  failure: null,
  result: undefined,
  stop: null,
  notBefore: null,
  crashed: false,
  neverBegan: false,
};

/** Back to the queue, the attempt not used up. */
export const handedBack: Verdict = { ...blank, state: 'queued', reason: 'handed back' };

/** The same of an attempt whose code has not run. */
export const notBegun: Verdict = { ...handedBack, neverBegan: true };

/** The verdict on an attempt that ended by itself. */
export function verdictOfEnd(facts: RetryFacts, outcome: AttemptOutcome, at: number): Verdict {
  if (outcome.kind === 'completed') return { ...blank, state: 'completed', result: outcome.result };
  const failure =
    outcome.kind === 'failed'
      ? outcome.failure
      : { name: 'Error', message: 'the attempt ended without an outcome' };
  if (isPointless(outcome)) return { ...blank, state: 'failed', failure, reason: whyPointless(failure) };
  if (!mayRetry(facts, 'failed', at)) return { ...blank, state: 'failed', failure };
  return { ...blank, state: 'retrying', failure, notBefore: at + backoffMs(facts) };
}

/** Who asked for an end, or why; null: it came by itself. */
export function reasonOf(intent: StopIntent): string | null {
  if (intent.kind === 'cancel') return intent.reason;
  return intent.kind === 'timeout' && intent.by === 'hand' ? 'timed out by hand' : null;
}

/** The verdict on an attempt that was stopped. One that completed before it was killed counts as completed. */
export function verdictOfStop(
  facts: RetryFacts,
  stop: StopRecord | null,
  intent: StopIntent,
  outcome: AttemptOutcome,
  at: number,
): Verdict {
  if (outcome.kind === 'completed') {
    const reason = `completed while it was being stopped (${nameOf(intent)})`;
    return { ...blank, state: 'completed', result: outcome.result, stop, reason };
  }
  const reason = reasonOf(intent);
  if (intent.kind === 'cancel') return { ...blank, state: 'cancelled', reason, stop };
  if (intent.kind !== 'timeout') return { ...handedBack, stop };
  const ended = { ...blank, timeout: intent.timeout, reason, stop };
  if (isPointless(outcome))
    return { ...ended, state: 'timedOut', reason: reason ?? whyPointless(outcome.failure) };
  if (!isRetried(intent) || !mayRetry(facts, 'timedOut', at)) return { ...ended, state: 'timedOut' };
  return { ...ended, state: 'retrying', notBefore: at + backoffMs(facts) };
}

/**
 * The verdict on an attempt whose host ended with it: back to the queue, the attempt not used up. `crashes` counts this
 * one, since the last checkpoint, for code that ran inside the host; null for code in a process of its own, which cannot
 * have been the cause.
 */
export function verdictOfCrash(crashes: number | null, maxCrashes: number): Verdict {
  const crashed = crashes !== null;
  if (crashes === null || crashes < maxCrashes)
    return { ...blank, state: 'queued', reason: 'its owner is gone', crashed };
  const failure = {
    name: 'HostCrashError',
    message: `its host ended ${crashes} times while it ran, with no checkpoint between: not tried again (maxCrashes)`,
    code: 'ERR_UNSTUCK_HOST_CRASH',
  };
  return { ...blank, state: 'failed', failure, crashed };
}

function nameOf(intent: StopIntent): string {
  return intent.kind === 'timeout' ? `${intent.timeout} timeout` : intent.kind;
}
