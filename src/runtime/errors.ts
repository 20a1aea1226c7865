// The public errors. Each has a stable `code`, and a message that says what was expected, what came, and what
// to do. Inside the charts an outcome is an event, not one of these.

import type { StopRecord } from '../machines/ladder.ts';
import type { TimeoutKind } from '../machines/states.ts';
import type { StoredFailure } from '../machines/verdict.ts';

export { InputError } from '../actors/jsonText.ts';
export { NonRetryableError } from '../actors/nonRetryable.ts';
export { EngineError, StaleAttemptError } from '../engines/engine.ts';

/** An option, setting or definition that cannot be used. `field` names it. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  readonly code = 'ERR_UNSTUCK_CONFIGURATION';
  readonly field: string;
  readonly expected: string;
  readonly got: string;
  constructor(field: string, expected: string, got: string, advice?: string) {
    super(`${field}: expected ${expected}, got ${got}.${advice === undefined ? '' : ` ${advice}`}`);
    this.field = field;
    this.expected = expected;
    this.got = got;
  }
}

/** The engine, or this processor, has no job of this id. */
export class JobNotFoundError extends Error {
  override readonly name = 'JobNotFoundError';
  readonly code = 'ERR_UNSTUCK_JOB_NOT_FOUND';
  readonly jobId: string;
  constructor(jobId: string, where: string) {
    super(`job ${jobId}: expected ${where}, found none. Check the id and the engine.`);
    this.jobId = jobId;
  }
}

/** Thrown by `job.result()`: the job failed, and no attempt is left. `cause` is the failure. */
export class JobFailedError extends Error {
  override readonly name = 'JobFailedError';
  readonly code = 'ERR_UNSTUCK_JOB_FAILED';
  readonly jobId: string;
  /** The failure as it was stored: name, message, code and stack of the job's own error. */
  readonly failure: StoredFailure;
  readonly attempts: number;
  constructor(jobId: string, failure: StoredFailure, attempts: number) {
    super(`job ${jobId} failed at attempt ${attempts}: ${failure.message}`, { cause: failure });
    this.jobId = jobId;
    this.failure = failure;
    this.attempts = attempts;
  }
}

/** Thrown by `job.result()`: the job passed a timeout, and no attempt is left. */
export class JobTimedOutError extends Error {
  override readonly name = 'JobTimedOutError';
  readonly code = 'ERR_UNSTUCK_JOB_TIMED_OUT';
  readonly jobId: string;
  readonly kind: TimeoutKind;
  /** What was proven about the end of its last attempt; null if none was alive. */
  readonly stop: StopRecord | null;
  constructor(jobId: string, kind: TimeoutKind, stop: StopRecord | null) {
    super(`job ${jobId} passed its ${kind} timeout`);
    this.jobId = jobId;
    this.kind = kind;
    this.stop = stop;
  }
}

/** Thrown by `job.result()`: the job was cancelled. */
export class JobCancelledError extends Error {
  override readonly name = 'JobCancelledError';
  readonly code = 'ERR_UNSTUCK_JOB_CANCELLED';
  readonly jobId: string;
  readonly reason: string | null;
  constructor(jobId: string, reason: string | null) {
    super(`job ${jobId} was cancelled${reason === null ? '' : `: ${reason}`}`);
    this.jobId = jobId;
    this.reason = reason;
  }
}

/** A value as an error message shows it: short, with its kind. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object';
  return String(value);
}
