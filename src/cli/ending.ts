// How a run ended, and the one line about it: what it was, and what to do.

import { type Job, JobCancelledError, JobFailedError, type JobStatus, JobTimedOutError } from '../index.ts';
import {
  type ReconciliationInput,
  type ReconciliationSummary,
  reconciliationProgress,
} from '../reconciliation/index.ts';
import { type AttemptStory, howItStopped } from './attemptStory.ts';
import type { Interruption } from './interruption.ts';
import { exitCodeOf, exitCodes, type Outcome } from './outcome.ts';
import { printable } from './printable.ts';
import { rejectedLine } from './rejected.ts';
import { shownPath } from './summaryTable.ts';

export interface Run {
  readonly job: Job<ReconciliationSummary>;
  readonly story: AttemptStory;
  readonly interruption: Interruption;
  /** Monotonic ms. */
  readonly startedAt: number;
  readonly input: ReconciliationInput;
}

/** Waits for the end of the job. */
export async function outcomeOf({ job, story, interruption, startedAt, input }: Run): Promise<Outcome> {
  let summary: ReconciliationSummary | null = null;
  try {
    summary = await job.result();
  } catch (error) {
    const isEnd =
      error instanceof JobTimedOutError ||
      error instanceof JobFailedError ||
      error instanceof JobCancelledError;
    if (!isEnd) throw error;
  }
  const status = await job.status();
  const known = { summary, seconds: (performance.now() - startedAt) / 1000, attempts: status.attempt };
  if (summary !== null) {
    const error = rejectedLine(summary, input);
    return { ...known, state: 'completed', error, exitCode: exitCodeOf(summary) };
  }
  const goOn = howToGoOn(status, input);
  if (status.state === 'timedOut') {
    const error = `${timedOutLine(status, story)} ${adviceFor(status)} ${goOn}`;
    return { ...known, state: 'timedOut', error, exitCode: exitCodes.timedOut };
  }
  if (interruption.exitCode !== null && status.state === 'cancelled')
    return { ...known, state: 'cancelled', error: `Stopped. ${goOn}`, exitCode: interruption.exitCode };
  return { ...known, state: 'failed', error: failedLine(status, goOn), exitCode: exitCodes.failed };
}

function timedOutLine(status: JobStatus, story: AttemptStory): string {
  const what = story.noticed() ?? 'not done in time (job timeout)';
  const stop = status.stop === null ? '' : `; ${howItStopped(status.stop)}`;
  const tried = status.attempt > 1 ? ` (attempt ${status.attempt})` : '';
  return `timed out: ${what}${tried}${stop}.`;
}

function adviceFor({ timeout }: JobStatus): string {
  const option = timeout === 'heartbeat' || timeout === 'progress' ? timeout : 'job';
  return `Give it longer with --${option}-timeout.`;
}

/** An error of the input says all by itself. */
function failedLine({ failure, attempt }: JobStatus, goOn: string): string {
  const message = printable(failure?.message ?? 'the job ended without an outcome');
  if (failure?.code === 'ERR_RECONCILIATION_INPUT') return message;
  return `failed${attempt > 1 ? ` at attempt ${attempt}` : ''}: ${message.replace(/\.$/, '')}. ${goOn}`;
}

function howToGoOn({ progress }: JobStatus, { out, fresh }: ReconciliationInput): string {
  const command = fresh === true ? 'the same command without --fresh' : 'the same command';
  const { done, chunks } = reconciliationProgress(progress) ?? { done: 0, chunks: 0 };
  if (done === 0) return `Nothing is done yet: ${command} begins again.`;
  return `${done} of ${chunks} chunks are done and kept in ${shownPath(out)}: ${command} goes on from there.`;
}
