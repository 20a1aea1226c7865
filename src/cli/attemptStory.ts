// What happens to the attempts of a job, in plain words. The log has the facts; this is for whoever is watching.

import type { JobProcessor, JobStatus, Jobs, StopRecord } from '../index.ts';
import { reconciliationProgress } from '../reconciliation/index.ts';
import { formatDuration } from './durations.ts';
import { printable } from './printable.ts';

export interface AttemptStory {
  /** Why the last attempt that was stopped was stopped; null where it ended by itself. */
  noticed(): string | null;
  /** One line about an attempt that is over and the one that follows. */
  retried(status: JobStatus): string;
}

/** Follows a processor that runs one job. */
export function followAttempts<J extends Jobs>(processor: JobProcessor<J>): AttemptStory {
  let startedAt = Date.now();
  let progressedAt = startedAt;
  let noticed: string | null = null;
  processor.on('running', () => {
    startedAt = Date.now();
    progressedAt = startedAt;
    noticed = null;
  });
  processor.on('progress', () => {
    progressedAt = Date.now();
  });
  processor.on('stopping', (status) => {
    noticed = whatWasNoticed(status, { startedAt, progressedAt, now: Date.now() });
  });
  return { noticed: () => noticed, retried: (status) => retryStory(status, noticed) };
}

interface Times {
  readonly startedAt: number;
  readonly progressedAt: number;
  readonly now: number;
}

/** Measured, not read off the settings: what is said is what was seen. Null where it is no timeout. */
function whatWasNoticed({ timeout, lastHeartbeat }: JobStatus, times: Times): string | null {
  const since = (at: number) => formatDuration(Math.round((times.now - at) / 100) / 10);
  switch (timeout) {
    case 'heartbeat':
      return `no sign of life for ${since(lastHeartbeat?.getTime() ?? times.startedAt)} (heartbeat timeout)`;
    case 'progress':
      return `alive, but no chunk done for ${since(times.progressedAt)} (progress timeout)`;
    case 'job':
    case 'deadline':
      return `not done in time (job timeout), ${since(times.startedAt)} after the attempt began`;
    default:
      return null;
  }
}

/** How it was stopped and what was proven: `ended by SIGTERM in 1.02 s, its process is gone`. `proof`: in whose words. */
export function howItStopped(stop: StopRecord, proof = 'its process is gone'): string {
  if (!stop.confirmed) return 'killed, but not proven to be gone';
  const how = {
    ask: 'left when it was asked to',
    grace: 'left within its grace',
    terminate: `ended by ${stop.signal ?? 'SIGTERM'}`,
    kill: `killed by ${stop.signal ?? 'SIGKILL'}`,
  }[stop.rung];
  const took = stop.tookSeconds === null ? '' : ` after ${formatDuration(stop.tookSeconds)}`;
  return `${how}${took}, ${proof}`;
}

function retryStory(status: JobStatus, noticed: string | null): string {
  const { read, done, chunks } = reconciliationProgress(status.progress) ?? { read: 0, done: 0, chunks: 0 };
  const ended = noticed ?? printable(status.failure?.message ?? 'it ended without an outcome');
  const stopped = status.stop === null ? '' : `; ${howItStopped(status.stop)}`;
  const from = read < 1 || chunks === 0 ? 'starts over' : `goes on after chunk ${done} of ${chunks}`;
  return `Attempt ${status.attempt}: ${ended}${stopped}. Attempt ${status.attempt + 1} of ${status.maxAttempts} ${from}.`;
}
