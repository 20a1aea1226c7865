// Exact passes: rows whose chosen columns are equal, the first with the first, the second with the second, so that
// any number of equal rows costs no more than its rows.

import type { Staging } from '../staging.ts';
import { blockOf } from './openRows.ts';
import type { PlannedPass } from './plannedPass.ts';

export async function matchEqual(
  staging: Staging,
  pass: PlannedPass,
  index: number,
  block: number,
): Promise<void> {
  const { database } = staging;
  const [from, before] = await blockOf(staging, 'left', block);
  const equal = ['g', 'rank', ...pass.same.map((_, at) => `s${at}`)].map((name) => `l.${name} = r.${name}`);
  await database.run(
    `CREATE OR REPLACE TEMP TABLE found AS
     SELECT l.n AS left_n, r.n AS right_n, 1.0::DOUBLE AS score
     FROM (SELECT * FROM pass_left WHERE pos >= $1 AND pos < $2) l
     JOIN pass_right r ON ${equal.join(' AND ')}`,
    [from, before],
  );
  await storePairs(staging, index);
}

/** Each pair of the temporary table `found` is a match. */
export async function storePairs({ database }: Staging, index: number): Promise<void> {
  await database.run(
    `INSERT INTO pass_rows
     SELECT $1, match, score, unnest(['left', 'right']), unnest([left_n, right_n])
     FROM (SELECT *, row_number() OVER (ORDER BY left_n) - 1 + (SELECT coalesce(max(match) + 1, 0) FROM pass_rows) AS match
           FROM found)`,
    [index],
  );
}
