// Near passes: of all pairs within the limits the nearest is matched first, then the nearest of the rest, one to one.
// Equally near ones go in the order of their rows.

import type { Staging } from '../staging.ts';
import { storePairs } from './equalRows.ts';
import { pagesOf } from './pages.ts';

export async function matchNearest(staging: Staging, index: number): Promise<void> {
  const { database } = staging;
  await database.run(
    `CREATE OR REPLACE TEMP TABLE ordered AS
     SELECT row_number() OVER (ORDER BY round(score, 9) DESC, one_n, other_n) - 1 AS place, one_n, other_n FROM pass_pairs`,
  );
  await database.run('CREATE OR REPLACE TEMP TABLE chosen (place BIGINT)');
  const [lefts, rights] = [await takenRows(staging, 'left'), await takenRows(staging, 'right')];
  for await (const rows of pagesOf(staging, 'ordered', 'one_n, other_n')) {
    const chosen: number[] = [];
    for (const { place, one_n: left, other_n: right } of rows as {
      place: number;
      one_n: number;
      other_n: number;
    }[]) {
      if (lefts[left] === 1 || rights[right] === 1) continue;
      lefts[left] = 1;
      rights[right] = 1;
      chosen.push(place);
    }
    await database.run(`INSERT INTO chosen SELECT unnest(from_json($1, '["BIGINT"]'))`, [
      JSON.stringify(chosen),
    ]);
  }
  await database.run(
    `CREATE OR REPLACE TEMP TABLE found AS
     SELECT one_n AS left_n, other_n AS right_n, score
     FROM ordered JOIN chosen USING (place) JOIN pass_pairs USING (one_n, other_n)`,
  );
  await storePairs(staging, index);
}

/** A byte for each open row of a side, by its number; 1 once it is taken. */
export async function takenRows({ database }: Staging, side: 'left' | 'right'): Promise<Uint8Array> {
  const [row] = await database.rows(`SELECT count(*)::DOUBLE AS n FROM open_${side}`);
  return new Uint8Array(row!.n as number);
}
