// Keys that stand more than once, paired one to one: rows that are equal first, then the others in order; what is left
// over on the longer side is reported as duplicate. Rows are numbered, never joined by key alone, so 10 000 equal keys
// on each side cost 10 000 rows and no more.

import { normal } from './rules/sameValue.ts';
import type { Staging } from './staging.ts';

type Side = 'left' | 'right';

/**
 * Fills `paired` with the row ids, in `twins_left` and `twins_right`, of those that have a partner.
 * The order is that of the compared values as they are read, then of the whole row.
 */
export async function pairDuplicates({ database, plan }: Staging): Promise<void> {
  const keys = plan.key.map((_, index) => `k${index}`);
  const values = plan.compared.map((_, index) => `v${index}`);
  for (const side of ['left', 'right'] as const) {
    const cell = (at: number) => `${side[0]}${at}`;
    const cells = [
      ...plan.key.map((column, index) => `${normal(column.rule, side, cell(column[side]))} AS k${index}`),
      ...plan.compared.map(
        (column, index) => `${normal(column.rule, side, cell(column[side]))} AS v${index}`,
      ),
    ];
    const row = plan[side].map((_, index) => cell(index));
    await database.run(
      `CREATE OR REPLACE TEMP TABLE several_${side} AS
       SELECT *, row_number() OVER (PARTITION BY ${[...keys, ...values].join(', ')} ORDER BY place) AS rank
       FROM (SELECT *, row_number() OVER (ORDER BY ${[...keys, ...values, ...row].join(', ')}) AS place
             FROM (SELECT rowid AS id, ${[...cells, ...row].join(', ')} FROM twins_${side}))`,
    );
  }
  const same = (names: string[]) =>
    names.map((name) => `l.${name} IS NOT DISTINCT FROM r.${name}`).join(' AND ');
  await database.run(
    `CREATE OR REPLACE TEMP TABLE paired AS
     SELECT l.id AS left_id, r.id AS right_id FROM several_left l JOIN several_right r ON ${same([...keys, ...values, 'rank'])}`,
  );
  const rest = (side: Side) =>
    `(SELECT *, row_number() OVER (PARTITION BY ${keys.join(', ')} ORDER BY place) AS turn
      FROM several_${side} WHERE id NOT IN (SELECT ${side}_id FROM paired))`;
  await database.run(
    `INSERT INTO paired SELECT l.id, r.id FROM ${rest('left')} l JOIN ${rest('right')} r ON ${same([...keys, 'turn'])}`,
  );
}
