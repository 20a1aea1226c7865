// The job's chart as a graph that is small enough to be walked whole, one attempt at a time, and all simple paths through it.
//
// What tells two states apart: where the chart is, the number of the attempt, what the stop is for and what the verdict is, both
// as far as the chart looks at them, and whether the stop is proven. A cancel and a timeout that is not retried are one: the
// chart does the same with them, and which of the acts stands for it goes round from path to path. Whatever the acts, the chart
// itself says in each step where it must have come to; that it is the state which the path foresaw is checked, so what is
// left out cannot matter. A path ends at rest: a start forgets all but the attempt's number, so what follows is another path.

import { type AnyStateMachine, getNextTransitions, type SnapshotFrom } from 'xstate';
import { getAdjacencyMap } from 'xstate/graph';
import { jobMachine } from '../../src/machines/job.ts';
import type { JobEvent } from '../../src/machines/jobMessages.ts';
import { isAtRest, type JobState } from '../../src/machines/states.ts';
import { isRetried, type StopIntent, type Verdict } from '../../src/machines/verdict.ts';
import { ended, input, now } from '../machines/explore.ts';

export type JobSnapshot = SnapshotFrom<typeof jobMachine>;

const pointless: JobEvent = {
  type: 'attempt.ended',
  outcome: { kind: 'failed', failure: { name: 'Error', message: 'no', retryable: false } },
  at: now,
  stopSeconds: 0.5,
};
const byWatchdog = (kind: 'job' | 'progress'): JobEvent => ({ type: 'job.timeOut', kind, by: 'watchdog' });
const byMonitor = (kind: 'job' | 'progress' | 'queue' | 'deadline'): JobEvent => ({
  type: 'job.timeOut',
  kind,
  by: 'monitor',
});
const elsewhere = 'asked elsewhere';

/** What can happen to a job, and what its chart is told of it. jobActs.ts makes it happen. */
export const events = {
  start: { type: 'job.start', attempt: 1, at: now },
  cancelHere: { type: 'job.cancel', reason: 'asked here' },
  cancelElsewhere: { type: 'job.cancel', reason: elsewhere },
  timeOutHere: { type: 'job.timeOut', kind: 'job', by: 'hand' },
  timeOutElsewhere: { type: 'job.timeOut', kind: 'job', by: 'hand' },
  jobTimer: { type: 'timeout.due', kind: 'job' },
  heartbeatTimer: { type: 'timeout.due', kind: 'heartbeat' },
  progressTimer: { type: 'timeout.due', kind: 'progress' },
  deadlineTimer: { type: 'wallClock.read', at: now + 9_000_000 },
  jobWatchdog: byWatchdog('job'),
  progressWatchdog: byWatchdog('progress'),
  jobMonitor: byMonitor('job'),
  progressMonitor: byMonitor('progress'),
  deadlineMonitor: byMonitor('deadline'),
  queueMonitor: byMonitor('queue'),
  handBack: { type: 'job.handBack' },
  leaseLost: { type: 'lease.lost' },
  acknowledged: { type: 'attempt.acknowledged' },
  completes: ended('completed'),
  fails: ended('failed'),
  crashes: ended('failed'),
  failsForGood: pointless,
  stored: { type: 'verdict.stored' },
  refused: { type: 'verdict.refused' },
  unanswered: { type: 'verdict.unanswered' },
  answerLost: { type: 'verdict.unanswered' },
  overruledByCancel: { type: 'verdict.overruled', intent: { kind: 'cancel', reason: elsewhere } },
  overruledByTimeOut: {
    type: 'verdict.overruled',
    intent: { kind: 'timeout', timeout: 'job', by: 'hand' },
  },
} as const satisfies Record<string, JobEvent>;

/** Or the end of one of the chart's delays, by its id in XState. */
export type EventName = keyof typeof events | `xstate.after.${string}`;

export function eventOf(name: EventName, { context, value }: JobSnapshot): JobEvent {
  if (name === 'start') return { type: 'job.start', attempt: context.attempt + 1, at: now };
  // By hand, at rest, it is the queue's.
  if (name.startsWith('timeOut') && (value === 'queued' || value === 'retrying'))
    return { type: 'job.timeOut', kind: 'queue', by: 'hand' };
  if (name in events) return events[name as keyof typeof events];
  return { type: name } as unknown as JobEvent;
}

