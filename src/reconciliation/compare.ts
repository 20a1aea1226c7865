// Compares one bucket. Its exceptions, its counts and the mark that it is done become durable in one transaction:
// a chunk is either done once, with everything it found, or not at all.

import { pairDuplicates } from './duplicatePairs.ts';
import type { Plan, RuledColumn } from './plan.ts';
import { comparison, normal } from './rules/sameValue.ts';
import type { Staging } from './staging.ts';

/** Counts of rows, of the chunks done so far. */
export interface Counts {
  left: number;
  right: number;
  matched: number;
  mismatched: number;
  onlyLeft: number;
  onlyRight: number;
}

export async function compareBucket(staging: Staging, bucket: number): Promise<void> {
  const { database } = staging;
  await database.transaction(async () => {
    await findDuplicates(staging, bucket);
    if (staging.plan.duplicates === 'pair') {
      await gatherDuplicates(staging, bucket);
      await pairDuplicates(staging);
    }
    await findExceptions(staging, bucket);
    const [row] = await database.rows(
      `SELECT (SELECT count(*) FROM exceptions WHERE in_left AND in_right)::DOUBLE AS mismatched,
         (SELECT count(*) FROM exceptions WHERE in_right IS NULL)::DOUBLE AS "onlyLeft",
         (SELECT count(*) FROM exceptions WHERE in_left IS NULL)::DOUBLE AS "onlyRight",
         (SELECT count(*) FROM duplicate_keys WHERE left_count > 1)::DOUBLE AS "leftKeys",
         (SELECT count(*) FROM duplicate_keys WHERE right_count > 1)::DOUBLE AS "rightKeys"`,
    );
    const found = row as unknown as Found;
    const duplicates = found.leftKeys + found.rightKeys > 0 ? await storeDuplicates(staging, bucket) : [0, 0];
    await storeExceptions(staging, found);
    const updated = await database.run(
      `UPDATE chunks SET runs = runs + 1, done = true, mismatched = $2, only_left = $3, only_right = $4,
         left_duplicate_keys = $5, right_duplicate_keys = $6, left_duplicate_rows = $7, right_duplicate_rows = $8,
         duplicate_pairs = $9
       WHERE bucket = $1 AND NOT done`,
      [
        bucket,
        found.mismatched,
        found.onlyLeft,
        found.onlyRight,
        found.leftKeys,
        found.rightKeys,
        ...duplicates,
        await countPairs(staging),
      ],
    );
    if (updated !== 1) throw new Error(`chunk ${bucket} was already done: refusing to count it twice`);
  });
}

interface Found {
  mismatched: number;
  onlyLeft: number;
  onlyRight: number;
  leftKeys: number;
  rightKeys: number;
}

/** Which buckets are done, in order. */
export async function doneBuckets(staging: Staging): Promise<number[]> {
  const rows = await staging.database.rows('SELECT bucket FROM chunks WHERE done ORDER BY bucket');
  return rows.map((row) => Number(row.bucket));
}

export const noCounts: Counts = { left: 0, right: 0, matched: 0, mismatched: 0, onlyLeft: 0, onlyRight: 0 };

/** How many rows were read, by side. */
export async function stagedRows({ database }: Staging): Promise<{ left: number; right: number }> {
  const [row] = await database.rows(
    'SELECT sum(left_rows)::DOUBLE AS "left", sum(right_rows)::DOUBLE AS "right" FROM chunks',
  );
  return row as { left: number; right: number };
}

export async function progressOf(staging: Staging): Promise<{ done: number; counts: Counts }> {
  const [row] = await staging.database.rows(
    `SELECT count(*)::DOUBLE AS done, coalesce(sum(left_rows), 0)::DOUBLE AS "left", coalesce(sum(right_rows), 0)::DOUBLE AS "right",
       coalesce(sum(left_rows - left_duplicate_rows - mismatched - only_left), 0)::DOUBLE AS matched,
       coalesce(sum(mismatched), 0)::DOUBLE AS mismatched, coalesce(sum(only_left - pass_left), 0)::DOUBLE AS "onlyLeft",
       coalesce(sum(only_right - pass_right), 0)::DOUBLE AS "onlyRight"
     FROM chunks WHERE done`,
  );
  const { done, ...counts } = row as unknown as Counts & { done: number };
  return { done, counts };
}

// A key that stands 5 000 times on each side would join to 25 million rows: such keys are found before the join
// and kept out of it, on both sides.
async function findDuplicates({ database, plan }: Staging, bucket: number): Promise<void> {
  const several = (side: 'left' | 'right', letter: string) => {
    const keys = plan.key.map((column, index) => `${keyOf(column, side, letter)} AS k${index}`);
    return `SELECT ${keys.join(', ')}, count(*) AS n FROM ${side}_rows WHERE bucket = $1 GROUP BY ALL HAVING count(*) > 1`;
  };
  await database.run(
    `CREATE OR REPLACE TEMP TABLE duplicate_keys AS
     SELECT ${plan.key.map((_, index) => `k${index}`).join(', ')}, sum(l) AS left_count, sum(r) AS right_count
     FROM (SELECT * EXCLUDE (n), n AS l, 0 AS r FROM (${several('left', 'l')})
           UNION ALL SELECT * EXCLUDE (n), 0, n FROM (${several('right', 'r')}))
     GROUP BY ALL`,
    [bucket],
  );
}

/** Fills `twins_left` and `twins_right` with the rows of this bucket whose key is one of them: there they have row ids. */
async function gatherDuplicates({ database, plan }: Staging, bucket: number): Promise<void> {
  for (const side of ['left', 'right'] as const) {
    await database.run(
      `CREATE OR REPLACE TEMP TABLE twins_${side} AS SELECT t.* EXCLUDE (bucket)
       FROM ${side}_rows t SEMI JOIN duplicate_keys d ON ${sameKey(plan, side)} WHERE bucket = $1`,
      [bucket],
    );
  }
}

