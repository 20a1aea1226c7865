// Limits of names, and times before which no attempt starts. How many attempts of a name may begin is counted by who holds the
// lock of the name, so that what others claim is stored and counted, or not there yet.

import type { NameLimits, StoredJob } from '../engine.ts';
import { limitsOf } from '../jobFacts.ts';
import { instant } from './jobQueries.ts';
import type { Query, Transaction } from './transaction.ts';

/** How many more attempts of each name may begin now. */
export async function roomsFor(
  tx: Transaction,
  names: readonly string[],
  limits: Readonly<Record<string, NameLimits>> | undefined,
): Promise<Map<string, number>> {
  const rooms = new Map<string, number>();
  if (names.length === 0) return rooms;
  const alive = await tx.query<{ name: string; n: number }>(
    `SELECT name, count(*)::int AS n FROM ${tx.schema}.jobs WHERE token IS NOT NULL AND name = ANY($1) GROUP BY name`,
    [names],
  );
  for (const name of names) {
    const { concurrency = Infinity, rate = null } = limitsOf(name, limits) ?? {};
    const free = concurrency - (alive.find((found) => found.name === name)?.n ?? 0);
    rooms.set(name, rate === null ? free : Math.min(free, await roomOfRate(tx, name, rate)));
  }
  return rooms;
}

async function roomOfRate(
  tx: Transaction,
  name: string,
  rate: NonNullable<NameLimits['rate']>,
): Promise<number> {
  // Where the clock was set back, by more than a span, what began later began now.
  await tx.query(
    `UPDATE ${tx.schema}.starts SET at = $2::float8 WHERE name = $1 AND at > $2::float8 + $3::float8`,
    [name, tx.now, rate.ms],
  );
  await tx.query(`DELETE FROM ${tx.schema}.starts WHERE name = $1 AND at <= $2::float8 - $3::float8`, [
    name,
    tx.now,
    rate.ms,
  ]);
  const [begun] = await tx.query<{ n: number }>(
    `SELECT coalesce(sum(n), 0)::int AS n FROM ${tx.schema}.starts WHERE name = $1`,
    [name],
  );
  return rate.starts - (begun?.n ?? 0);
}

/** Attempts have begun: of names with a rate they are kept as long as it needs them. */
export async function began(
  tx: Transaction,
  claimed: readonly StoredJob[],
  limits: Readonly<Record<string, NameLimits>> | undefined,
): Promise<void> {
  for (const [name, jobs] of Object.entries(Object.groupBy(claimed, (job) => job.name)))
    if (limitsOf(name, limits)?.rate)
      await tx.query(`INSERT INTO ${tx.schema}.starts (name, at, n) VALUES ($1, $2, $3)`, [
        name,
        jobs?.[0]?.startedAt,
        jobs?.length ?? 0,
      ]);
}

/** In how many ms a rate lets a job start that waits for nothing else; Infinity: none does. */
export async function nextStartIn(
  query: Query,
  schema: string,
  now: number | null,
  limits: Readonly<Record<string, NameLimits>>,
): Promise<number> {
  let next = Infinity;
  for (const [name, { rate }] of Object.entries(limits)) {
    if (rate === null) continue;
    const [begun] = await query<{ n: number; ago: number; waits: boolean }>(
      `SELECT coalesce(sum(n), 0)::int AS n, coalesce(max(${instant('$2')} - least(at, ${instant('$2')})), 0) AS ago,
         (SELECT seq FROM ${schema}.jobs WHERE stage = 1 AND name = $1 ORDER BY rank, seq LIMIT 1) IS NOT NULL AS waits
       FROM ${schema}.starts WHERE name = $1 AND at > ${instant('$2')} - $3::float8`,
      [name, now, rate.ms],
    );
    if (begun === undefined || !begun.waits || begun.n < rate.starts) continue;
    next = Math.min(next, rate.ms - begun.ago);
  }
  return next;
}

/** What may start by `now` (an expression of SQL) waits for a slot, or for its key, and for nothing else. */
export function ripening(schema: string, now: string): string {
  return `UPDATE ${schema}.jobs SET stage = CASE WHEN concurrency_key IS NULL THEN 1 ELSE 2 END
    WHERE id IN (SELECT id FROM ${schema}.jobs WHERE stage = 0 AND not_before <= ${now}
      ORDER BY not_before LIMIT 1000 FOR UPDATE SKIP LOCKED)
    RETURNING name, concurrency_key`;
}
