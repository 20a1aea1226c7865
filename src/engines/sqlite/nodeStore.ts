// Which processors are at work on a SQLite file. As JobStore, call by call and without waiting. One whose process has ended is
// gone at once, by its lock; one that is silent, when its time is over.

import type { DatabaseSync } from 'node:sqlite';
import type { NodeFacts } from '../engine.ts';
import type { HeldJobs, SeenNode } from '../nodeFacts.ts';
import type { Here, Instant } from './jobStore.ts';
import { Statements } from './statements.ts';

interface NodeRow {
  facts: string;
  boot: string;
  seenOn: number;
  seenAt: number;
  goneOn: number;
  holder: string;
}

export class NodeStore {
  readonly #statements: Statements;
  readonly #here: Here;

  constructor(database: DatabaseSync, here: Here) {
    this.#statements = new Statements(database);
    this.#here = here;
  }

  nodeSeen({ now, monotonic }: Instant, node: NodeFacts, goneAfterMs: number, keptMs: number): void {
    const { boot, holder } = this.#here;
    this.#statements.run(
      `INSERT OR REPLACE INTO nodes (id, facts, boot, seenOn, seenAt, goneOn, holder)
       VALUES (:id, :facts, :boot, :monotonic, :now, :goneOn, :holder)`,
      {
        ...{ id: node.id, facts: JSON.stringify(node), boot, monotonic, now, holder },
        goneOn: monotonic + goneAfterMs,
      },
    );
    // Those of an earlier boot have the clock on the wall alone.
    this.#statements.run(
      `DELETE FROM nodes WHERE (boot = :boot AND seenOn < :seenOn) OR (boot <> :boot AND seenAt < :seenAt)`,
      { boot, seenOn: monotonic - keptMs, seenAt: now - keptMs },
    );
  }

  removeNode(_: Instant, id: string): void {
    this.#statements.run('DELETE FROM nodes WHERE id = :id', { id });
  }

  nodes({ now, monotonic }: Instant): { seen: SeenNode[]; held: HeldJobs[] } {
    const { boot: here, holder: self } = this.#here;
    const rows = this.#statements.all<NodeRow>('SELECT * FROM nodes', {});
    return {
      seen: rows.map(({ facts, boot, seenOn, seenAt, goneOn, holder }) => ({
        ...(JSON.parse(facts) as NodeFacts),
        unseenMs: Math.max(0, boot === here ? monotonic - seenOn : now - seenAt),
        isGone: boot !== here || monotonic >= goneOn || (holder !== self && !this.#here.isAlive(holder)),
      })),
      held: this.#statements.all<HeldJobs>(
        `SELECT owner, name, count(*) AS jobs FROM jobs INDEXED BY jobs_live WHERE token IS NOT NULL GROUP BY owner, name`,
        {},
      ),
    };
  }
}
