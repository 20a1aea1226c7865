// What the engines make of nodes alike: their order, and what each of them runs.

import type { NodeFacts, StoredNode } from './engine.ts';

/** Attempts alive, of one owner and name. */
export interface HeldJobs {
  readonly owner: string;
  readonly name: string;
  readonly jobs: number;
}

/** A node without what it runs. */
export type SeenNode = NodeFacts & Pick<StoredNode, 'unseenMs' | 'isGone'>;

export function withRunning(nodes: readonly SeenNode[], held: readonly HeldJobs[]): StoredNode[] {
  const ofOwner = Map.groupBy(held, ({ owner }) => owner);
  return nodes
    .map((node) => ({
      ...node,
      running: (ofOwner.get(node.id) ?? [])
        .map(({ name, jobs }) => ({ name, jobs }))
        .sort((a, b) => compare(a.name, b.name)),
    }))
    .sort((a, b) => compare(a.name, b.name) || a.startedAt - b.startedAt || compare(a.id, b.id));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
