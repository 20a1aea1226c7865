// The words for where a job is. Stored status, top-level state of the chart, and word in logs, metrics and
// pages are the same.

/**
 * - `queued`: waits for a slot; the supervisor's claim moves it on.
 * - `running`: an attempt is alive; its end, a timeout or a command moves it on.
 * - `stopping`: the attempt is being ended; proof that it is moves it on.
 * - `retrying`: waits out the pause before its next attempt; the claim moves it on.
 * - the others are final and never change.
 */
export type JobState = 'queued' | 'running' | 'stopping' | 'retrying' | FinalState;

export type FinalState = 'completed' | 'failed' | 'timedOut' | 'cancelled';

/** In the order of a job's life. */
export const jobStates: readonly JobState[] = [
  'queued',
  'running',
  'stopping',
  'retrying',
  'completed',
  'failed',
  'timedOut',
  'cancelled',
];

export function isFinal(state: JobState): state is FinalState {
  return state === 'completed' || state === 'failed' || state === 'timedOut' || state === 'cancelled';
}

/** No attempt is alive: the job is its stored row. */
export function isAtRest(state: JobState): state is 'queued' | 'retrying' {
  return state === 'queued' || state === 'retrying';
}

/**
 * Which clock ran out. `job`: one attempt; `heartbeat`: no sign of life; `progress`: no finished chunk; `queue`: not started;
 * `deadline`: all attempts together.
 */
export type TimeoutKind = 'job' | 'heartbeat' | 'progress' | 'queue' | 'deadline';

/**
 * Who found a timeout: the chart's own timer, the monitor's sweep, a person, or the watchdog in the attempt's own
 * process, which has killed it already.
 */
export type FoundBy = 'timer' | 'monitor' | 'hand' | 'watchdog';
