// Every state the job's chart can reach and every step between them, by xstate/graph: all of its own events,
// and the ends and delays of what it started.

import { type AnyStateMachine, getNextTransitions, type SnapshotFrom } from 'xstate';
import { getAdjacencyMap, getShortestPaths } from 'xstate/graph';
import { jobMachine } from '../../src/machines/job.ts';
import type { JobChartInput, JobEvent } from '../../src/machines/jobMessages.ts';

export type JobSnapshot = SnapshotFrom<typeof jobMachine>;

// The graph functions ask for a machine that emits anything.
const anyMachine: AnyStateMachine = jobMachine;

export const now = 1_000_000;

export const input: JobChartInput = {
  jobId: 'job-1',
  attempt: 0,
  token: 'token-1',
  maxAttempts: 2,
  retryOn: ['failed', 'timedOut'],
  backoff: { kind: 'fixed', ms: 1000, maxMs: Infinity, jitter: 0 },
  chance: 0,
  jobTimeoutMs: 7_200_000,
  heartbeatTimeoutMs: 60_000,
  progressTimeoutMs: 600_000,
  graceMs: 5000,
  isKillable: true,
  queueDueAt: now + 50_000,
  deadlineAt: now + 9_000_000,
  now,
};

export const ended = (outcome: 'completed' | 'failed' | 'stopped'): JobEvent => ({
  type: 'attempt.ended',
  outcome:
    outcome === 'completed'
      ? { kind: 'completed', result: '1' }
      : outcome === 'failed'
        ? { kind: 'failed', failure: { name: 'Error', message: 'no' } }
        : { kind: 'stopped' },
  at: now,
  stopSeconds: 0.5,
});

export const events: JobEvent[] = [
  { type: 'job.cancel', reason: 'by test' },
  { type: 'job.timeOut', kind: 'job', by: 'hand' },
  { type: 'job.timeOut', kind: 'heartbeat', by: 'monitor' },
  { type: 'job.timeOut', kind: 'progress', by: 'watchdog' },
  { type: 'timeout.due', kind: 'job' },
  { type: 'timeout.due', kind: 'heartbeat' },
  { type: 'timeout.due', kind: 'progress' },
  { type: 'timeout.due', kind: 'queue' },
  { type: 'timeout.due', kind: 'deadline' },
  { type: 'wallClock.read', at: now },
  { type: 'wallClock.read', at: now + 9_000_000 },
  { type: 'verdict.stored' },
  { type: 'verdict.refused' },
  { type: 'verdict.overruled', intent: { kind: 'cancel', reason: 'elsewhere' } },
  { type: 'verdict.unanswered' },
  { type: 'job.handBack' },
  ...[null, now + 500].map(
    (deadlineAt): JobEvent => ({
      type: 'timeouts.changed',
      timeouts: { jobTimeoutMs: 1000, heartbeatTimeoutMs: 1000, progressTimeoutMs: Infinity, deadlineAt },
      left: { job: 0, heartbeat: 500, progress: Infinity },
      at: now,
    }),
  ),
  { type: 'lease.lost' },
  { type: 'chunk.heartbeat' },
  { type: 'chunk.completed' },
  { type: 'attempt.acknowledged' },
  ended('completed'),
  ended('failed'),
  ended('stopped'),
];

/** The chart's own events, then what its delays and the actors it invoked would send. */
function eventsAt(snapshot: JobSnapshot): JobEvent[] {
  const internal = new Set(getNextTransitions(snapshot).map(({ eventType }) => eventType));
  const more: unknown[] = [];
  for (const type of internal) {
    if (!type.startsWith('xstate.')) continue;
    if (type.startsWith('xstate.done.actor'))
      more.push({ type, output: now }, { type, output: now + 9_000_000 });
    else more.push({ type });
  }
  const { attempt, verdict } = snapshot.context;
  const start = {
    type: 'job.start',
    attempt: attempt === 0 || verdict?.state === 'retrying' ? attempt + 1 : attempt,
    at: now,
  };
  return [start, ...events, ...more] as JobEvent[];
}

const options = (given: Partial<JobChartInput>) => ({
  input: { ...input, ...given },
  events: eventsAt as never,
  limit: 100_000,
  serializeState: (snapshot: JobSnapshot) => {
    return keyOf(snapshot);
  },
});

/** What tells two states apart. */
export function keyOf({ value, context }: JobSnapshot): string {
  const { attempt, intent, stop, verdict, deadlineAt } = context;
  return JSON.stringify([value, attempt, intent, stop, verdict, deadlineAt]);
}

export interface Step {
  from: JobSnapshot;
  event: { type: string };
  to: JobSnapshot;
}

export function allSteps(given: Partial<JobChartInput> = {}): Step[] {
  const map = getAdjacencyMap(anyMachine, options(given) as never) as unknown as Record<
    string,
    { state: JobSnapshot; transitions: Record<string, { event: { type: string }; state: JobSnapshot }> }
  >;
  return Object.values(map).flatMap(({ state: from, transitions }) =>
    Object.values(transitions).map(({ event, state: to }) => ({ from, event, to })),
  );
}

export function allPaths(given: Partial<JobChartInput> = {}) {
  return getShortestPaths(anyMachine, options(given) as never) as unknown as {
    state: JobSnapshot;
    steps: { state: JobSnapshot; event: { type: string } }[];
  }[];
}

export function top(snapshot: JobSnapshot): string {
  return typeof snapshot.value === 'string' ? snapshot.value : (Object.keys(snapshot.value)[0] as string);
}
