// Similar passes: two rows are matched when each is the best of the other, by the score of their texts.

import type { Staging } from '../staging.ts';
import { storePairs } from './equalRows.ts';

export async function matchSimilar(staging: Staging, index: number): Promise<void> {
  await staging.database.run(
    `CREATE OR REPLACE TEMP TABLE found AS
     SELECT one_n AS left_n, other_n AS right_n, score FROM pass_pairs
     QUALIFY row_number() OVER (PARTITION BY one_n ORDER BY score DESC, other_n) = 1
       AND row_number() OVER (PARTITION BY other_n ORDER BY score DESC, one_n) = 1`,
  );
  await storePairs(staging, index);
}
