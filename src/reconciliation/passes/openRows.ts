// The rows that are still to be matched, numbered in an order that depends on the data alone, and of each pass what
// it looks at: sorted so that the candidates of a row stand next to each other.

import { normal, readValue, textOf } from '../rules/sameValue.ts';
import type { Staging } from '../staging.ts';
import type { PlannedPass } from './plannedPass.ts';

type Side = 'left' | 'right';
const sides = ['left', 'right'] as const;

/** Before the first pass: `open_left` and `open_right`, whole rows with their number `n`. */
export async function openRows({ database, plan }: Staging): Promise<void> {
  for (const side of sides) {
    const all = plan[side].map((_, index) => `${side[0]}${index}`);
    const key = plan.key.map((column) => `${side[0]}${column[side]}`);
    await database.run(
      `CREATE OR REPLACE TABLE open_${side} AS
       SELECT row_number() OVER (ORDER BY ${[...key, ...all].join(', ')}) - 1 AS n, ${all.join(', ')} FROM only_${side}`,
    );
  }
  await database.run(
    'CREATE OR REPLACE TABLE pass_rows (pass USMALLINT, match BIGINT, score DOUBLE, side VARCHAR, n BIGINT)',
  );
}

/**
 * Before the first chunk of a pass: `pass_left` and `pass_right`, of each row that can take part
 * `n`; `g` and `s0`, `s1`, … of the columns that must be equal; `w0`, … of those with limits; `x`, the first of these as a
 * number to sort by; `a`, the amount; `t`, the text; `pos`, its place by g and x; `rank`, its place among its equals.
 */
export async function openPass({ database }: Staging, pass: PlannedPass): Promise<void> {
  for (const side of sides) {
    const column = (at: { left: number; right: number }) => `o.${side[0]}${at[side]}`;
    const same = pass.same.map((each) => `CAST(${normal(each.rule, side, column(each))} AS VARCHAR)`);
    const limited = pass.within.map((each) => readValue(each.rule, side, column(each))!);
    const cells = [
      'o.n',
      ...same.map((sql, index) => `${sql} AS s${index}`),
      ...limited.map((sql, index) => `${sql} AS w${index}`),
    ];
    if (pass.sum !== null)
      cells.push(`${readValue(pass.sum.amount.rule, side, column(pass.sum.amount))} AS a`);
    // An empty text is like nothing, not like every other empty one.
    if (pass.similar !== null)
      cells.push(`nullif(${textOf(pass.similar.text.rule, column(pass.similar.text))}, '') AS t`);
    const needed = [
      ...same.map((_, index) => `s${index}`),
      ...limited.map((_, index) => `w${index}`),
      ...(pass.sum === null ? [] : ['a']),
      ...(pass.similar === null ? [] : ['t']),
    ];
    const groups = same.map((_, index) => `s${index}`);
    const first = pass.within[0];
    const x =
      first === undefined
        ? '0.0::DOUBLE'
        : first.limit.kind === 'window'
          ? 'CAST(epoch_us(w0) AS DOUBLE)'
          : 'CAST(w0 AS DOUBLE)';
    await database.run(
      `CREATE OR REPLACE TABLE pass_${side} AS
       SELECT row_number() OVER (ORDER BY g, x, n) - 1 AS pos,
         row_number() OVER (PARTITION BY ${['g', ...groups, 'x'].join(', ')} ORDER BY n) - 1 AS rank, *
       FROM (SELECT *, ${groups.length === 0 ? '0::UBIGINT' : `hash(${groups.join(', ')})`} AS g, ${x} AS x
             FROM (SELECT ${cells.join(', ')} FROM open_${side} o
                   WHERE n NOT IN (SELECT n FROM pass_rows WHERE side = '${side}'))
             WHERE ${needed.map((name) => `${name} IS NOT NULL`).join(' AND ')})
       ORDER BY pos`,
    );
  }
  await database.run(
    'CREATE OR REPLACE TABLE pass_pairs (one VARCHAR, one_n BIGINT, other_n BIGINT, score DOUBLE)',
  );
}

/** After the last pass: what none of them matched is only there, on one side. */
export async function closePasses({ database }: Staging): Promise<void> {
  for (const side of sides) {
    await database.run(
      `CREATE OR REPLACE TABLE only_${side} AS SELECT * EXCLUDE (n) FROM open_${side}
       WHERE n NOT IN (SELECT n FROM pass_rows WHERE side = '${side}')`,
    );
  }
  for (const table of ['pass_left', 'pass_right', 'pass_pairs']) await database.run(`DROP TABLE ${table}`);
}

/** The places of block `block` in a side's table: from, and before. */
export async function blockOf(
  { database, buckets }: Staging,
  side: Side,
  block: number,
): Promise<[from: number, before: number]> {
  const [row] = await database.rows(`SELECT count(*)::DOUBLE AS n FROM pass_${side}`);
  const n = row!.n as number;
  return [Math.floor((n * block) / buckets), Math.floor((n * (block + 1)) / buckets)];
}