function intentClass(intent: StopIntent | null): string {
  if (intent === null) return 'none';
  if (intent.kind === 'handBack' || intent.kind === 'leaseLost') return intent.kind;
  return intent.kind === 'timeout' && isRetried(intent) ? 'mayRetry' : 'mustEnd';
}

function verdictClass(verdict: Verdict | null): string {
  if (verdict === null) return 'none';
  // Which of the two it is the walk itself compares.
  return verdict.state === 'timedOut' || verdict.state === 'cancelled' ? 'ended' : verdict.state;
}

/** What tells two states apart. */
export function keyOf({ value, context: { attempt, intent, stop, verdict } }: JobSnapshot): string {
  const isEnded = value === 'cancelled' || value === 'timedOut';
  const where = isEnded
    ? 'ended'
    : typeof value === 'string'
      ? value
      : Object.entries(value).flat().join('.');
  const isProven = stop === null ? '' : stop.confirmed ? ', proven' : ', not proven';
  return `${where} #${attempt} (${intentClass(intent)}, ${verdictClass(verdict)}${isProven})`;
}

/** Where a path begins: before the first attempt of two, or before the last. */
export function startOf(attempt: 0 | 1, isKillable: boolean): JobSnapshot {
  const context = {
    ...{ ...input, attempt, isKillable, maxAttempts: 2 },
    ...{ intent: null, stop: null, verdict: null },
  };
  return jobMachine.resolveState({ value: attempt === 0 ? 'queued' : 'retrying', context });
}

interface Edge {
  readonly to: string;
  /** Those that lead there. */
  readonly events: EventName[];
}

interface Node {
  readonly snapshot: JobSnapshot;
  readonly edges: readonly Edge[];
}

export type Graph = ReadonlyMap<string, Node>;

export function graphFrom(start: JobSnapshot): Graph {
  const namesAt = (snapshot: JobSnapshot): EventName[] => {
    const delays = getNextTransitions(snapshot)
      .map(({ eventType }) => eventType)
      .filter((type) => type.startsWith('xstate.after.'));
    return [...Object.keys(events), ...new Set(delays)] as EventName[];
  };
  const map = getAdjacencyMap(
    jobMachine as AnyStateMachine,
    {
      fromState: start,
      // The graph knows an event by its text: so it says which of ours it is.
      events: (snapshot: JobSnapshot) =>
        namesAt(snapshot).map((name) => ({ ...eventOf(name, snapshot), as: name })),
      serializeState: keyOf,
      stopWhen: (snapshot: JobSnapshot) =>
        isAtRest(snapshot.value as JobState) && snapshot.context.verdict !== null,
      limit: 100_000,
    } as never,
  ) as unknown as Record<
    string,
    {
      state: JobSnapshot;
      transitions: Record<string, { event: { as: EventName }; state: JobSnapshot }>;
    }
  >;
  return new Map(
    Object.entries(map).map(([key, { state, transitions }]) => {
      const edges = new Map<string, EventName[]>();
      for (const { event, state: next } of Object.values(transitions)) {
        const to = keyOf(next);
        if (to !== key) edges.set(to, [...(edges.get(to) ?? []), event.as]);
      }
      return [key, { snapshot: state, edges: [...edges].map(([to, events]) => ({ to, events })) }];
    }),
  );
}

export interface Step {
  readonly to: string;
  readonly events: readonly EventName[];
}

export type Path = readonly Step[];

/**
 * All simple paths that cannot go on, from the first node of a graph. An end of an attempt is stored on all of them; that it
 * is refused, or not answered, is one more path for each way in which an attempt can be over.
 */
export function simplePaths(graph: Graph): Path[] {
  const found: Path[] = [];
  const exits = new Map<string, Path>();
  const walk = (key: string, path: Path, visited: ReadonlySet<string>) => {
    const node = graph.get(key);
    const goesOn = (node?.edges ?? []).filter(
      ({ to, events }) =>
        !visited.has(to) && !events.every((name) => /^(refused|unanswered|answerLost)$/.test(name)),
    );
    if (key.includes('settling') && !exits.has(key)) exits.set(key, path);
    if (goesOn.length === 0) found.push(path);
    for (const { to, events } of goesOn) walk(to, [...path, { to, events }], new Set([...visited, to]));
  };
  const [start] = graph.keys();
  walk(start as string, [], new Set([start as string]));
  for (const [key, path] of exits) {
    for (const exit of ['refused', 'unanswered'] as const) {
      const edge = graph.get(key)?.edges.find(({ events }) => events.includes(exit));
      if (edge !== undefined) found.push([...path, edge]);
    }
  }
  return found;
}
