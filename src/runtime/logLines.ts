// The log lines of a job's life: one a transition (never its input, checkpoint or result), and those of a timeout word for word as people's alarms
// already look for them.

import type { Logger } from 'pino';
import type { StoredJob } from '../engines/engine.ts';
import type { JobEmitted } from '../machines/jobMessages.ts';
import type { StopIntent } from '../machines/verdict.ts';
import type { QueueAge } from './webhooks/notification.ts';

export function logFound(log: Logger, count: number): void {
  log.warn(`Found ${count} stuck job(s), forcing timeout`);
}

export function logTimedOut(log: Logger, id: string): void {
  log.info(`Successfully timed out stuck job ${id}`);
}

export function logNotTimedOut(log: Logger, id: string, error: string): void {
  log.error(`Failed to timeout stuck job ${id}: ${error}`);
}

export function logTimeout(log: Logger, id: string, emitted: JobEmitted): void {
  if (emitted.type === 'timeout.found') {
    // A sweep says once how many it found.
    if (emitted.by !== 'monitor') logFound(log, 1);
  } else if (emitted.intent.kind === 'timeout') {
    if (emitted.type === 'stop.proven') logTimedOut(log, id);
    else logNotTimedOut(log, id, 'its code could not be proven stopped; its slot stays held until it is');
  }
}

export function logQueueTooOld(log: Logger, { waiting, ageSeconds }: QueueAge): void {
  log.warn({ waiting, ageSeconds }, `The queue is too old: a job has waited for ${ageSeconds} s`);
}

export function logSubmitted(log: Logger, { id, name }: StoredJob): void {
  log.debug({ jobId: id, job: name, state: 'queued' }, `job ${id} queued`);
}

/** An attempt begins, or begins to be stopped: `intent` says why. */
export function logLive(
  log: Logger,
  id: string,
  state: 'running' | 'stopping',
  intent: StopIntent | null,
): void {
  if (intent === null || state === 'running') log.info({ state }, `job ${id} ${state}`);
  else if (intent.kind === 'timeout')
    log.warn({ state, timeout: intent.timeout, foundBy: intent.by }, `job ${id} ${state}`);
  else
    log[intent.kind === 'leaseLost' ? 'warn' : 'info']({ state, reason: intent.kind }, `job ${id} ${state}`);
}

/** What is stored of an attempt that is over, or of a job at rest. */
export function logTransition(log: Logger, job: StoredJob): void {
  const { state, timeout, stop, failure } = job;
  const facts = {
    state,
    ...(timeout === null ? {} : { timeout }),
    ...(stop === null ? {} : { stop }),
    ...(failure === null ? {} : { err: failure }),
  };
  const level =
    state === 'completed' || state === 'cancelled' || state === 'queued'
      ? 'info'
      : state === 'failed'
        ? 'error'
        : 'warn';
  log[level](facts, `job ${job.id} ${state}`);
}
