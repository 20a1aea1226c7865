// What a run leaves behind, in each format; and what it leaves where it was asked for less than all.

import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { generateSample } from '../../examples/reconcile/generate.ts';
import { literal, openDatabase } from '../../src/reconciliation/database.ts';
import type { ReconciliationInput, ReconciliationSummary } from '../../src/reconciliation/index.ts';
import { Abandoned, reconcile } from './driver.ts';
import { expected, type Folder, testFolder } from './folder.ts';
import { fromCsv } from './reference.ts';

const sample = generateSample({ rows: 3000, seed: 21 });

function inputIn(folder: Folder, more: Partial<ReconciliationInput> = {}): ReconciliationInput {
  return {
    left: folder.write('bank.csv', sample.left),
    right: folder.write('ledger.csv', sample.right),
    key: ['id'],
    out: folder.path('out'),
    ...more,
  };
}

const rowsOf = (text: string) => fromCsv(text).length - 1;

async function parquetRows(folder: Folder, name: string): Promise<Record<string, unknown>[]> {
  const file = folder.path(`${name}.duckdb`);
  const database = await openDatabase({ file, temp: folder.path('temp'), memory: '100MB' });
  const rows = await database.rows(
    `SELECT * FROM read_parquet(${literal(folder.path(`out/${name}.parquet`))})`,
  );
  database.close();
  return rows;
}

test('JSON Lines and Parquet say row by row what CSV says, and one format does not stand beside another', async () => {
  const folder = testFolder();
  const left = `${sample.left}too,few\n`;
  const input = { ...inputIn(folder), left: folder.write('bank.csv', left) };
  await reconcile(input);
  const names = ['differences', 'only-left', 'only-right', 'duplicates', 'rejected'];
  const csv = new Map(names.map((name) => [name, fromCsv(folder.read(`out/${name}.csv`))]));

  const jsonl = await reconcile({ ...input, format: 'jsonl' });
  expect(jsonl.format).toBe('jsonl');
  expect(readdirSync(folder.path('out')).sort()).toEqual(
    [...names.map((name) => `${name}.jsonl`), ...['report.html', 'summary.json']].sort(),
  );
  for (const name of names) {
    const [header, ...rows] = csv.get(name)!;
    const lines = folder.read(`out/${name}.jsonl`).trimEnd().split('\n');
    const asText = (value: unknown) => (value === null ? null : String(value));
    expect(lines.map((line) => Object.values(JSON.parse(line)).map(asText))).toEqual(rows);
    expect(Object.keys(JSON.parse(lines[0]!))).toEqual(header);
  }

  await reconcile({ ...input, format: 'parquet' });
  expect(readdirSync(folder.path('out')).filter((name) => name.endsWith('.jsonl'))).toEqual([]);
  for (const name of ['differences', 'only-left', 'duplicates']) {
    const rows = await parquetRows(folder, name);
    expect(rows.map((row) => Object.values(row))).toEqual(csv.get(name)!.slice(1));
  }
});

test('columns of one name are told apart where values go by names, and no rows make an empty file', async () => {
  const folder = testFolder();
  const input = {
    left: folder.write('left.csv', 'left,Column,v\n1,a,x\n'),
    right: folder.write('right.csv', 'left,Column,v\n1,a,y\n'),
    ...{ key: ['left', 'Column'], out: folder.path('out'), format: 'jsonl' as const },
  };
  await reconcile(input);
  expect(JSON.parse(folder.read('out/differences.jsonl'))).toEqual({
    ...{ left: '1', Column: 'a', column_2: 'v', left_2: 'x', right: 'y' },
  });
  expect(folder.read('out/only-left.jsonl')).toBe('');
  await reconcile({ ...input, format: 'parquet' });
  expect(Object.keys((await parquetRows(folder, 'differences'))[0]!)).toEqual([
    ...['left', 'Column', 'column_2', 'left_2', 'right'],
  ]);
  expect(await parquetRows(folder, 'only-left')).toEqual([]);
});

