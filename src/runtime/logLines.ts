// The log lines of a job's life: one a transition (never its input, checkpoint or result), and those of a timeout word for
// word as people's alarms already look for them.

import type { Logger } from 'pino';
import type { StoredJob } from '../engines/engine.ts';
import type { JobEmitted } from '../machines/jobMessages.ts';
import type { StopIntent } from '../machines/verdict.ts';
import type { QueueAge } from './webhooks/notification.ts';

/** A log that cannot be written harms no job. */
function quietly(write: () => void): void {
  try {
    write();
  } catch {
    // There is no other place to say so.
  }
}

export function logFound(log: Logger, count: number): void {
  quietly(() => log.warn(`Found ${count} stuck job(s), forcing timeout`));
}

export function logTimedOut(log: Logger, id: string): void {
  quietly(() => log.info(`Successfully timed out stuck job ${id}`));
}

export function logNotTimedOut(log: Logger, id: string, error: string): void {
  quietly(() => log.error(`Failed to timeout stuck job ${id}: ${error}`));
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

export function logQueueTooOld(log: Logger, { name, waiting, ageSeconds }: QueueAge): void {
  quietly(() =>
    log.warn(
      { job: name, waiting, ageSeconds },
      `The queue of ${name} is too old: a job has waited for ${ageSeconds} s`,
    ),
  );
}

export function logNodeLost(log: Logger, node: string, unseenMs: number, jobs: number): void {
  const unseenSeconds = Math.round(unseenMs / 1000);
  quietly(() =>
    log.warn(
      { node, unseenSeconds, jobs },
      `node ${node} is gone, last seen ${unseenSeconds} s ago: ${jobs} of its job(s) were taken over here`,
    ),
  );
}

export function logSubmitted(log: Logger, { id, name }: StoredJob): void {
  quietly(() => log.debug({ jobId: id, job: name, state: 'queued' }, `job ${id} queued`));
}

/** An attempt begins, or begins to be stopped: `intent` says why. */
export function logLive(
  log: Logger,
  id: string,
  state: 'running' | 'stopping',
  intent: StopIntent | null,
): void {
  const said = `job ${id} ${state}`;
  quietly(() => {
    if (intent === null || state === 'running') log.info({ state }, said);
    else if (intent.kind === 'timeout')
      log.warn({ state, timeout: intent.timeout, foundBy: intent.by }, said);
    else log[intent.kind === 'leaseLost' ? 'warn' : 'info']({ state, reason: intent.kind }, said);
  });
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
  quietly(() => log[level](facts, `job ${job.id} ${state}`));
}
