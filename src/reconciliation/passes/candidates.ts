// Finds, for each row of a block, the rows of the other side that it may be matched with. They stand next to each other
// in the other side's order, so each row has a run of places there, found by two searches and cut to the nearest
// `candidates`: however many rows are alike, the pairs are never more than rows times candidates.

import type { Limit } from '../rules/limit.ts';
import { within } from '../rules/sameValue.ts';
import type { Staging } from '../staging.ts';
import { blockOf } from './openRows.ts';
import type { PlannedPass } from './plannedPass.ts';

type Side = 'left' | 'right';

/** Adds to `pass_pairs`; answers with how many rows had more candidates than are looked at. */
export async function findCandidates(
  staging: Staging,
  pass: PlannedPass,
  side: Side,
  block: number,
): Promise<number> {
  const { database } = staging;
  const other = side === 'left' ? 'right' : 'left';
  const [from, before] = await blockOf(staging, side, block);
  const reach = reachOf(pass.within[0]?.limit);
  // A row looks around its own place among its equals, so that many equal rows do not all look at the same few.
  const middle = `least(last, coalesce(middle, last + 1)) + rank - ${Math.floor(pass.candidates / 2)}`;
  await database.run(
    `CREATE OR REPLACE TEMP TABLE runs AS
     WITH block AS (SELECT *, ${reach} AS reach FROM pass_${side} WHERE pos >= $1 AND pos < $2),
     places AS (
       SELECT g, x, min(pos) AS first, max(pos) AS last FROM pass_${other}
       WHERE g BETWEEN (SELECT min(g) FROM block) AND (SELECT max(g) FROM block) GROUP BY g, x),
     spans AS (
       SELECT b.*, f.first, t.last, m.first AS middle
       FROM (SELECT *, x - reach AS low, x + reach AS high FROM block) b
       ASOF JOIN places f ON b.g = f.g AND b.low <= f.x
       ASOF JOIN places t ON b.g = t.g AND b.high >= t.x
       ASOF LEFT JOIN places m ON b.g = m.g AND b.x <= m.x)
     SELECT * EXCLUDE (middle), greatest(first, least(${middle}, last - ${pass.candidates - 1})) AS start
     FROM spans WHERE first <= last`,
    [from, before],
  );
  const [one, two] = side === 'left' ? ['b', 'c'] : ['c', 'b'];
  const conditions = [
    ...pass.same.map((_, at) => `b.s${at} = c.s${at}`),
    ...pass.within.map((column, at) => within(column.limit, `${one}.w${at}`, `${two}.w${at}`)),
  ];
  const score = scoreOf(pass);
  if (pass.similar !== null) conditions.push(`${score} >= ${pass.similar.floor}`);
  await database.run(
    `INSERT INTO pass_pairs
     SELECT '${side}', b.n, c.n, ${score}
     FROM (SELECT *, unnest(range(start, least(last, start + ${pass.candidates - 1}) + 1)) AS place FROM runs) b
     JOIN pass_${other} c ON c.pos = b.place
     ${conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`}`,
  );
  const [row] = await database.rows(
    `SELECT count_if(last - first >= ${pass.candidates})::DOUBLE AS bounded FROM runs`,
  );
  return row!.bounded as number;
}

/** How far from its own `x` a row looks: a little more than the limit, for what a DOUBLE rounds. */
function reachOf(limit: Limit | undefined): string {
  switch (limit?.kind) {
    case 'absolute':
      return `(${limit.amount}::DOUBLE + (abs(x) + ${limit.amount}::DOUBLE) * 1e-12)`;
    case 'relative': {
      if (limit.parts >= 100_000_000) return `'infinity'::DOUBLE`;
      // Of the larger of the two: that may be the other one.
      const share = limit.parts / 100_000_000;
      return `(abs(x) * (${share / (1 - share)} + 1e-12))`;
    }
    case 'window':
      return `(${limit.seconds}e6 + abs(x) * 1e-12)`;
    default:
      return '0.0::DOUBLE';
  }
}

/** 1 for equal, 0 at the limits: the mean over the columns with limits. */
function scoreOf({ similar, within: limited }: PlannedPass): string {
  if (similar !== null) return 'jaro_winkler_similarity(b.t, c.t)';
  if (limited.length === 0) return '1.0::DOUBLE';
  const parts = limited.map(({ limit }, at) => distanceShare(limit, `b.w${at}`, `c.w${at}`));
  return `1 - (${parts.join(' + ')}) / ${parts.length}`;
}

/** How far two values lie apart, of how far they may. */
function distanceShare(limit: Limit, one: string, other: string): string {
  switch (limit.kind) {
    case 'absolute':
      return ratio(`CAST(abs(${one} - ${other}) AS DOUBLE)`, `${limit.amount}::DOUBLE`);
    case 'relative':
      return ratio(
        `CAST(abs(${one} - ${other}) AS DOUBLE)`,
        `(CAST(greatest(abs(${one}), abs(${other})) AS DOUBLE) * ${limit.parts / 100_000_000})`,
      );
    case 'window':
      return ratio(`CAST(abs(epoch_us(${one}) - epoch_us(${other})) AS DOUBLE)`, `${limit.seconds}e6`);
  }
}

function ratio(distance: string, limit: string): string {
  return `(CASE WHEN ${distance} = 0 THEN 0 ELSE ${distance} / ${limit} END)`;
}
