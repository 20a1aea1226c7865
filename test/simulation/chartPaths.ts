// Which state of a job may follow which in its stored history: read off the chart, so that there is no second list of them.

import type { AnyStateNode } from 'xstate';
import { jobMachine } from '../../src/machines/job.ts';
import type { JobState } from '../../src/machines/states.ts';

const follows = new Map<string, Set<string>>();
for (const state of Object.values(jobMachine.root.states) as AnyStateNode[]) {
  const next = new Set<string>();
  for (const node of within(state))
    for (const transitions of [...node.transitions.values()])
      for (const { target } of transitions) for (const to of target ?? []) next.add(topOf(to));
  follows.set(state.key, next);
}

export function mayFollow(before: JobState, after: JobState): boolean {
  return follows.get(before)?.has(after) === true;
}

function* within(node: AnyStateNode): Iterable<AnyStateNode> {
  yield node;
  for (const child of Object.values(node.states)) yield* within(child);
}

function topOf(node: AnyStateNode): string {
  return node.path[0] ?? node.key;
}
