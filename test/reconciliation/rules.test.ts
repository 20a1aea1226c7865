// Rules: what is wrong in them is told by its path; the schema in the package is the one they are checked by; and what
// an accountant would try first.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { schemaFile, schemaText } from '../../scripts/rulesSchema.ts';
import {
  type ColumnOptions,
  checkReconciliationInput,
  type ExactPass,
  type NearPass,
  type ReconciliationRules,
  reconciliation,
  type SimilarPass,
  type SumPass,
} from '../../src/reconciliation/index.ts';
import { checkRules } from '../../src/reconciliation/rules/checkRules.ts';
import { rulesSchema, type Schema } from '../../src/reconciliation/rules/rulesSchema.ts';
import { reconcile } from './driver.ts';
import { testFolder } from './folder.ts';

test('rules.schema.json is the schema the rules are checked by (else: npm run rules-schema)', () => {
  expect(readFileSync(schemaFile, 'utf8')).toBe(schemaText);
});

const narrowing = { same: ['a'], within: { b: '2 days', c: 0.01 }, candidates: 10 };
/** Each field of the types once: the compiler asks for all of them. */
const everything: Required<ReconciliationRules> & {
  columns: Record<string, Required<ColumnOptions>>;
  passes: [Required<ExactPass>, Required<NearPass>, Required<SumPass>, Required<SimilarPass>];
} = {
  ...{
    key: ['id'],
    compare: ['a', 'b'],
    ignore: [],
    types: { a: 'text' },
    tolerance: { b: '0.1%' },
    duplicates: 'pair',
  },
  columns: {
    b: {
      ...{ ignoreCase: true, whitespace: 'collapse', unicode: 'NFC', emptyIsNull: false },
      ...{ numbers: { left: '1.234,56' }, dates: ['%d.%m.%Y', '%Y%m%d'] },
    },
  },
  passes: [
    { match: 'exact', name: 'same', columns: ['a'] },
    { match: 'near', name: 'near', ...narrowing },
    { match: 'sum', name: 'sum', ...narrowing, amount: 'c', drift: '0.02', rows: 3 },
    { match: 'similar', name: 'like', ...narrowing, text: 'a', floor: 0.8 },
  ],
};

test('the schema has each field that the types have, and no other', () => {
  const refused: unknown[] = [];
  expect(checkRules(everything, [], (...told) => refused.push(told))).toBe(everything);
  expect(refused).toEqual([]);
  const missing: string[] = [];
  const walk = (schema: Schema, value: unknown, path: string) => {
    for (const [name, inner] of Object.entries(schema.properties ?? {})) {
      const at = `${path}.${name}`;
      if (name === '$schema' || /^\.columns\.b\.(numbers|dates)/.test(at)) continue;
      if (!(name in (value as object))) missing.push(at);
      else walk(inner, (value as Record<string, unknown>)[name], at);
    }
    if (schema.additionalProperties)
      for (const [name, inner] of Object.entries(value as object))
        walk(schema.additionalProperties, inner, `${path}.${name}`);
    if (Array.isArray(value)) {
      for (const [index, inner] of value.entries()) {
        const choices = schema.items!.anyOf ?? [];
        const meant = choices.find((choice) => choice.properties?.match?.const === inner.match);
        walk(meant ?? schema.items!, inner, `${path}.${index}`);
      }
    }
  };
  walk(rulesSchema, everything, '');
  expect(missing).toEqual([]);
});

