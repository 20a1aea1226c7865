// What counts as equal: text, numbers within a tolerance, typed Parquet columns, NULL and the empty text.

import { expect, test } from 'vitest';
import { literal, openDatabase } from '../../src/reconciliation/database.ts';
import type { ReconciliationInput } from '../../src/reconciliation/index.ts';
import { reconcile } from './driver.ts';
import { type Folder, testFolder } from './folder.ts';

async function parquet(folder: Folder, name: string, query: string): Promise<string> {
  const database = await openDatabase({
    file: folder.path('make.duckdb'),
    temp: folder.path('temp'),
    memory: '100MB',
  });
  await database.run(`COPY (${query}) TO ${literal(folder.path(name))} (FORMAT parquet)`);
  database.close();
  return folder.path(name);
}

async function differences(folder: Folder, input: Omit<ReconciliationInput, 'out'>): Promise<string[]> {
  await reconcile({ ...input, out: folder.path('out') });
  return folder.read('out/differences.csv').trimEnd().split('\n').slice(1);
}

/** Rows of an id and one value a side, as CSV. */
function pairs(folder: Folder, values: [string, string][]): { left: string; right: string; key: string[] } {
  const file = (side: 0 | 1) => `id,v\n${values.map((pair, n) => `${n + 1},${pair[side]}`).join('\n')}\n`;
  return { left: folder.write('left.csv', file(0)), right: folder.write('right.csv', file(1)), key: ['id'] };
}

test('a tolerance is exact in decimal, at any scale, and its limit still matches', async () => {
  const folder = testFolder();
  const input = pairs(folder, [
    ['100.00', '99.99'],
    ['100.00', '99.989999999999999999'],
    ['10.005', '10.015'],
    ['10.005', '9.9949'],
    ['1e3', '1000.01'],
    ['1.5e-2', '.005'],
    [' 7 ', '+7.00'],
    ['-0', '0.0'],
    ['9999999999999999999.99', '9999999999999999999.98'],
    ['n/a', 'n/a'],
    ['n/a', 'N/A'],
    ['"1,000"', '1000'],
    ['12345678901234567890', '12345678901234567890.00'],
    ['0.1234567890123456789', '0.1234567890123456789'],
    ['5', ''],
    ['', '""'],
  ]);
  expect(await differences(folder, { ...input, tolerance: { v: 0.01 } })).toEqual([
    '11,v,n/a,N/A',
    '12,v,"1,000",1000',
    '13,v,12345678901234567890,12345678901234567890.00',
    '15,v,5,',
    '16,v,,""',
    '2,v,100.00,99.989999999999999999',
    '4,v,10.005,9.9949',
  ]);
});

test('without a tolerance text is compared letter for letter', async () => {
  const folder = testFolder();
  const input = pairs(folder, [
    ['1.0', '1.00'],
    ['a', 'A'],
    ['a ', 'a'],
    ['é', 'e\u0301'],
    ['"x"', 'x'],
  ]);
  expect(await differences(folder, input)).toEqual(['1,v,1.0,1.00', '2,v,a,A', '3,v,a ,a', '4,v,é,e\u0301']);
});

test('other delimiters, a byte order mark, CR LF and paths with odd characters are read', async () => {
  const folder = testFolder();
  expect(
    await differences(folder, {
      left: folder.write("it's [1]*.csv", '\ufeffid;"amo;unt"\r\n1;2,5\r\n2;3\r\n'),
      right: folder.write('right?.tsv', 'id\tamo;unt\n1\t2,5\n2\t4\n'),
      key: ['id'],
    }),
  ).toEqual(['2,amo;unt,3,4']);
});

test('columns may differ in case only, and have names that are SQL', async () => {
  const folder = testFolder();
  const header = 'id,ID,"se""lect; --",bucket,side\n';
  expect(
    await differences(folder, {
      left: folder.write('left.csv', `${header}1,a,b,c,d\n2,a,b,c,d\n2,a,b,c,d\n3,a,b,c,d\n`),
      right: folder.write('right.csv', `${header}1,x,y,c,d\n`),
      key: ['id'],
    }),
  ).toEqual(['1,ID,a,x', '1,"se""lect; --",b,y']);
  expect(folder.read('out/only-left.csv')).toBe(`${header}3,a,b,c,d\n`);
  expect(folder.read('out/duplicates.csv')).toBe(`side,${header}left,2,a,b,c,d\nleft,2,a,b,c,d\n`);
});

test('Parquet columns of different width compare as numbers, by key and by value', async () => {
  const folder = testFolder();
  const left = await parquet(
    folder,
    'left.parquet',
    `SELECT i::INTEGER AS id, (i / 4)::DECIMAL(10, 2) AS amount, DATE '2025-01-01' + i::INTEGER AS day FROM range(100) t(i)`,
  );
  const right = await parquet(
    folder,
    'right.parquet',
    `SELECT i::BIGINT AS id, (i / 4)::DECIMAL(18, 4) AS amount, TIMESTAMP '2025-01-01' + to_days(i::INTEGER) AS day
     FROM range(1, 101) t(i)`,
  );
  expect(await differences(folder, { left, right, key: ['id'] })).toEqual([]);
  expect(folder.read('out/only-left.csv')).toContain('0,0.00');
  expect(folder.read('out/only-right.csv')).toContain('100,25.0000');
});

test('CSV against Parquet compares texts, and numbers where a tolerance says so', async () => {
  const folder = testFolder();
  const left = folder.write(
    'left.csv',
    'id,amount,rate,day,open\n1,2.5,0.00001,2025-01-01,true\n2,3,1,2025-01-02,false\n',
  );
  const right = await parquet(
    folder,
    'right.parquet',
    `SELECT * FROM (VALUES (1, 2.50, 1e-5::DOUBLE, DATE '2025-01-01', true), (2, 3.00, 1::DOUBLE, DATE '2025-01-02', true))
     t(id, amount, rate, day, open)`,
  );
  expect(await differences(folder, { left, right, key: ['id'], tolerance: { amount: 0, rate: 0 } })).toEqual([
    '2,open,false,true',
  ]);
  expect(await differences(folder, { left, right, key: ['id'], compare: ['amount'] })).toEqual([]);
  const types = { amount: 'text' } as const;
  expect(await differences(folder, { left, right, key: ['id'], compare: ['amount'], types })).toEqual([
    '1,amount,2.5,2.50',
    '2,amount,3,3.00',
  ]);
});

test('a key that stands 5 000 times on both sides costs nothing but its rows', async () => {
  const folder = testFolder();
  const many = `id,v\n${'same,1\n'.repeat(5000)}other,1\n`;
  const summary = await reconcile({
    left: folder.write('left.csv', many),
    right: folder.write('right.csv', many),
    key: ['id'],
    out: folder.path('out'),
  });
  expect(summary).toMatchObject({
    matched: 1,
    duplicateKeys: { left: 1, right: 1 },
    duplicateRows: { left: 5000, right: 5000 },
  });
});
