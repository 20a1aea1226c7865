// Which processors are at work, on whichever machine. Each is a row that it writes alone, by itself and not with other writes, and
// nobody is told of it: who wants to know reads them.

import type { NodeFacts, StoredNode } from '../engine.ts';
import { type HeldJobs, withRunning } from '../nodeFacts.ts';
import type { Query } from './transaction.ts';

/** `now`: null is the clock of the database. */
const clock = 'coalesce($1::float8, extract(epoch FROM statement_timestamp()) * 1000)';

export async function nodeSeen(
  query: Query,
  schema: string,
  now: number | null,
  node: NodeFacts,
  goneAfterMs: number,
  keptMs: number,
): Promise<void> {
  await query(
    `WITH old AS (DELETE FROM ${schema}.nodes WHERE id IN (
       SELECT id FROM ${schema}.nodes WHERE seen_at < ${clock} - $5::float8 AND id <> $2 ORDER BY id FOR UPDATE SKIP LOCKED))
     INSERT INTO ${schema}.nodes (id, facts, seen_at, gone_at) VALUES ($2, $3, ${clock}, ${clock} + $4::float8)
     ON CONFLICT (id) DO UPDATE SET facts = excluded.facts, seen_at = excluded.seen_at, gone_at = excluded.gone_at`,
    [now, node.id, JSON.stringify(node), goneAfterMs, keptMs],
  );
}

export async function removeNode(query: Query, schema: string, id: string): Promise<void> {
  await query(`DELETE FROM ${schema}.nodes WHERE id = $1`, [id]);
}

export async function nodes(query: Query, schema: string, now: number | null): Promise<StoredNode[]> {
  const [seen, held] = await Promise.all([
    query<{ facts: string; unseen_ms: number; is_gone: boolean }>(
      `SELECT facts, greatest(0, ${clock} - seen_at) AS unseen_ms, ${clock} >= gone_at AS is_gone FROM ${schema}.nodes`,
      [now],
    ),
    query<HeldJobs>(
      `SELECT owner, name, count(*) AS jobs FROM ${schema}.jobs WHERE token IS NOT NULL GROUP BY owner, name`,
    ),
  ]);
  return withRunning(
    seen.map(({ facts, unseen_ms, is_gone }) => ({
      ...(JSON.parse(facts) as NodeFacts),
      unseenMs: unseen_ms,
      isGone: is_gone,
    })),
    held,
  );
}
