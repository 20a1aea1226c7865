// What the matching passes make of the rows that no key matched: the same as a plain comparison of every row with
// every row, whatever the passes; however often they are killed; and in bounds.

import { existsSync, rmSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openDatabase } from '../../src/reconciliation/database.ts';
import type { MatchingPass, ReconciliationInput } from '../../src/reconciliation/index.ts';
import type { ReconciliationCheckpoint } from '../../src/reconciliation/job.ts';
import { Abandoned, reconcile } from './driver.ts';
import { type Folder, testFolder } from './folder.ts';
import { attempt } from './killedAttempt.ts';
import { type Cell, fromCsv, reconcileInMemory, type Table, toCsv } from './reference.ts';

const columns = ['id', 'amount', 'booked', 'account', 'text'];
const words = ['ACME rent', 'ACME rent May', 'Acme Rent', 'rent', 'Miller & Co', 'Miller and Co', 'salary'];

const row = (side: string) =>
  fc
    .tuple(
      fc.integer({ min: 0, max: 200 }),
      fc.integer({ min: -3, max: 12 }),
      fc.constantFrom('0.00', '0.01', '0.10'),
      fc.integer({ min: 1, max: 9 }),
      fc.constantFrom('A', 'B', null),
      fc.constantFrom(...words, null, ''),
      fc.boolean(),
    )
    .map(([id, whole, cents, day, account, text, isShared]): Cell[] => [
      isShared ? `x${id % 8}` : `${side}${id}`,
      `${whole}${cents.slice(1)}`,
      `2025-03-0${day}`,
      account,
      text,
    ]);

const limits = {
  amount: fc.constantFrom<number | string>(0, '0.01', 0.5, '2', '10%', '100%'),
  booked: fc.constantFrom('0 days', '1 day', '3d'),
};
const within: fc.Arbitrary<Record<string, number | string>> = fc.oneof(
  fc.record({ amount: limits.amount }),
  fc.record({ booked: limits.booked }),
  fc.record({ amount: limits.amount, booked: limits.booked }),
  fc.record({ booked: limits.booked, amount: limits.amount }),
);
const same = fc.constantFrom<string[] | undefined>(['account'], ['account', 'text'], ['booked'], undefined);
const defined = <T extends object>(pass: T): T =>
  Object.fromEntries(Object.entries(pass).filter(([, value]) => value !== undefined)) as T;

const pass: fc.Arbitrary<MatchingPass> = fc.oneof(
  fc
    .constantFrom<string[]>(['amount'], ['amount', 'booked'], ['text'], ['account', 'text'])
    .map((chosen) => ({
      ...{ match: 'exact' as const, columns: chosen },
    })),
  fc.record({ match: fc.constant('near' as const), within, same }).map(defined),
  fc
    .record({
      match: fc.constant('sum' as const),
      amount: fc.constant('amount'),
      drift: fc.constantFrom(undefined, 0, '0.02'),
      rows: fc.constantFrom(2, 3),
      candidates: fc.constant(60),
      within: fc.oneof(fc.record({ booked: limits.booked }), fc.constant(undefined)),
      same,
    })
    .map(defined),
  fc
    .record({
      match: fc.constant('similar' as const),
      text: fc.constant('text'),
      floor: fc.constantFrom(undefined, 0.7, 1),
      within: fc.oneof(within, fc.constant(undefined)),
      same,
    })
    .map(defined),
);
const passes = fc
  .array(pass, { minLength: 1, maxLength: 4 })
  .map((list) => list.map((each, index) => ({ ...each, name: `${each.match} ${index}` })));
const tables = fc.record({
  lefts: fc.array(row('l'), { minLength: 1, maxLength: 25, size: 'max' }),
  rights: fc.array(row('r'), { minLength: 1, maxLength: 25, size: 'max' }),
  passes,
});

/** The matches of matches.csv: pass and rows, with the score. */
function matchesIn(folder: Folder): [match: string, score: number][] {
  const records = fromCsv(folder.read('out/matches.csv')).slice(1);
  const rowsOf = (rows: Cell[][], side: string) =>
    rows.filter((row) => row[3] === side).map((row) => row.slice(4));
  const byMatch = [...Map.groupBy(records, ([match]) => match).values()];
  return sorted(
    byMatch.map((rows) => [
      shown(rows[0]![1]!, rowsOf(rows, 'left'), rowsOf(rows, 'right')),
      Number(rows[0]![2]),
    ]),
  );
}