/** Fills `exceptions` with the rows that do not match; `d0`, `d1`, … say which compared columns differ. */
async function findExceptions({ database, plan }: Staging, bucket: number): Promise<void> {
  const pairs = plan.duplicates === 'pair';
  // Paired rows of a key that stands several times meet by the number of their pair, all others by their key alone.
  const unique = (side: 'left' | 'right') =>
    `SELECT * EXCLUDE (bucket), true AS in_${side}${pairs ? `, 0 AS pair_${side}` : ''}
     FROM ${side}_rows t ANTI JOIN duplicate_keys d ON ${sameKey(plan, side)} WHERE bucket = $1
     ${pairs ? pairedRows(side) : ''}`;
  const joined = plan.key.map(
    (column) => `${keyOf(column, 'left', 'l.l')} IS NOT DISTINCT FROM ${keyOf(column, 'right', 'r.r')}`,
  );
  if (pairs) joined.push('l.pair_left = r.pair_right');
  const found = (differs: string[]) =>
    ['in_left IS NULL', 'in_right IS NULL', ...differs].map((condition) => `(${condition})`).join(' OR ');
  // First whatever is not the same text, which is cheap; then only that is read as its type says.
  await database.run(
    `CREATE OR REPLACE TEMP TABLE suspects AS
     SELECT l.*, r.* FROM (${unique('left')}) l FULL JOIN (${unique('right')}) r ON ${joined.join(' AND ')}
     WHERE ${found(plan.compared.map(({ left, right }) => `l${left} IS DISTINCT FROM r${right}`))}`,
    [bucket],
  );
  const layers = plan.compared.map(({ left, right, rule }, index) =>
    comparison(rule, `d${index}`, `l${left}`, `r${right}`),
  );
  let rows = 'suspects';
  const between: string[] = [];
  for (const depth of [0, 1, 2]) {
    const layer = layers.flatMap((column) => column[depth]!);
    if (layer.length === 0) continue;
    if (depth < 2) between.push(...layer.map(([, name]) => name));
    rows = `(SELECT *, ${layer.map(([sql, name]) => `${sql} AS ${name}`).join(', ')} FROM ${rows})`;
  }
  const kept = between.length === 0 ? '*' : `* EXCLUDE (${between.join(', ')})`;
  await database.run(
    `CREATE OR REPLACE TEMP TABLE exceptions AS
     SELECT ${kept} FROM ${rows} WHERE ${found(plan.compared.map((_, index) => `d${index}`))}`,
  );
}

function pairedRows(side: 'left' | 'right'): string {
  return `UNION ALL SELECT t.*, true, p.pair FROM twins_${side} t
    JOIN (SELECT ${side}_id AS id, row_number() OVER (ORDER BY left_id, right_id) AS pair FROM paired) p ON t.rowid = p.id`;
}

async function countPairs({ database, plan }: Staging): Promise<number> {
  if (plan.duplicates === 'report') return 0;
  const [row] = await database.rows('SELECT count(*)::DOUBLE AS n FROM paired');
  return row!.n as number;
}

/** Resolves with the rows taken out, left and right. */
async function storeDuplicates({ database, plan }: Staging, bucket: number): Promise<[number, number]> {
  const store = (side: 'left' | 'right') =>
    plan.duplicates === 'pair'
      ? database.run(
          `INSERT INTO duplicate_${side} SELECT * FROM twins_${side} t WHERE t.rowid NOT IN (SELECT ${side}_id FROM paired)`,
        )
      : database.run(
          `INSERT INTO duplicate_${side} SELECT t.* EXCLUDE (bucket)
           FROM ${side}_rows t SEMI JOIN duplicate_keys d ON ${sameKey(plan, side)} WHERE bucket = $1`,
          [bucket],
        );
  return [await store('left'), await store('right')];
}

async function storeExceptions({ database, plan }: Staging, found: Found): Promise<void> {
  const all = (letter: string, columns: readonly string[]) =>
    columns.map((_, index) => `${letter}${index}`).join(', ');
  if (found.onlyLeft > 0) {
    await database.run(
      `INSERT INTO only_left SELECT ${all('l', plan.left)} FROM exceptions WHERE in_right IS NULL`,
    );
  }
  if (found.onlyRight > 0) {
    await database.run(
      `INSERT INTO only_right SELECT ${all('r', plan.right)} FROM exceptions WHERE in_left IS NULL`,
    );
  }
  if (found.mismatched > 0) {
    const keys = plan.key.map((column) => `l${column.left}`).join(', ');
    const fields = plan.compared.map(
      ({ left, right }, field) =>
        `SELECT ${keys}, ${field}, CAST(l${left} AS VARCHAR), CAST(r${right} AS VARCHAR)
         FROM exceptions WHERE in_left AND in_right AND d${field}`,
    );
    await database.run(`INSERT INTO differences ${fields.join(' UNION ALL ')}`);
  }
}

/** The rows `t` of a side whose key is one of the duplicate keys `d`. */
function sameKey(plan: Plan, side: 'left' | 'right'): string {
  return plan.key
    .map((column, index) => `${keyOf(column, side, `t.${side[0]}`)} IS NOT DISTINCT FROM d.k${index}`)
    .join(' AND ');
}

/** The value of a key column as it is told to be read: what rows meet by. `prefix` comes before its position. */
function keyOf(column: RuledColumn, side: 'left' | 'right', prefix: string): string {
  return normal(column.rule, side, `${prefix}${column[side]}`);
}
