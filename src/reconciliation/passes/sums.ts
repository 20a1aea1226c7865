// Sum passes: one row against several of the other side that add up to it. First each left row, then each right row
// that is left over, in the order of the rows; each row is taken once.

import type { Staging } from '../staging.ts';
import { takenRows } from './nearest.ts';
import { pagesOf } from './pages.ts';
import type { PlannedPass } from './plannedPass.ts';
import { type Budget, findSubset } from './subset.ts';

/** What is tried for one row before it is given up, and for all rows of a pass: some seconds. */
const searchSteps = { each: 100_000, all: 1_000_000_000 };

interface Pair {
  one: 'left' | 'right';
  one_n: number;
  other_n: number;
  target: string;
  amount: string;
}

/** Answers with how many rows were given up before all was tried. */
export async function matchSums(
  staging: Staging,
  { drift, rows: most }: NonNullable<PlannedPass['sum']>,
  index: number,
): Promise<number> {
  const { database } = staging;
  await database.run(
    `CREATE OR REPLACE TEMP TABLE ordered AS
     SELECT row_number() OVER (ORDER BY one, one_n, other_n) - 1 AS place, one, one_n, other_n,
       units(CASE one WHEN 'left' THEN l.a ELSE r.a END)::VARCHAR AS target,
       units(CASE one WHEN 'left' THEN r.a ELSE l.a END)::VARCHAR AS amount
     FROM pass_pairs
     JOIN pass_left l ON l.n = CASE one WHEN 'left' THEN one_n ELSE other_n END
     JOIN pass_right r ON r.n = CASE one WHEN 'left' THEN other_n ELSE one_n END`,
  );
  const taken = { left: await takenRows(staging, 'left'), right: await takenRows(staging, 'right') };
  const limit = BigInt(unitsOf(drift));
  const budget: Budget = { ...searchSteps };
  let [match, bounded] = [await nextMatch(staging), 0];
  let found: [match: number, score: number, side: string, n: number][] = [];
  const settle = (pairs: Pair[]) => {
    const [{ one, one_n: row, target }] = pairs as [Pair, ...Pair[]];
    const other = one === 'left' ? 'right' : 'left';
    if (taken[one][row] === 1) return;
    const free = pairs.filter((pair) => taken[other][pair.other_n] !== 1);
    const amounts = free.map(({ amount }) => BigInt(amount));
    const chosen = findSubset(amounts, BigInt(target), limit, most, budget);
    if (chosen === 'bounded') bounded += 1;
    if (chosen === null || chosen === 'bounded') return;
    const off = chosen.reduce((rest, at) => rest - amounts[at]!, BigInt(target));
    const score = off === 0n ? 1 : 1 - Math.abs(Number(off) / Number(limit));
    found.push([match, score, one, row]);
    taken[one][row] = 1;
    for (const at of chosen) {
      found.push([match, score, other, free[at]!.other_n]);
      taken[other][free[at]!.other_n] = 1;
    }
    match += 1;
  };
  let pending: Pair[] = [];
  for await (const rows of pagesOf(staging, 'ordered', 'one, one_n, other_n, target, amount')) {
    for (const pair of rows as unknown as Pair[]) {
      const last = pending[0];
      if (last !== undefined && (last.one !== pair.one || last.one_n !== pair.one_n)) {
        settle(pending);
        pending = [];
      }
      pending.push(pair);
    }
    await store(staging, index, found);
    found = [];
  }
  if (pending.length > 0) settle(pending);
  await store(staging, index, found);
  return bounded;
}

async function nextMatch({ database }: Staging): Promise<number> {
  const [row] = await database.rows('SELECT coalesce(max(match) + 1, 0)::DOUBLE AS next FROM pass_rows');
  return row!.next as number;
}

async function store({ database }: Staging, index: number, found: unknown[]): Promise<void> {
  if (found.length === 0) return;
  await database.run(
    `INSERT INTO pass_rows SELECT $1, (f->>0)::BIGINT, (f->>1)::DOUBLE, f->>2, (f->>3)::BIGINT
     FROM (SELECT unnest(from_json($2, '["JSON"]')) AS f)`,
    [index, JSON.stringify(found)],
  );
}

/** A decimal in units of 10^-18. */
function unitsOf(text: string): string {
  const [whole = '0', fraction = ''] = text.split('.');
  return `${whole}${fraction.padEnd(18, '0')}`;
}
