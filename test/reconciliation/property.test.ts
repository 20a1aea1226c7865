// Whatever the two files hold, the reports say row by row and field by field what a plain comparison in memory says.

import { rmSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ColumnOptions, ColumnType, ReconciliationRules } from '../../src/reconciliation/index.ts';
import { reconcile } from './driver.ts';
import { testFolder } from './folder.ts';
import { type Cell, fromCsv, reconcileInMemory, type Table, toCsv } from './reference.ts';

// Few values, so that keys meet, stand twice and fields are equal often enough.
const texts: Cell[] = [
  ...[null, '', 'a', 'A', ' a', 'a  b', 'A b\t', '\u00a0', 'ü', 'u\u0308', 'Ü', '漢字'],
  ...['x,y', 'say "hi"', 'two\nlines', 'cr\r\nlf', 'NULL', '0', '😀', '≠'],
];
const messy: Cell[] = [
  ...[null, '', 'n/a', '100.00', '99.99', '100', '99.989', '10.005', '10.015', '-0.01', '0', '.01', '1,000'],
  ...['1.234,56', '1234.56', '1 234.56', '+7', '007', '7', '-7', '12345678901234567890', ' 7 ', '101'],
];
/** Pools of one way to write: with these a type is found. */
const numberPools: Cell[][] = [
  messy,
  ['100.00', '99.99', '99.90', '1.10', '-0.05', null],
  ['100', '99.99', '99.9', '1.1', '-0.05', '0'],
  ['100', '7', '-3', '0', null, ''],
  ['1.9', '1.10', '2.0', '1.1'],
  ['007', '7', '100'],
];
const dayPools: Cell[][] = [
  ['2025-01-31', '2025-02-01', '2025-02-28', null],
  ['2025-01-31 00:00:00', '2025-02-01 12:30:00', '2025-02-28 23:59:59'],
  ['2025-01-31T00:00:00Z', '2025-02-01T12:30:00Z'],
  ['2025-01-31 02:00:00+02:00', '2025-02-01 12:30:00+00:00', '2025-01-31 00:00:00.5+00'],
  ['31.01.2025', '1.2.2025', '28.02.2025', '31.02.2025', ''],
  ['2025-01-31', '2025-1-31', 'soon', '31.01.2025', null],
];
const flagPools: Cell[][] = [
  ['true', 'false'],
  ['TRUE', 'FALSE', null],
  ['yes', 'No', 't', '0', '1', 'maybe', ''],
];

const numberFormats = ['1.234,56', '1,234.56', '1 234.56', '1234.56', '1234,56'];
const sided = <T>(values: T[]) =>
  fc.oneof(
    fc.constantFrom(...values),
    fc.record({ left: fc.constantFrom(...values), right: fc.constantFrom(...values) }),
    fc.record({ left: fc.constantFrom(...values) }),
  );
const textOptions = {
  ignoreCase: fc.boolean(),
  whitespace: fc.constantFrom('trim' as const, 'collapse' as const),
  unicode: fc.constant('NFC' as const),
  emptyIsNull: fc.boolean(),
};
const optional = { requiredKeys: [] };