test('integers that Parquet has not are kept whole', async () => {
  const folder = testFolder();
  const database = await openDatabase({
    ...{ file: folder.path('make.duckdb'), temp: folder.path('temp'), memory: '100MB' },
  });
  const make = (name: string, type: string, value: string) =>
    database.run(
      `COPY (SELECT ${value}::${type} AS id, 1 AS v UNION ALL SELECT 1::${type}, 1) TO ${literal(folder.path(name))} (FORMAT parquet)`,
    );
  // The two types meet as HUGEINT.
  await make('left.parquet', 'UBIGINT', '18446744073709551615');
  await make('right.parquet', 'BIGINT', '9223372036854775807');
  database.close();
  const { left, right } = { left: folder.path('left.parquet'), right: folder.path('right.parquet') };
  await reconcile({ left, right, key: ['id'], out: folder.path('out'), format: 'parquet' });
  expect(String((await parquetRows(folder, 'only-left'))[0]!.id)).toBe('18446744073709551615');
});

test('stopped after so many differences, it says so everywhere, and what it says is true of the rows compared', async () => {
  const folder = testFolder();
  const all = await reconcile(inputIn(folder));
  const input = inputIn(folder, { stopAfter: 20 });
  const summary = await reconcile(input);
  const { mismatched, onlyLeft, onlyRight, duplicateKeys, duplicateRows } = summary;
  const found = mismatched + onlyLeft + onlyRight + duplicateKeys.left + duplicateKeys.right;
  expect(found).toBeGreaterThanOrEqual(20);
  expect(summary.chunks.run).toBeLessThan(all.chunks.total);
  expect(summary.stoppedEarly).toEqual({
    after: 20,
    notCompared: { left: all.left - summary.left, right: all.right - summary.right },
  });
  expect(summary.left).toBe(summary.matched + mismatched + onlyLeft + duplicateRows.left);
  expect(rowsOf(folder.read('out/only-left.csv'))).toBe(onlyLeft);
  expect(JSON.parse(folder.read('out/summary.json'))).toEqual(summary);
  expect(folder.read('out/report.html')).toContain('Partial:');
  // The reports are the beginning of what a whole run finds: chunk by chunk, none left out.
  const again = await reconcile(input);
  expect({ ...again, staging: '' }).toEqual({ ...summary, staging: '' });

  const never = await reconcile(inputIn(folder, { stopAfter: 1_000_000 }));
  expect({ ...never, staging: '' }).toEqual({ ...all, staging: '' });
  expect(folder.read('out/report.html')).not.toContain('Partial:');
});

test('abandoned and taken up again, it stops after the same chunk', async () => {
  const folder = testFolder();
  const calm = await reconcile(inputIn(folder, { stopAfter: 60, out: folder.path('calm') }));
  const input = inputIn(folder, { stopAfter: 60 });
  await expect(reconcile(input, { onCheckpoint: () => false })).rejects.toThrow(Abandoned);
  const summary = await reconcile(input);
  expect({ ...summary, report: '', staging: '' }).toEqual({ ...calm, report: '', staging: '' });
});

test('a sample of keys holds them on both sides, the same ones each time, and says that it is one', async () => {
  const folder = testFolder();
  const all = await reconcile(inputIn(folder));
  const twentieth = await reconcile(inputIn(folder, { sample: '20%' }));
  expect(twentieth.sample).toBe('20%');
  expect(twentieth.left / all.left).toBeGreaterThan(0.15);
  expect(twentieth.left / all.left).toBeLessThan(0.25);
  // A key that is only on one side in the sample is so in the whole files.
  const keys = (name: string) =>
    fromCsv(folder.read(name))
      .slice(1)
      .map(([key]) => key!);
  const sampled = keys('out/only-left.csv');
  expect(folder.read('out/report.html')).toContain('A sample:');
  await reconcile(inputIn(folder, { sample: '20%', out: folder.path('again') }));
  expect(folder.read('again/differences.csv')).toBe(folder.read('out/differences.csv'));
  await reconcile(inputIn(folder));
  expect(keys('out/only-left.csv')).toEqual(expect.arrayContaining(sampled));

  const hundred = await reconcile(inputIn(folder, { sample: 100 }));
  const { matched, mismatched, onlyLeft, onlyRight } = hundred;
  const duplicates = new Set(
    fromCsv(folder.read('out/duplicates.csv'))
      .slice(1)
      .map(([, id]) => id),
  ).size;
  expect(matched + mismatched + onlyLeft + onlyRight + duplicates).toBe(100);

  const more = await reconcile(inputIn(folder, { sample: 1_000_000 }));
  expect({ ...more, sample: null, staging: '' }).toEqual({ ...all, staging: '' });
});

