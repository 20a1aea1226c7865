// From a stored row to the job's chart and back: what the chart is told at its start, and the one step that a
// job at rest takes without an actor.

import { transition } from 'xstate';
import { gatherMs } from '../actors/isolation/protocol.ts';
import type { StoredJob } from '../engines/engine.ts';
import { jobMachine } from '../machines/job.ts';
import type { AttemptTimeouts, JobChartInput, JobEvent } from '../machines/jobMessages.ts';
import type { JobState } from '../machines/states.ts';
import { blank, reasonOf, type Verdict } from '../machines/verdict.ts';

/** `chance`: this attempt's own, 0 to 1. */
export function chartInput(job: StoredJob, now: number, isKillable: boolean, chance: number): JobChartInput {
  const { settings } = job;
  return {
    jobId: job.id,
    token: job.token ?? '',
    attempt: job.attempt,
    maxAttempts: settings.retry.maxAttempts,
    retryOn: settings.retry.on,
    backoff: {
      kind: settings.retry.backoff.kind,
      ms: settings.retry.backoff.seconds * 1000,
      maxMs: settings.retry.backoff.maxSeconds * 1000,
      jitter: settings.retry.backoff.jitter,
    },
    chance,
    ...attemptTimeouts(job, isKillable),
    graceMs: settings.graceSeconds * 1000,
    isKillable,
    queueDueAt: job.queueDueAt,
    now,
  };
}

export function attemptTimeouts({ settings, deadlineAt }: StoredJob, isKillable: boolean): AttemptTimeouts {
  return {
    jobTimeoutMs: settings.jobTimeoutSeconds * 1000,
    // Signs of an isolated attempt are gathered on their way here.
    heartbeatTimeoutMs: settings.heartbeatTimeoutSeconds * 1000 + (isKillable ? gatherMs : 0),
    progressTimeoutMs: settings.progressTimeoutSeconds * 1000,
    deadlineAt,
  };
}

/** What a cancel or a timeout makes of a job at rest, by its chart. Null: nothing. */
export function stepAtRest(job: StoredJob, event: JobEvent, now: number): Verdict | null {
  const context = { ...chartInput(job, now, false, 0), intent: null, stop: null, verdict: null };
  const atRest = jobMachine.resolveState({ value: job.state as 'queued' | 'retrying', context });
  const [next] = transition(jobMachine, atRest, event);
  if (next.value === atRest.value) return null;
  const { intent } = next.context;
  return {
    ...blank,
    state: next.value as JobState & Verdict['state'],
    timeout: intent?.kind === 'timeout' ? intent.timeout : null,
    reason: intent === null ? null : reasonOf(intent),
    failure: job.failure,
  };
}