const wrong: [rules: unknown, path: PropertyKey[], message: string][] = [
  [[], ['rules'], 'expected an object of rules, got []'],
  [{ keys: ['id'] }, ['rules', 'keys'], 'expected no such field (the fields are $schema, key, compare'],
  [{ key: 'id' }, ['rules', 'key'], 'expected a list of at least one column name, got "id"'],
  [
    { types: { a: 'money' } },
    ['rules', 'types', 'a'],
    'expected text, integer, decimal, date, timestamp or boolean, got "money"',
  ],
  [
    { tolerance: { a: '1 month' } },
    ['rules', 'tolerance', 'a'],
    'expected a decimal number, 0 or more, such as 0.01, a percentage',
  ],
  [{ tolerance: { a: '101%' } }, ['rules', 'tolerance', 'a'], 'expected a decimal number'],
  [
    { columns: { a: { ignorecase: true } } },
    ['rules', 'columns', 'a', 'ignorecase'],
    'expected no such field (the fields are ignoreCase',
  ],
  [
    { columns: { a: { ignoreCase: 1 } } },
    ['rules', 'columns', 'a', 'ignoreCase'],
    'expected true or false, got 1',
  ],
  [
    { columns: { a: { numbers: '1.234.56' } } },
    ['rules', 'columns', 'a', 'numbers'],
    "expected how 1234.56 is written, such as '1.234,56'",
  ],
  [
    { columns: { a: { numbers: {} } } },
    ['rules', 'columns', 'a', 'numbers'],
    'expected how 1234.56 is written',
  ],
  [
    { columns: { a: { dates: [] } } },
    ['rules', 'columns', 'a', 'dates'],
    "expected a date format such as '%d.%m.%Y'",
  ],
  [{ duplicates: 'drop' }, ['rules', 'duplicates'], 'expected report or pair, got "drop"'],
  [{ passes: {} }, ['rules', 'passes'], 'expected a list of at most 20 matching passes, got {}'],
  [
    { passes: [{ match: 'guess' }] },
    ['rules', 'passes', 0],
    'expected a pass, which says its match: exact, near, sum or similar',
  ],
  [
    { passes: [{ match: 'exact' }] },
    ['rules', 'passes', 0, 'columns'],
    'expected a list of at least one column name, got nothing',
  ],
  [
    { passes: [{ match: 'near', within: {} }] },
    ['rules', 'passes', 0, 'within'],
    'expected an object of column names and limits, got {}',
  ],
  [
    { passes: [{ match: 'sum', amount: 'a', rows: 40 }] },
    ['rules', 'passes', 0, 'rows'],
    'expected a whole number, 2 to 10, got 40',
  ],
  [
    { passes: [{ match: 'sum', amount: 'a', drift: 1e-7 }] },
    ['rules', 'passes', 0, 'drift'],
    'expected a decimal number, 0 or more, such as 0.01, got 1e-7',
  ],
  [
    { passes: [{ match: 'similar', text: 'a', floor: 2 }] },
    ['rules', 'passes', 0, 'floor'],
    'expected a number, 0 to 1, got 2',
  ],
];

for (const [rules, path, message] of wrong) {
  test(`the rules ${JSON.stringify(rules)} are refused: ${path.join('.')}`, async () => {
    const input = { left: 'a.csv', right: 'b.csv', key: ['id'], out: 'out', rules };
    const outcome = await reconciliation.input!['~standard'].validate(input);
    expect(outcome.issues).toMatchObject([{ path, message: expect.stringContaining(message) }]);
  });
}

const unfit: [what: string, rules: object, message: string][] = [
  [
    'a type of no column',
    { types: { b: 'text' } },
    'types: expected columns that both files have ("id", "amount", "day"), got "b".',
  ],
  [
    'a tolerance of text',
    { types: { amount: 'text' }, tolerance: { amount: 1 } },
    'tolerance.amount: expected none, for a column of the type text',
  ],
  [
    'a time for a number',
    { types: { amount: 'decimal' }, tolerance: { amount: '2 days' } },
    'tolerance.amount: expected a number or a percentage, for a column of the type decimal',
  ],
  [
    'a number format of a date',
    { types: { day: 'date' }, columns: { day: { numbers: '1.234,56' } } },
    'columns.day: expected no number format, for a column of the type date',
  ],
  [
    'a pass by no column',
    { passes: [{ match: 'exact', columns: ['amount', 'b'] }] },
    'passes.0.columns.1: expected a column that both sides have ("id", "amount", "day"), got "b".',
  ],
  [
    'two passes of one name',
    {
      passes: [
        { match: 'exact', columns: ['day'] },
        { match: 'exact', columns: ['amount'] },
      ],
    },
    'passes.1.name: expected each name once, got "exact".',
  ],
];

for (const [what, rules, message] of unfit) {
  test(`${what} is told before the job starts`, async () => {
    const folder = testFolder();
    const file = 'id,amount,day\n1,2.50,2025-01-31\n';
    const input = {
      left: folder.write('a.csv', file),
      right: folder.write('b.csv', file),
      out: folder.path('out'),
    };
    await expect(checkReconciliationInput({ ...input, rules: { key: ['id'], ...rules } })).rejects.toThrow(
      message,
    );
  });
}