test('in one piece it finds the same to the byte, and leaves nothing but the reports', async () => {
  const folder = testFolder();
  const chunked = await reconcile(inputIn(folder, { out: folder.path('chunked') }));
  const input = inputIn(folder, { checkpoint: false });
  const summary = await reconcile(input);
  expect(summary).toMatchObject({ ...expected({ ...sample.truth }), chunks: { total: 1, run: 1 } });
  const names = readdirSync(folder.path('chunked'));
  expect(readdirSync(folder.path('out'))).toEqual(names);
  for (const name of names) {
    if (name !== 'summary.json')
      expect(folder.read(`out/${name}`), name).toBe(folder.read(`chunked/${name}`));
  }
  expect({ ...chunked, chunks: 0, report: '', staging: '' }).toEqual({
    ...{ ...summary, chunks: 0, report: '', staging: '' },
  });
});

test('its staging is for nobody else to read, and what a killed run spilled is gone when the next begins', async () => {
  const folder = testFolder();
  const input = inputIn(folder);
  const abandon = reconcile(input, { onCheckpoint: ({ done }) => done === 0 });
  await expect(abandon).rejects.toThrow(Abandoned);
  const staging = folder.path('out/.staging');
  expect(statSync(staging).mode & 0o777).toBe(0o700);
  folder.write('out/.staging/temp/duckdb_temp_storage_DEFAULT-0.tmp', 'spilled');
  await reconcile(input, {
    onCheckpoint() {
      expect(existsSync(join(staging, 'temp'))).toBe(false);
    },
  });
  expect(existsSync(staging)).toBe(false);
});

test.each<[string, (database: { run(sql: string): Promise<unknown> }, staging: string) => Promise<unknown>]>([
  [
    'rows that were lost after they were counted',
    async (_, staging) => rmSync(join(staging, 'right/bucket=7'), { recursive: true }),
  ],
  [
    'a mismatch counted twice',
    ({ run }) => run('UPDATE chunks SET mismatched = mismatched + 1 WHERE bucket = 0'),
  ],
  ['a row reported twice', ({ run }) => run('INSERT INTO only_left SELECT * FROM only_left LIMIT 1')],
])('a run whose numbers do not balance reports nothing, and says which: %s', async (_, plant) => {
  const folder = testFolder();
  const input = inputIn(folder);
  const abandoned = reconcile(input, { onCheckpoint: ({ done }) => done < 6 });
  await expect(abandoned).rejects.toThrow(Abandoned);
  const file = folder.path('out/.staging/staging.duckdb');
  const database = await openDatabase({ file, temp: folder.path('temp'), memory: '100MB' });
  await plant({ run: (sql) => database.run(sql) }, folder.path('out/.staging'));
  database.close();
  await expect(reconcile(input)).rejects.toThrow(
    /the reconciliation does not balance: .*: expected \d+, got \d+\. Nothing was reported\. Start over with fresh: true/,
  );
  expect(existsSync(folder.path('out/summary.json'))).toBe(false);
  expect(existsSync(folder.path('out/report.html'))).toBe(false);
  // Which helps.
  const summary: ReconciliationSummary = await reconcile({ ...input, fresh: true });
  expect(summary).toMatchObject(expected({ ...sample.truth }));
});

test('each row of each side is in one class, those that could not be read among them', async () => {
  const folder = testFolder();
  const left = folder.write('malformed.csv', `${sample.left}too,few\nand,fewer\n`);
  const summary = await reconcile({ ...inputIn(folder), left });
  for (const side of ['left', 'right'] as const) {
    const only = side === 'left' ? summary.onlyLeft : summary.onlyRight;
    expect(
      summary.matched + summary.mismatched + only + summary.duplicateRows[side] + summary.rejected[side],
    ).toBe(summary[side]);
  }
  const text = readFileSync(left, 'utf8');
  expect(summary.left).toBe(rowsOf(text));
  expect(summary.firstRejected).toEqual({
    ...{ side: 'left', line: text.trimEnd().split('\n').length - 1, reason: 'expected 6 columns, got 2' },
  });
});
