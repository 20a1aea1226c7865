// To wait for the end of a job that runs elsewhere. Ctrl-C ends the waiting, never the job.

import {
  type Job,
  JobCancelledError,
  JobFailedError,
  type JobProcessor,
  type JobStatus,
  type Jobs,
  JobTimedOutError,
} from '../../index.ts';
import { formatDuration } from '../durations.ts';
import type { Interruption } from '../interruption.ts';
import { exitCodes } from '../outcome.ts';
import { printable } from '../printable.ts';
import type { Screen } from '../screen.ts';
import { howJobEnded, progressOf, whyStuck } from './jobWords.ts';

const frameMs = 500;
/** After so long without an end it is looked for a reason. */
const patienceMs = 3000;

/** Null where the wait was interrupted before. What is waited for goes on, and its later failure is nobody's. */
export async function interruptible<T>(waiting: Promise<T>, { signal }: Interruption): Promise<T | null> {
  const { promise, resolve } = Promise.withResolvers<null>();
  const interrupt = () => resolve(null);
  signal.addEventListener('abort', interrupt);
  if (signal.aborted) interrupt();
  waiting.catch(() => {});
  try {
    return await Promise.race([waiting, promise]);
  } finally {
    signal.removeEventListener('abort', interrupt);
  }
}

/** While something is waited for: how the job stands on a terminal, and once, if it lasts, what is in the way. */
export async function watched<T>(
  waiting: Promise<T>,
  job: Job,
  processor: JobProcessor<Jobs>,
  screen: Screen,
): Promise<T> {
  const startedAt = performance.now();
  let isToldWhy = false;
  let isBusy = false;
  const look = async () => {
    if (isBusy) return;
    isBusy = true;
    const status = await job.status();
    const seconds = Math.floor((performance.now() - startedAt) / 1000);
    screen.show(`${status.state}  ${progressOf(status)}  ${formatDuration(seconds)}`.replace(/ {3,}/, '  '));
    if (!isToldWhy && performance.now() - startedAt >= patienceMs) {
      isToldWhy = true;
      const found = (await processor.stuckJobs()).find((stuck) => stuck.job.id === job.id);
      if (found !== undefined) screen.write(printable(`Waiting for job ${job.id}: ${whyStuck(found)}.`));
    }
    isBusy = false;
  };
  // What is wrong with the engine is told by what waits for it.
  const timer = setInterval(() => look().catch(() => {}), frameMs);
  try {
    return await waiting;
  } finally {
    clearInterval(timer);
    screen.clear();
  }
}

export interface End {
  readonly status: JobStatus;
  readonly result: unknown;
  readonly exitCode: number;
  /** One line; null where it completed. */
  readonly error: string | null;
}

/** The end of a job as a command ends with it. Null where the wait was interrupted. */
export async function endOf(
  job: Job,
  processor: JobProcessor<Jobs>,
  screen: Screen,
  interruption: Interruption,
): Promise<End | null> {
  const waiting = job.result().then(
    (result) => ({ result }),
    (error) => {
      const isEnd =
        error instanceof JobFailedError ||
        error instanceof JobTimedOutError ||
        error instanceof JobCancelledError;
      if (isEnd) return { result: undefined };
      throw error;
    },
  );
  const ended = await interruptible(watched(waiting, job, processor, screen), interruption);
  if (ended === null) return null;
  const status = await job.status();
  const isCompleted = status.state === 'completed';
  return {
    status,
    result: ended.result,
    exitCode: isCompleted ? 0 : status.state === 'timedOut' ? exitCodes.timedOut : exitCodes.failed,
    error: isCompleted ? null : printable(howJobEnded(status)),
  };
}