test('what stands beside the rules wins, column by column', async () => {
  const input = {
    ...{
      left: 'a.csv',
      right: 'b.csv',
      out: 'out',
      key: ['nr'],
      tolerance: { a: 1 },
      columns: { c: { unicode: 'NFC' } },
    },
    rules: {
      $schema: 'x',
      key: ['id'],
      tolerance: { a: 2, b: 3 },
      columns: { c: { ignoreCase: true } },
      duplicates: 'pair',
    },
  };
  const outcome = await reconciliation.input!['~standard'].validate(input);
  expect(outcome).toMatchObject({
    value: {
      ...{ key: ['nr'], tolerance: { a: 1, b: 3 }, duplicates: 'pair', passes: [] },
      columns: { c: { unicode: 'NFC', ignoreCase: true } },
    },
  });
});

test('a type is found only where nothing is lost by it, and the summary says which', async () => {
  const folder = testFolder();
  const summary = await reconcile({
    left: folder.write(
      'left.csv',
      'id,amount,count,account,version,day,at,open,mixed\n' +
        '1,2.50,1,0070,1.9,2025-01-31,2025-01-31T10:00:00,true,2.50\n2,3.00,2,0071,1.10,2025-02-01,2025-02-01T10:00:00,false,3\n',
    ),
    right: folder.write(
      'right.csv',
      'id,amount,count,account,version,day,at,open,mixed\n' +
        '1,2.5,1,70,1.90,2025-01-31,2025-01-31 10:00:00.000,TRUE,2.5\n2,3,2,71,1.1,2025-02-01,2025-02-01 10:00:00.000,FALSE,3\n',
    ),
    key: ['id'],
    out: folder.path('out'),
  });
  expect(summary.types).toEqual({
    ...{ amount: 'decimal', count: 'integer', account: 'text', version: 'text' },
    ...{ day: 'date', at: 'timestamp', open: 'boolean', mixed: 'text' },
  });
  expect(summary.columns).toMatchObject({ amount: 0, at: 0, open: 0, account: 2, version: 2, mixed: 1 });
});

test('a percentage is exact: of 19 digits before the point and 18 after, at its very limit', async () => {
  const folder = testFolder();
  const pairs = [
    ['1000.000000000000000000', '1001.001001001001001001', 1],
    ['1000.000000000000000000', '1001.001001001001001002', 2],
    ['9999999999999999999.000000000000000000', '9989999999999999999.000999999999999999', 3],
    ['9999999999999999999.000000000000000000', '9989999999999999999.001000000000000001', 4],
    ['-1', '1', 5],
    ['0', '0.000000000000000001', 6],
  ] as const;
  const file = (side: 0 | 1) => `id,v\n${pairs.map((pair) => `${pair[2]},${pair[side]}`).join('\n')}\n`;
  await reconcile({
    ...{ left: folder.write('left.csv', file(0)), right: folder.write('right.csv', file(1)) },
    ...{ key: ['id'], tolerance: { v: '0.1%' }, out: folder.path('out') },
  });
  // 0.1 % of 9999999999999999999 is 9999999999999999.999 exactly.
  const differing = folder.read('out/differences.csv').trimEnd().split('\n').slice(1);
  expect(differing.map((line) => line.split(',')[0])).toEqual(['2', '3', '5', '6']);
});

test('pairing duplicates takes equal rows first, and 10 000 equal keys on each side stay cheap', async () => {
  const folder = testFolder();
  const many = (value: (n: number) => string) =>
    `id,v\n${Array.from({ length: 10_000 }, (_, n) => `same,${value(n)}`).join('\n')}\n`;
  const summary = await reconcile({
    left: folder.write('left.csv', `${many(String)}few,b\nfew,a\nfew,x\n`),
    right: folder.write('right.csv', `${many((n) => String(9_999 - n))}few,a\nfew,c\n`),
    ...{ key: ['id'], duplicates: 'pair', out: folder.path('out') },
  });
  expect(summary).toMatchObject({
    ...{ matched: 10_001, mismatched: 1, duplicatePairs: 10_002 },
    ...{ duplicateKeys: { left: 2, right: 2 }, duplicateRows: { left: 1, right: 0 } },
  });
  expect(folder.read('out/differences.csv')).toBe('id,column,left,right\nfew,v,b,c\n');
  expect(folder.read('out/duplicates.csv')).toBe('side,id,v\nleft,few,x\n');
});