/** Whatever may be told about the columns, told or not. */
const rules: fc.Arbitrary<ReconciliationRules> = fc
  .record({
    star: fc.option(fc.record(textOptions, optional), { nil: undefined }),
    starType: fc.option(fc.constantFrom<ColumnType>('text', 'decimal'), { nil: undefined, freq: 1 }),
    key: fc.option(fc.record(textOptions, optional), { nil: undefined }),
    keyType: fc.option(fc.constantFrom<ColumnType>('integer', 'decimal', 'text'), { nil: undefined }),
    note: fc.option(fc.record(textOptions, optional), { nil: undefined }),
    amount: fc.option(
      fc.constantFrom<number | string>(0, 0.01, '0.0101', '0.1%', '0.01%', '12.5%', '100%', 1),
      { nil: undefined },
    ),
    amountType: fc.option(fc.constantFrom<ColumnType>('integer', 'decimal'), { nil: undefined }),
    numbers: fc.option(sided(numberFormats), { nil: undefined }),
    day: fc.option(fc.constantFrom('1 day', '36 hours', '0s', '4 weeks', '90 min'), { nil: undefined }),
    dayType: fc.option(fc.constantFrom<ColumnType>('date', 'timestamp'), { nil: undefined }),
    dates: fc.option(sided(['%d.%m.%Y']), { nil: undefined }),
    flagType: fc.option(fc.constant<ColumnType>('boolean'), { nil: undefined }),
    duplicates: fc.constantFrom('report' as const, 'pair' as const),
  })
  .map((told) => {
    const known = <T>(entries: [string, T | undefined][]) =>
      Object.fromEntries(entries.filter((entry): entry is [string, T] => entry[1] !== undefined));
    // A type for all would contradict a limit or a format that only another type has.
    const options = <T extends object>(name: string, option: T | undefined) =>
      [name, option] as [string, T | undefined];
    return {
      duplicates: told.duplicates,
      types: known<ColumnType>([
        ['*', told.starType],
        ['k1', told.keyType],
        ['amount', told.amountType],
        ['day', told.dayType],
        ['flag', told.flagType],
      ]),
      tolerance: known<number | string>([
        ['amount', told.amount],
        ['day', told.day],
      ]),
      columns: known<ColumnOptions>([
        options('*', told.star),
        options('k1', told.key),
        options('note', told.note),
        options('amount', told.numbers === undefined ? undefined : { numbers: told.numbers }),
        options('day', told.dates === undefined ? undefined : { dates: told.dates }),
      ]),
    };
  });

const tables = fc.integer({ min: 1, max: 3 }).chain((keys) => {
  const key = ['k1', 'k2', 'k3'].slice(0, keys);
  const keyValue = fc.oneof(
    fc.constantFrom(...texts),
    fc.constantFrom('7', '07', '7.0', ' 7'),
    fc.integer({ min: 0, max: 12 }).map(String),
  );
  const row = (own: number, amounts: Cell[], days: Cell[], flags: Cell[]) =>
    fc
      .tuple(
        fc.tuple(...key.map(() => keyValue)),
        fc.constantFrom(...amounts),
        fc.constantFrom(...texts),
        fc.constantFrom(...days),
        fc.constantFrom(...flags),
        fc.string({ unit: 'grapheme', maxLength: 4 }).filter((text) => !text.includes('\0')),
      )
      .map(([k, amount, note, day, flag, free]): Cell[] => [
        ...[...k, amount, note, day, flag],
        ...Array<Cell>(own).fill(free),
      ]);
  const rows = (own: number) =>
    fc
      .tuple(fc.constantFrom(...numberPools), fc.constantFrom(...dayPools), fc.constantFrom(...flagPools))
      .chain((pools) => fc.array(row(own, ...pools), { minLength: 1, maxLength: 40, size: 'max' }));
  return fc.record({ key: fc.constant(key), lefts: rows(1), rights: rows(0), rules });
});

// In an order of their own: the reports' order is tested elsewhere.
function sorted(rows: Cell[][]): string[] {
  return rows.map((row) => JSON.stringify(row)).sort();
}

test('reports equal those of a comparison in memory', async () => {
  const folder = testFolder();
  const property = fc.asyncProperty(tables, async ({ key, lefts, rights, rules }) => {
    const left: Table = { columns: [...key, 'amount', 'note', 'day', 'flag', 'own'], rows: lefts };
    // The right side has its columns the other way round, and none of its own.
    const right: Table = {
      columns: [...key, 'amount', 'note', 'day', 'flag'].reverse(),
      rows: rights.map((row) => [...row].reverse()),
    };
    const out = folder.path('out');
    rmSync(out, { recursive: true, force: true });
    const summary = await reconcile({
      left: folder.write('left.csv', toCsv(left)),
      right: folder.write('right.csv', toCsv(right)),
      key,
      rules,
      out,
    });
    const reference = reconcileInMemory(left, right, key, rules);
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
  await fc.assert(property, { numRuns: Number(process.env.RECONCILIATION_RUNS ?? 12), endOnFailure: true });
});
