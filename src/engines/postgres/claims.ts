// Which jobs an attempt begins of: as many as are asked for, the lowest rank first, as far as the limits of their names let them.
// Two that claim at once pass over what the other has. Who claims names with limits is alone with these names until the
// claim is stored; nobody waits otherwise.

import { randomUUID } from 'node:crypto';
import type { JobState } from '../../machines/states.ts';
import type { Claim, StoredJob } from '../engine.ts';
import { limitsOf } from '../jobFacts.ts';
import { fromRow, type JobRow } from './jobRow.ts';
import { began, roomsFor } from './limits.ts';
import type { Transaction } from './transaction.ts';

/** What waits here for a slot may be as large, in bytes. */
const claimedAheadBytes = 4_000_000;

/** The names whose limits a claim must keep. */
export function limitedNames({ names, limits }: Claim): string[] {
  return names.filter((name) => {
    const found = limitsOf(name, limits);
    return found !== undefined && (found.concurrency !== Infinity || found.rate !== null);
  });
}

/**
 * `tx` holds the locks of `limitedNames`. `now`: null for the clock of the database, which is read anew when the jobs are taken: those
 * whose place one of them has may have ended after that of `tx` was, and an attempt begins after them.
 */
export async function claim(tx: Transaction, claim: Claim, now: number | null = null): Promise<StoredJob[]> {
  const { owner, limit, ahead, names, leaseMs, limits } = claim;
  const total = limit + ahead;
  if (total <= 0 || names.length === 0) return [];
  const rooms = await roomsFor(tx, limitedNames(claim), limits);
  const open = names
    .map((name) => ({ name, room: Math.min(total, rooms.get(name) ?? Infinity) }))
    .filter(({ room }) => room > 0);
  if (open.length === 0) return [];
  const isReady = 'j.stage = 1 AND (j.due_at IS NULL OR j.due_at > $2::float8)';
  const started = await tx.query<JobRow & { place: number }>(
    `WITH clock AS MATERIALIZED (SELECT coalesce($8::float8, extract(epoch FROM clock_timestamp())::float8 * 1000) AS at),
     names AS MATERIALIZED (
       SELECT * FROM json_to_recordset($1) AS n(name text, room int)
       WHERE NOT EXISTS (SELECT FROM ${tx.schema}.paused p WHERE p.name = n.name)),
     -- How many of each name are among the first: so no more are locked than are taken.
     wanted AS MATERIALIZED (
       SELECT first.name, count(*) AS n FROM (
         SELECT c.name FROM names CROSS JOIN LATERAL (
           SELECT j.name, j.rank, j.seq FROM ${tx.schema}.jobs j WHERE j.name = names.name AND ${isReady}
           ORDER BY j.rank, j.seq LIMIT names.room) AS c
         ORDER BY c.rank, c.seq LIMIT $3) AS first
       GROUP BY first.name),
     picked AS MATERIALIZED (
       SELECT c.* FROM wanted CROSS JOIN LATERAL (
         SELECT j.id, j.rank, j.seq, j.claimed_ahead OR j.crashes > 0 AS alone,
           octet_length(j.input) + coalesce(octet_length(j.checkpoint), 0) AS size
         FROM ${tx.schema}.jobs j WHERE j.name = wanted.name AND ${isReady}
         ORDER BY j.rank, j.seq LIMIT wanted.n FOR UPDATE SKIP LOCKED) AS c),
     placed AS MATERIALIZED (
       SELECT numbered.*, sum(size) FILTER (WHERE place > $4) OVER (ORDER BY place) AS size_so_far
       FROM (SELECT picked.*, row_number() OVER (ORDER BY rank, seq) AS place FROM picked) AS numbered),
     -- None goes ahead of one that must not: that is claimed for a slot, when those before it are gone.
     taken AS MATERIALIZED (
       SELECT id, place FROM placed WHERE place <= $4 OR place <
         coalesce((SELECT min(place) FROM placed WHERE place > $4 AND (alone OR size_so_far >= ${claimedAheadBytes})), 2147483647))
     UPDATE ${tx.schema}.jobs j SET state = 'running', attempt = j.attempt + 1,
       token = j.seq || '.' || (j.attempt + 1) || '-' || $5, owner = $6, started_at = clock.at, last_heartbeat_at = clock.at,
       last_progress_at = clock.at, process_group = NULL, intent = NULL, timeout = NULL, reason = NULL, failure = NULL, stop = NULL,
       due_at = NULL, stage = CASE WHEN j.concurrency_key IS NULL THEN NULL ELSE 3 END, claimed_ahead = taken.place > $4,
       lease_until = clock.at + $7::float8,
       history = j.history || ',{"state":"running","at":' || clock.at || ',"attempt":' || (j.attempt + 1) || '}'
     FROM taken CROSS JOIN clock WHERE j.id = taken.id RETURNING j.*, taken.place`,
    // The number of an attempt alone could come again, where another server takes over that has not heard of the last.
    [JSON.stringify(open), tx.now, total, limit, randomUUID(), owner, leaseMs, now],
  );
  const claimed = started.sort((a, b) => a.place - b.place).map(fromRow);
  for (const { id, name, history } of claimed) {
    tx.changed(id, 'running');
    tx.moved(name, history.at(-2)?.state as JobState, -1);
    tx.moved(name, 'running', 1);
  }
  await began(tx, claimed, limits);
  return claimed;
}