function shown(name: string, lefts: Cell[][], rights: Cell[][]): string {
  return JSON.stringify([
    name,
    ...[lefts, rights].map((rows) => rows.map((row) => JSON.stringify(row)).sort()),
  ]);
}

function sorted(matches: [match: string, score: number][]): [match: string, score: number][] {
  return matches.sort(([one], [other]) => (one < other ? -1 : 1));
}

test('each pass matches what a plain comparison of every row with every row matches', async () => {
  const folder = testFolder();
  const property = fc.asyncProperty(tables, async ({ lefts, rights, passes }) => {
    const left: Table = { columns, rows: lefts };
    const right: Table = { columns, rows: rights };
    rmSync(folder.path('out'), { recursive: true, force: true });
    const summary = await reconcile({
      left: folder.write('left.csv', toCsv(left)),
      right: folder.write('right.csv', toCsv(right)),
      rules: { key: ['id'], types: { text: 'text', account: 'text' }, passes },
      out: folder.path('out'),
    });
    const rules = { types: { text: 'text' as const, account: 'text' as const }, passes };
    const reference = reconcileInMemory(left, right, ['id'], rules);
    expect(summary).toMatchObject(reference.counts);
    const matches = matchesIn(folder);
    const expected = sorted(
      reference.matches.map(({ pass: name, score, left: l, right: r }) => [shown(name, l, r), score]),
    );
    expect(matches.map(([match]) => match)).toEqual(expected.map(([match]) => match));
    for (const [index, [match, score]] of matches.entries())
      expect(Math.abs(score - expected[index]![1]), match).toBeLessThan(0.0001);
    const rowsIn = (name: string) =>
      fromCsv(folder.read(`out/${name}`))
        .slice(1)
        .map((cells) => JSON.stringify(cells))
        .sort();
    const plain = (rows: Cell[][]) => rows.map((cells) => JSON.stringify(cells)).sort();
    expect(rowsIn('only-left.csv')).toEqual(plain(reference.onlyLeft));
    expect(rowsIn('only-right.csv')).toEqual(plain(reference.onlyRight));
  });
  await fc.assert(property, { numRuns: Number(process.env.RECONCILIATION_RUNS ?? 12), endOnFailure: true });
});

/** A bank that knows no id of the ledger: payments on other days, in parts, under other names. */
function bankAndLedger(folder: Folder, rows: number): ReconciliationInput {
  const bank = ['id,amount,booked,text'];
  const ledger = ['id,amount,booked,text'];
  for (let n = 0; n < rows; n += 1) {
    const day = `2025-0${1 + (n % 9)}-${10 + (n % 15)}`;
    const amount = (100 + n * 7).toFixed(2);
    bank.push(`b${n},${amount},${day},payment ${n}`);
    if (n % 3 === 0) ledger.push(`l${n},${amount},${day},other`);
    else if (n % 3 === 1) ledger.push(`l${n},${amount.replace('.00', '.01')},${day},other`);
    else ledger.push(`l${n}a,${(n * 7).toFixed(2)},${day},other`, `l${n}b,100.00,${day},other`);
  }
  return {
    left: folder.write('bank.csv', `${bank.join('\n')}\n`),
    right: folder.write('ledger.csv', `${ledger.join('\n')}\n`),
    key: ['id'],
    passes: [
      { match: 'exact', columns: ['amount', 'booked'] },
      { match: 'near', within: { amount: '0.05', booked: '0 days' } },
      { match: 'sum', amount: 'amount', same: ['booked'], candidates: 60, rows: 2 },
    ],
    out: folder.path('out'),
  };
}

test('killed inside its passes, it resumes there, runs no chunk twice and reports the same', async () => {
  const folder = testFolder();
  const input = bankAndLedger(folder, 300);
  const calm = await reconcile({ ...input, out: folder.path('calm') });
  expect(calm.passes.map(({ matches }) => matches)).toEqual([100, 100, expect.any(Number)]);
  // 8 buckets, and 8 chunks for each of the passes: once in each of these.
  let checkpoint: ReconciliationCheckpoint | null = null;
  for (const after of [9, 8, 9]) {
    const delay = Math.random() * 20;
    const ended = await attempt(input, checkpoint, { after, delay });
    expect(ended.summary, `killed ${delay} ms after chunk ${ended.checkpoint?.done}`).toBeNull();
    checkpoint = ended.checkpoint;
  }
  expect(checkpoint!.done).toBeGreaterThan(24);
  const { summary } = await attempt(input, checkpoint);
  expect(summary!.chunks).toEqual({ total: 32, run: 32 });
  expect({ ...summary, report: '', staging: '' }).toEqual({ ...calm, report: '', staging: '' });
  for (const name of ['matches.csv', 'only-left.csv', 'only-right.csv']) {
    expect(folder.read(`out/${name}`)).toBe(folder.read(`calm/${name}`));
  }
});

