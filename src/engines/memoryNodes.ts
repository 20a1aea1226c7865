// Which processors are at work, in memory. Times are monotonic ms.

import type { NodeFacts } from './engine.ts';
import type { SeenNode } from './nodeFacts.ts';

export class MemoryNodes {
  readonly #nodes = new Map<string, { facts: NodeFacts; seenAt: number; goneAt: number }>();

  seen(now: number, facts: NodeFacts, goneAfterMs: number, keptMs: number): void {
    this.#nodes.set(facts.id, { facts: structuredClone(facts), seenAt: now, goneAt: now + goneAfterMs });
    for (const [id, { seenAt }] of this.#nodes) if (now - seenAt > keptMs) this.#nodes.delete(id);
  }

  remove(id: string): void {
    this.#nodes.delete(id);
  }

  all(now: number): SeenNode[] {
    return [...this.#nodes.values()].map(({ facts, seenAt, goneAt }) => ({
      ...structuredClone(facts),
      unseenMs: now - seenAt,
      isGone: now >= goneAt,
    }));
  }
}
