// Whatever the two files hold, the reports say row by row and field by field what a plain comparison in memory says.

import { rmSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { reconcile } from './driver.ts';
import { testFolder } from './folder.ts';
import { type Cell, fromCsv, reconcileInMemory, type Table, toCsv } from './reference.ts';

// Few values, so that keys meet, stand twice and fields are equal often enough.
const texts: Cell[] = [
  null,
  '',
  'a',
  'A',
  ' a',
  'ü',
  '漢字',
  'x,y',
  'say "hi"',
  'two\nlines',
  'cr\r\nlf',
  'NULL',
  '0',
  '😀',
];
const amounts: Cell[] = [
  null,
  '',
  'n/a',
  '100.00',
  '99.99',
  '100',
  '99.989',
  '10.005',
  '10.015',
  '-0.01',
  '0',
  '.01',
  '1,000',
];

const tables = fc.integer({ min: 1, max: 3 }).chain((keys) => {
  const key = ['k1', 'k2', 'k3'].slice(0, keys);
  const keyValue = fc.oneof(fc.constantFrom(...texts), fc.integer({ min: 0, max: 12 }).map(String));
  const row = (own: number) =>
    fc
      .tuple(
        fc.tuple(...key.map(() => keyValue)),
        fc.constantFrom(...amounts),
        fc.constantFrom(...texts),
        fc.string({ unit: 'grapheme', maxLength: 4 }).filter((text) => !text.includes('\0')),
      )
      .map(([k, amount, note, free]): Cell[] => [...k, amount, note, ...Array<Cell>(own).fill(free)]);
  const rows = (own: number) => fc.array(row(own), { minLength: 1, maxLength: 40, size: 'max' });
  return fc.record({ key: fc.constant(key), lefts: rows(1), rights: rows(0) });
});

// In an order of their own: the reports' order is tested elsewhere.
function sorted(rows: Cell[][]): string[] {
  return rows.map((row) => JSON.stringify(row)).sort();
}

test('reports equal those of a comparison in memory', async () => {
  const folder = testFolder();
  const property = fc.asyncProperty(tables, async ({ key, lefts, rights }) => {
    const left: Table = { columns: [...key, 'amount', 'note', 'own'], rows: lefts };
    // The right side has its columns the other way round, and none of its own.
    const right: Table = {
      columns: [...key, 'amount', 'note'].reverse(),
      rows: rights.map((row) => [...row].reverse()),
    };
    const out = folder.path('out');
    rmSync(out, { recursive: true, force: true });
    const summary = await reconcile({
      left: folder.write('left.csv', toCsv(left)),
      right: folder.write('right.csv', toCsv(right)),
      key,
      tolerance: { amount: '0.01' },
      out,
    });
    const reference = reconcileInMemory(left, right, key, { amount: '0.01' });
    expect(summary).toMatchObject({ ...reference.counts, rejected: { left: 0, right: 0 } });
    const report = (name: string) => fromCsv(folder.read(`out/${name}`)).slice(1);
    expect(sorted(report('differences.csv'))).toEqual(sorted(reference.differences));
    expect(sorted(report('only-left.csv'))).toEqual(sorted(reference.onlyLeft));
    expect(sorted(report('only-right.csv'))).toEqual(sorted(reference.onlyRight));
    // duplicates.csv has one order of columns for both sides: the key, then the left side's, then the right's own.
    const duplicates = reference.duplicates.map(([side, ...row]) => [
      side!,
      ...left.columns.map((name) => row[(side === 'left' ? left : right).columns.indexOf(name)] ?? null),
    ]);
    expect(sorted(report('duplicates.csv'))).toEqual(sorted(duplicates));
  });
  await fc.assert(property, { numRuns: 8 });
});
