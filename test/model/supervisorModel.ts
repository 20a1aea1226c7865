// The supervisor's chart with two slots and some jobs, and the paths through it. What tells two states apart is all that its
// chart keeps, and how many jobs have been started. The simple paths of one job are some hundreds, of two 8 821, of three
// more than can be walked: of those each step is walked once, and all that tells steps of a second job from those of a
// third is a number that the chart does not know.

import { createActor, fromPromise, type SnapshotFrom, transition } from 'xstate';
import { supervisorMachine } from '../../src/machines/supervisor.ts';

type Snapshot = SnapshotFrom<typeof supervisorMachine>;

export const slots = 2;

/** `claimed`: a claim comes back with so many jobs. */
export type SupervisorEvent =
  | { do: 'workCame' | 'claimFailed' | 'pauseOver' | 'attemptEnded' | 'drain' }
  | { do: 'claimed'; jobs: number };

export interface SupervisorState {
  readonly snapshot: Snapshot;
  readonly started: number;
}

const told = {
  workCame: { type: 'work.available' },
  attemptEnded: { type: 'slot.freed' },
  drain: { type: 'processor.drain' },
  claimFailed: { type: 'xstate.error.actor.0.supervisor.claiming', error: new Error('no answer') },
  pauseOver: { type: 'xstate.after.claimPause.supervisor.pausing' },
} as const;

const idle = supervisorMachine.provide({
  actors: { claimJobs: fromPromise(() => new Promise<number>(() => {})) },
});

/** As it is when a processor starts: it looks for work. */
export function firstState(): SupervisorState {
  const snapshot = createActor(idle, { input: { limit: slots } }).getSnapshot();
  return step({ snapshot, started: 0 }, { do: 'workCame' });
}

export function step({ snapshot, started }: SupervisorState, event: SupervisorEvent): SupervisorState {
  const output = event.do === 'claimed' ? event.jobs : 0;
  const it =
    event.do === 'claimed' ? { type: 'xstate.done.actor.0.supervisor.claiming', output } : told[event.do];
  const [next] = transition(idle, snapshot, it as never);
  return { snapshot: next, started: started + output };
}

/** What can happen in a state. */
function eventsAt(
  { snapshot: { value, context }, started }: SupervisorState,
  jobs: number,
): SupervisorEvent[] {
  if (value === 'drained') return [];
  const isClaiming = typeof value === 'object';
  const alive = context.held - context.claiming;
  const most = Math.min(context.claiming, jobs - started);
  return [
    { do: 'workCame' },
    ...(isClaiming
      ? Array.from({ length: most + 1 }, (_, n): SupervisorEvent => ({ do: 'claimed', jobs: n }))
      : []),
    ...(isClaiming ? [{ do: 'claimFailed' } as const] : []),
    ...(value === 'pausing' ? [{ do: 'pauseOver' } as const] : []),
    ...(alive > 0 ? [{ do: 'attemptEnded' } as const] : []),
    ...(value === 'draining' || (isClaiming && value.claiming === 'closing')
      ? []
      : [{ do: 'drain' } as const]),
  ];
}

export function keyOf({ snapshot: { value, context }, started }: SupervisorState): string {
  return JSON.stringify([value, context.held, context.claiming, context.mayHaveWork, started]);
}

function onwardFrom(state: SupervisorState, jobs: number) {
  return eventsAt(state, jobs).map((event) => ({ event, to: step(state, event) }));
}

/** All simple paths that cannot go on. */
export function simplePaths(jobs: number): SupervisorEvent[][] {
  const found: SupervisorEvent[][] = [];
  const walk = (state: SupervisorState, path: SupervisorEvent[], visited: ReadonlySet<string>) => {
    const onward = onwardFrom(state, jobs).filter(({ to }) => !visited.has(keyOf(to)));
    if (onward.length === 0) found.push(path);
    for (const { event, to } of onward) walk(to, [...path, event], new Set([...visited, keyOf(to)]));
  };
  const first = firstState();
  walk(first, [], new Set([keyOf(first)]));
  return found;
}

/** For each event in each state a shortest path that ends with it. */
export function pathToEachStep(jobs: number): SupervisorEvent[][] {
  const first = firstState();
  const reached = new Map([[keyOf(first), { state: first, path: [] as SupervisorEvent[] }]]);
  const found: SupervisorEvent[][] = [];
  // A map is walked through what is added to it meanwhile.
  for (const { state, path } of reached.values()) {
    for (const { event, to } of onwardFrom(state, jobs)) {
      found.push([...path, event]);
      if (!reached.has(keyOf(to))) reached.set(keyOf(to), { state: to, path: [...path, event] });
    }
  }
  return found;
}