test('left between any two chunks, it resumes and reports the same', async () => {
  const folder = testFolder();
  const input = bankAndLedger(folder, 60);
  const calm = await reconcile({ ...input, out: folder.path('calm') });
  let checkpoint: ReconciliationCheckpoint | null = null;
  for (let done = 1; done < 32; done += 1) {
    const run = reconcile(input, {
      checkpoint,
      onCheckpoint(next) {
        checkpoint = next;
        return false;
      },
    });
    await expect(run).rejects.toThrow(Abandoned);
  }
  const summary = await reconcile(input, { checkpoint });
  expect({ ...summary, report: '', staging: '' }).toEqual({ ...calm, report: '', staging: '' });
  expect(folder.read('out/matches.csv')).toBe(folder.read('calm/matches.csv'));
});

for (const [what, sql] of [
  ['a matched row is lost', 'DELETE FROM pass_rows WHERE match = 0 AND side = $$left$$'],
  ['a row is matched twice', 'INSERT INTO pass_rows SELECT * FROM pass_rows LIMIT 1'],
  ['a row that was left over is lost', 'DELETE FROM only_right'],
  ['a count is wrong', 'UPDATE chunks SET pass_left = pass_left + 1 WHERE bucket = 31'],
] as const) {
  test(`where ${what}, the run fails and reports nothing`, async () => {
    const folder = testFolder();
    const input = bankAndLedger(folder, 60);
    folder.write('bank.csv', `${folder.read('bank.csv')}b,1.00,2025-12-31,nothing like it\n`);
    folder.write('ledger.csv', `${folder.read('ledger.csv')}l,2.00,2025-12-31,nothing like it\n`);
    let last: ReconciliationCheckpoint | null = null;
    const run = reconcile(input, {
      onCheckpoint(next) {
        last = next;
        return next.done < 32;
      },
    });
    await expect(run).rejects.toThrow(Abandoned);
    const file = folder.path('out/.staging/staging.duckdb');
    const database = await openDatabase({ file, temp: folder.path('temp'), memory: '100MB' });
    await database.run(sql);
    database.close();
    await expect(reconcile(input, { checkpoint: last })).rejects.toThrow(
      'the reconciliation does not balance',
    );
    expect(existsSync(folder.path('out/summary.json'))).toBe(false);
  });
}

test('10 000 equal rows on each side pair up, in bounds, whatever the pass', async () => {
  const folder = testFolder();
  const file = (side: string) =>
    `id,amount,text\n${Array.from({ length: 10_000 }, (_, n) => `${side}${n},5.00,rent`).join('\n')}\n`;
  const files = { left: folder.write('left.csv', file('l')), right: folder.write('right.csv', file('r')) };
  const of = async (each: MatchingPass) => {
    rmSync(folder.path('out'), { recursive: true, force: true });
    const { passes, onlyLeft } = await reconcile({
      ...files,
      key: ['id'],
      passes: [each],
      out: folder.path('out'),
    });
    return { ...passes[0]!, onlyLeft };
  };
  expect(await of({ match: 'exact', columns: ['amount'] })).toEqual({
    ...{ pass: 'exact', matches: 10_000, left: 10_000, right: 10_000, bounded: 0, onlyLeft: 0 },
  });
  expect(await of({ match: 'near', within: { amount: '0.01' }, candidates: 20 })).toEqual({
    ...{ pass: 'near', matches: 10_000, left: 10_000, right: 10_000, bounded: 10_000, onlyLeft: 0 },
  });
  // Nothing adds up here; each row is given up at its bound, and that is said.
  expect(await of({ match: 'sum', amount: 'amount', candidates: 20, rows: 3 })).toEqual({
    ...{ pass: 'sum', matches: 0, left: 0, right: 0, bounded: 20_000, onlyLeft: 10_000 },
  });
}, 60_000);
