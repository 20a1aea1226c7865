// A job in words, as list, show, stuck and the acts tell it.

import type { JobState, JobStatus, StuckJob, TimeoutKind } from '../../index.ts';
import { howItStopped } from '../attemptStory.ts';
import { formatDuration } from '../durations.ts';
import { formatCount } from '../printable.ts';
import type { Style } from '../screen.ts';

export const stateStyles: Record<JobState, Style> = {
  queued: 'dim',
  running: 'cyan',
  stopping: 'yellow',
  retrying: 'yellow',
  completed: 'green',
  failed: 'red',
  timedOut: 'red',
  cancelled: 'dim',
};

/** Signs of life are stored each second. */
const beatsMs = 5000;

/** `2026-03-01 14:30:05`, where the clock on the wall says so. */
export function shownTime(date: Date): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** Whole seconds: a tenth of one is noise beside a job's life. */
export function since(date: Date, now = Date.now()): string {
  return formatDuration(Math.round(Math.abs(now - date.getTime()) / 1000));
}

export function ago(date: Date): string {
  return `${since(date)} ago`;
}

export function whenDue(date: Date): string {
  return date.getTime() < Date.now() ? `${since(date)} overdue` : `in ${since(date)}`;
}

export function timeoutName(kind: TimeoutKind): string {
  return kind === 'deadline' ? kind : `${kind} timeout`;
}

export function attemptOf({ attempt, maxAttempts }: JobStatus): string {
  return `${attempt}/${maxAttempts}`;
}

/** Items are what people count in; where there are none, nothing is said. */
export function progressOf({ progress: { items, total } }: JobStatus): string {
  if (items === 0 && total === null) return '';
  return total === null ? formatCount(items) : `${formatCount(items)}/${formatCount(total)}`;
}

/** Until the first chunk is done, what counts is the start. */
export function progressAgo({ progress, lastProgress, startedAt }: JobStatus): string | null {
  const at = progress.chunks > 0 ? lastProgress : startedAt;
  return at === null ? null : `${progress.chunks > 0 ? 'progress' : 'started'} ${ago(at)}`;
}

export function stopOf({ stop }: JobStatus): string | null {
  return stop === null ? null : howItStopped(stop, 'nothing of it runs any more');
}

/** What one would ask about next: why it ended, what it waits for, what will end it. */
export function noteOf(job: JobStatus): string {
  const { state, due, startAfter } = job;
  const alive = progressAgo(job);
  const next = due.length === 0 ? [] : [nextDue(job)];
  switch (state) {
    case 'queued':
    case 'retrying':
      return [
        ...(startAfter === null || startAfter.getTime() <= Date.now()
          ? []
          : [`starts ${whenDue(startAfter)}`]),
        ...(state === 'retrying' ? [reasonOf(job)] : []),
        ...next,
      ].join('; ');
    case 'running':
      return [...(alive === null ? [] : [alive]), ...next].join('; ');
    case 'completed':
      return '';
    default:
      return reasonOf(job);
  }
}

/** What will end it if nothing happens. While it beats, that is not its heartbeat timeout, soon as that always is. */
function nextDue({ due, lastHeartbeat }: JobStatus): string {
  const beats = lastHeartbeat !== null && Date.now() - lastHeartbeat.getTime() < beatsMs;
  const next = due.find(({ kind }) => !beats || kind !== 'heartbeat');
  if (next !== undefined) return `${timeoutName(next.kind)} ${whenDue(next.at)}`;
  return due.length === 0 ? 'no timeout is on' : 'no timeout is on but that of the heartbeat';
}

export function reasonOf({ timeout, reason, failure }: JobStatus): string {
  return [
    ...(timeout === null ? [] : [timeoutName(timeout)]),
    ...(reason === null ? [] : [reason]),
    ...(failure === null ? [] : [failure.message]),
  ].join(': ');
}

export function whyStuck({ why, since: from, job }: StuckJob): string {
  switch (why) {
    case 'owner':
      return `its process is gone or does not answer, last heard of ${ago(from)}; the next worker takes it over`;
    case 'stop':
      return `is being stopped (${reasonOf(job) || 'asked to'}), and should have been over ${ago(from)}`;
    case 'idle':
      return `alive, but without progress for ${since(from)}; ${nextDue(job)}`;
    default: {
      const passed = `passed its ${timeoutName(why)} ${ago(from)}`;
      return job.state === 'running'
        ? `${passed}, and its worker has not ended it`
        : `${passed}, and no worker has ended it: is one at work on this file?`;
    }
  }
}

/** `job 019… timedOut: heartbeat timeout; ended by SIGTERM after 1 s, nothing of it runs any more`. */
export function howJobEnded(job: JobStatus): string {
  const stop = stopOf(job);
  const reason = reasonOf(job);
  return `job ${job.id} ${job.state}${reason === '' ? '' : `: ${reason}`}${stop === null ? '' : `; ${stop}`}`;
}
