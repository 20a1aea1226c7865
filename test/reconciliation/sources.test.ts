// What can be a side: files of every kind, packed, in several parts, in other encodings, and SQLite. Ten ugly files as a new user
// meets them are each read right, or refused in a line that says what to do.

import { DatabaseSync } from 'node:sqlite';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { literal, openDatabase } from '../../src/reconciliation/database.ts';
import {
  checkReconciliationInput,
  type ReconciliationInput,
  type ReconciliationSummary,
} from '../../src/reconciliation/index.ts';
import { Abandoned, reconcile } from './driver.ts';
import { type Folder, testFolder } from './folder.ts';

type Sides = Pick<ReconciliationInput, 'left' | 'right'> & Partial<ReconciliationInput>;

/** The summary, and the lines of the differences. */
async function compared(
  folder: Folder,
  sides: Sides,
): Promise<{ summary: ReconciliationSummary; differences: string[] }> {
  const input = { key: ['id'], out: folder.path('out'), ...sides };
  await checkReconciliationInput(input);
  const summary = await reconcile(input);
  return { summary, differences: folder.read('out/differences.csv').trimEnd().split('\n').slice(1) };
}

async function refused(folder: Folder, sides: Sides): Promise<string> {
  const input = { key: ['id'], out: folder.path('out'), ...sides };
  const error = await reconcile(input).then(
    () => null,
    (error: Error & { code?: string }) => error,
  );
  expect(error?.code).toBe('ERR_RECONCILIATION_INPUT');
  expect(error!.message).not.toContain('\n');
  return error!.message;
}

const good = 'id,amount\n1,10\n2,20\n';

describe('ten ugly files', () => {
  const equal: [what: string, left: string | Uint8Array, right: string | Uint8Array, name?: string][] = [
    [
      'a spreadsheet export with semicolons, CR LF and a byte order mark',
      '\ufeffid;amount\r\n1;10\r\n2;20\r\n',
      good,
    ],
    [
      'UTF-16 with a byte order mark, as Windows tools write it',
      Buffer.from('\ufeffid,amount\n1,10\n2,20\n', 'utf16le'),
      good,
    ],
    ['UTF-16 without one', Buffer.from('id,amount\n1,10\n2,20\n', 'utf16le'), good],
    ['a header in another order', 'amount,id\n20,2\n10,1\n', good],
    ['empty columns behind the last name', 'id,amount,,\n1,10,,\n2,20,,\n', good],
    ['names and values in \' instead of "', "'id','amount'\n'1','10'\n'2','20'\n", good],
    [
      'integers past 2^53 and leading zeros',
      'id,amount\n9007199254740993,007\n',
      'id,amount\n9007199254740993,007\n',
    ],
  ];
  test.each(equal)('%s: read right', async (_, left, right) => {
    const folder = testFolder();
    const sides = { left: folder.write('left.csv', left), right: folder.write('right.csv', right) };
    const { summary } = await compared(folder, sides);
    expect(summary).toMatchObject({
      mismatched: 0,
      onlyLeft: 0,
      onlyRight: 0,
      rejected: { left: 0, right: 0 },
    });
    expect(summary.matched).toBe(summary.left);
    expect(summary.left).toBeGreaterThan(0);
  });

  test('long integers and leading zeros are no numbers: one digit off is a difference', async () => {
    const folder = testFolder();
    const { differences } = await compared(folder, {
      left: folder.write('left.csv', 'id,n\n1,9007199254740993\n2,007\n'),
      right: folder.write('right.csv', 'id,n\n1,9007199254740992\n2,7\n'),
    });
    expect(differences).toEqual(['1,n,9007199254740993,9007199254740992', '2,n,007,7']);
  });

  test('Windows-1252 is refused until it is said, and then read right', async () => {
    const folder = testFolder();
    const left = folder.write('left.csv', Buffer.from('id,name\n1,M\xfcller\n2,10 \x80\n', 'latin1'));
    const right = folder.write('right.csv', 'id,name\n1,Müller\n2,10 €\n');
    expect(await refused(folder, { left, right })).toBe(
      `${left}: expected UTF-8 text, got other bytes at line 2. Say what it is, such as csv.encoding windows-1252 (--csv encoding=windows-1252), or convert it, for example with iconv -f WINDOWS-1252 -t UTF-8.`,
    );
    const { summary } = await compared(folder, { left, right, csv: { left: { encoding: 'windows-1252' } } });
    expect(summary).toMatchObject({ matched: 2, mismatched: 0 });
    expect(await refused(folder, { left, right, csv: { encoding: 'windows-1252' } })).toBe(
      `${right}: expected windows-1252 text, got UTF-8. Say the encoding for the other side only: csv.left or csv.right (--csv left.encoding=…).`,
    );
  });

  test('no header: told, or known by a key of such names; else an error that says so', async () => {
    const folder = testFolder();
    const sides = {
      left: folder.write('left.csv', '1,10\n2,20\n'),
      right: folder.write('right.csv', '1,10\n2,21\n'),
    };
    expect((await compared(folder, { ...sides, key: ['column1'] })).differences).toEqual(['2,column2,20,21']);
    expect(await refused(folder, sides)).toBe(
      `${sides.left}: expected a header, got a first line of numbers. If it has no header, say csv.header false (--csv header=no): its columns are then column1, column2 and so on.`,
    );
    const mixed = { ...sides, right: folder.write('named.csv', 'id,amount\n1,10\n2,20\n') };
    const { summary } = await compared(folder, {
      ...mixed,
      key: ['column1'],
      map: { column1: 'id', column2: 'amount' },
      csv: { left: { header: false } },
    });
    expect(summary.matched).toBe(2);
  });

  test('a value behind the last name is not lost without a word', async () => {
    const folder = testFolder();
    const left = folder.write('left.csv', 'id,amount,\n1,10,\n2,20,late\n');
    expect(await refused(folder, { left, right: folder.write('right.csv', good) })).toBe(
      `${left}: expected a name for column 3, which has values, got none, and the value "late". Name it in the header, or remove it.`,
    );
  });

  test('what is said about CSV counts: delimiter, quote, one side or both', async () => {
    const folder = testFolder();
    const { summary } = await compared(folder, {
      left: folder.write('left.csv', 'id^note\n1^"a, b\n2^c\n'),
      right: folder.write('right.csv', 'id,note\n1,"""a, b"\n2,c\n'),
      csv: { left: { delimiter: '^', quote: '' } },
    });
    expect(summary).toMatchObject({ matched: 2, rejected: { left: 0, right: 0 } });
  });

  test('bytes that are none of the encoding that was said', async () => {
    const folder = testFolder();
    const left = folder.write(
      'left.csv',
      Buffer.from([...Buffer.from('\ufeffid,a\n1,', 'utf16le'), 0x00, 0xd8, 0x0a, 0x00]),
    );
    expect(await refused(folder, { left, right: folder.write('right.csv', good) })).toContain(
      'expected utf-16le text, got bytes that are none.',
    );
  });
});

describe('packed files', () => {
  test('gzip and zstd are read, by what is in them and not by their names', async () => {
    const folder = testFolder();
    const { summary } = await compared(folder, {
      left: folder.write('left.csv.gz', gzipSync(good)),
      right: folder.write('right', zstdCompressSync(good)),
    });
    expect(summary).toMatchObject({ left: 2, right: 2, matched: 2 });
  });

  test('one gzip file behind the other in one is read to the end', async () => {
    const folder = testFolder();
    const { summary } = await compared(folder, {
      left: folder.write('left.csv.gz', Buffer.concat([gzipSync('id,amount\n1,10\n'), gzipSync('2,20\n')])),
      right: folder.write('right.csv', good),
    });
    expect(summary).toMatchObject({ left: 2, matched: 2 });
  });

  test.each([
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
  ] as const)('a %s file that ends early is an error, not fewer rows', async (kind, pack) => {
    const folder = testFolder();
    let text = 'id,amount\n';
    for (let id = 0; id < 300_000; id += 1) text += `${id},${(id * 7919) % 104_729}\n`;
    const whole = pack(text);
    const left = folder.write('left.csv', whole.subarray(0, whole.length - 20));
    expect(await refused(folder, { left, right: folder.write('right.csv', good) })).toBe(
      `${left}: expected a whole ${kind} file, got one that ends early. Copy or export it again.`,
    );
  });

  test('the line of a malformed row is that of the text', async () => {
    const folder = testFolder();
    const left = folder.write('left.csv.gz', gzipSync('id,amount\n1,10\n2\n'));
    const { summary } = await compared(folder, { left, right: folder.write('right.csv', good) });
    expect(summary.rejected.left).toBe(1);
    expect(folder.read('out/rejected.csv')).toContain('left,3,"expected 2 columns, got 1",2');
  });
});

describe('several files', () => {
  test('a pattern names them, sorted; malformed rows say in which', async () => {
    const folder = testFolder();
    folder.write('parts/2.csv', 'id,amount\n2,20\n3\n');
    folder.write('parts/1.csv.gz', gzipSync('id,amount\n1,10\n'));
    const { summary } = await compared(folder, {
      left: folder.path('parts/*'),
      right: folder.write('right.csv', good),
    });
    expect(summary).toMatchObject({ left: 3, matched: 2, rejected: { left: 1, right: 0 } });
    expect(folder.read('out/rejected.csv')).toContain('left,3,"2.csv: expected 2 columns, got 1",3');
  });

  test('columns that differ, kinds that differ, and a pattern of nothing are told', async () => {
    const folder = testFolder();
    const right = folder.write('right.csv', good);
    folder.write('a/1.csv', good);
    folder.write('a/2.csv', 'id,total\n3,30\n');
    expect(await refused(folder, { left: folder.path('a/*.csv'), right })).toBe(
      `${folder.path('a/2.csv')}: expected the columns of ${folder.path('a/1.csv')} ("id", "amount"), got "id", "total". The files of one side must have the same columns in the same order.`,
    );
    await parquet(folder, 'a/3.parquet', 'SELECT 1 AS id');
    expect(await refused(folder, { left: folder.path('a/*'), right })).toContain(
      'expected files of one kind, got text in',
    );
    expect(await refused(folder, { left: folder.path('none/*.csv'), right })).toContain(
      'expected a pattern that names a file, got no file of such a name.',
    );
  });

  test('a file that is really called so comes before the pattern', async () => {
    const folder = testFolder();
    folder.write('a1.csv', 'id,amount\n9,9\n');
    const { summary } = await compared(folder, {
      left: folder.write('a[1].csv', `${good}3\n`),
      right: folder.write('right.csv', good),
    });
    expect(summary).toMatchObject({ matched: 2, rejected: { left: 1, right: 0 } });
  });

  test('Parquet files with the same columns are one side', async () => {
    const folder = testFolder();
    await parquet(folder, 'p/1.parquet', `SELECT 1 AS id, '10' AS amount`);
    await parquet(folder, 'p/2.parquet', `SELECT 2 AS id, '20' AS amount`);
    const { summary } = await compared(folder, {
      left: folder.path('p/*.parquet'),
      right: folder.write('right.csv', good),
    });
    expect(summary).toMatchObject({ left: 2, matched: 2 });
  });
});

async function parquet(folder: Folder, name: string, query: string): Promise<void> {
  folder.write(name, '');
  const database = await openDatabase({
    file: folder.path('make.duckdb'),
    temp: folder.path('temp'),
    memory: '100MB',
  });
  await database.run(`COPY (${query}) TO ${literal(folder.path(name))} (FORMAT parquet)`);
  database.close();
}

describe('JSON Lines', () => {
  test('all keys of all lines are columns; digits, empty texts and nested values are kept', async () => {
    const folder = testFolder();
    const lines = [
      '{"id": 1, "n": 12345678901234567890, "m": 1.10, "t": ""}',
      '{"id": 2, "t": null, "more": {"b": [1, 2.50], "a": "x\\u0041"}}',
      '',
      '{"id": 3, "ok": true, "t": "a\\"b,c\\nd\u2028"}',
    ];
    const { summary, differences } = await compared(folder, {
      left: folder.write('left.jsonl', `${lines.join('\r\n')}\r\n`),
      right: folder.write(
        'right.csv',
        'id,n,m,t,more,ok\n1,12345678901234567890,1.10,"",,\n2,,,,"{""a"":""xA"",""b"":[1,2.50]}",\n3,,,"a""b,c\nd\u2028",,true\n',
      ),
    });
    expect(differences).toEqual([]);
    expect(summary).toMatchObject({ left: 3, right: 3, matched: 3 });
    expect(Object.keys(summary.columns)).toEqual(['n', 'm', 't', 'more', 'ok']);
  });

  test('NULL and an empty text are two things', async () => {
    const folder = testFolder();
    const { differences } = await compared(folder, {
      left: folder.write('left.jsonl', '{"id":1,"t":""}\n{"id":2,"t":null}\n{"id":3}\n'),
      right: folder.write('right.jsonl', '{"id":1,"t":null}\n{"id":2,"t":""}\n{"id":3,"t":""}\n'),
    });
    expect(differences).toEqual(['1,t,"",', '2,t,,""', '3,t,,""']);
  });

  test('lines that are no objects are kept apart, by line', async () => {
    const folder = testFolder();
    const lines = ['{"id":1}', '[2]', '{"id":', '{"id":3,"id":4}', '{"id":5,"t":"\\ud800"}'];
    const { summary } = await compared(folder, {
      left: folder.write('left.ndjson.gz', gzipSync(lines.join('\n'))),
      right: folder.write('right.csv', 'id\n1\n'),
    });
    expect(summary).toMatchObject({ left: 5, matched: 1, rejected: { left: 4, right: 0 } });
    expect(folder.read('out/rejected.csv').trimEnd().split('\n').slice(1)).toEqual([
      'left,2,"expected an object, got an array",[2]',
      'left,3,"expected an object in JSON, got other text","{""id"":"',
      'left,4,"expected each key once, got ""id"" twice","{""id"":3,""id"":4}"',
      'left,5,"expected text for ""t"", got half a character","{""id"":5,""t"":""\\ud800""}"',
    ]);
  });

  test('keys that are values are told', async () => {
    const folder = testFolder();
    const keys = Array.from({ length: 2001 }, (_, id) => `{"id":1,"k${id}":1}`);
    const left = folder.write('left.jsonl', keys.join('\n'));
    expect(await refused(folder, { left, right: folder.write('right.csv', good) })).toBe(
      `${left}: expected at most 2000 keys, got more by line 2000. Keys that are values, such as ids, belong into a field of their own.`,
    );
  });

  test('a JSON array is told', async () => {
    const folder = testFolder();
    const left = folder.write('left.json', '[\n {"id": 1}\n]\n');
    expect(await refused(folder, { left, right: folder.write('right.csv', good) })).toBe(
      `${left}: expected JSON Lines: an object on each line, got a JSON array. Convert it, for example with jq -c .[]`,
    );
  });
});

describe('SQLite', () => {
  function shop(folder: Folder): string {
    const path = folder.path('shop.db');
    const database = new DatabaseSync(path);
    database.exec(`
      CREATE TABLE orders (id INTEGER PRIMARY KEY, amount, big, note TEXT, raw BLOB);
      INSERT INTO orders VALUES (1, 10.5, 9007199254740993, '', x'00ff'), (2, 20, 1, NULL, NULL);
      CREATE TABLE empty (id INTEGER);`);
    database.close();
    return path;
  }

  test('a table against CSV: long integers are exact, blobs clear, NULL is not the empty text', async () => {
    const folder = testFolder();
    const { summary, differences } = await compared(folder, {
      left: `sqlite:${shop(folder)}?table=orders`,
      right: folder.write(
        'right.csv',
        'id,amount,big,note,raw\n1,10.5,9007199254740993,"",\\x00ff\n2,20.0,1,,\n',
      ),
    });
    expect(differences).toEqual([]);
    expect(summary.matched).toBe(2);
  });

  test('a query against Parquet meets in types that hold both', async () => {
    const folder = testFolder();
    const path = shop(folder);
    await parquet(
      folder,
      'right.parquet',
      'SELECT 1::SMALLINT AS id, 10.5::DOUBLE AS amount UNION ALL SELECT 2, 20',
    );
    const { summary } = await compared(folder, {
      left: `sqlite:${path}?query=SELECT id, amount FROM orders WHERE note IS NOT 'a&b=c?'`,
      right: folder.path('right.parquet'),
    });
    expect(summary).toMatchObject({ left: 2, matched: 2 });
  });

  test('what cannot be read is told', async () => {
    const folder = testFolder();
    const path = shop(folder);
    const right = folder.write('right.csv', good);
    expect(await refused(folder, { left: `sqlite:${path}?table=order`, right })).toBe(
      `sqlite:${path}?table=order: expected one of the tables "empty", "orders", got "order". Check the spelling.`,
    );
    expect(await refused(folder, { left: `sqlite:${path}?query=SELEC 1`, right })).toContain(
      'near "SELEC": syntax error',
    );
    expect(await refused(folder, { left: `sqlite:${path}?query=DELETE FROM orders`, right })).toContain(
      'expected a query with rows, got a statement without.',
    );
    expect(await refused(folder, { left: path, right })).toContain(
      `got an SQLite file. Name the table: sqlite:${path}?table=NAME`,
    );
    expect(await refused(folder, { left: `sqlite:${right}?table=a`, right })).toContain(
      'expected an SQLite file, got another file.',
    );
  });

  test('what a writer has not yet moved from its log into the file is read, and counts', async () => {
    const folder = testFolder();
    const path = shop(folder);
    const writer = new DatabaseSync(path);
    writer.exec(`PRAGMA journal_mode = WAL; INSERT INTO empty VALUES (7)`);
    const input = {
      left: `sqlite:${path}?table=empty`,
      right: folder.write('right.csv', 'id\n7\n8\n'),
      key: ['id'],
      out: folder.path('out'),
    };
    const first = await abandoned(input);
    expect(await abandoned(input)).toBe(first);
    writer.exec('INSERT INTO empty VALUES (8)');
    const summary = await reconcile(input);
    writer.close();
    expect(summary.matched).toBe(2);
    expect(summary.staging).not.toBe(first);
  });

  test('an empty table is compared: all rows are on one side', async () => {
    const folder = testFolder();
    const { summary } = await compared(folder, {
      left: `sqlite:${shop(folder)}?table=empty`,
      right: folder.write('right.csv', 'id\n1\n'),
    });
    expect(summary).toMatchObject({ left: 0, right: 1, onlyRight: 1 });
  });

  test('a run is gone on with as long as the file is what it was', async () => {
    const folder = testFolder();
    const path = shop(folder);
    const input = {
      left: `sqlite:${path}?table=orders`,
      right: folder.write('right.csv', 'id,amount\n1,10.5\n2,20\n'),
      key: ['id'],
      out: folder.path('out'),
    };
    const first = await abandoned(input);
    expect(await abandoned(input)).toBe(first);
    const database = new DatabaseSync(path);
    database.exec(`UPDATE orders SET note = 'changed' WHERE id = 2`);
    database.close();
    expect((await reconcile(input)).staging).not.toBe(first);
  });
});

/** Left after a chunk of its comparison; resolves with the staging. */
async function abandoned(input: ReconciliationInput): Promise<string | null> {
  let staging: string | null = null;
  const run = reconcile(input, {
    onCheckpoint(checkpoint) {
      staging = checkpoint.staging;
      return checkpoint.done === 0;
    },
  });
  await expect(run).rejects.toThrow(Abandoned);
  return staging;
}

describe('columns of other names', () => {
  test('are compared as one, under the name of the left, in every report', async () => {
    const folder = testFolder();
    const { summary, differences } = await compared(folder, {
      left: folder.write('left.csv', 'id,amount,note\n1,10,a\n2,20,b\n3,30,c\n3,31,c\n'),
      right: folder.write('right.csv', 'nr,betrag,amount\n1,10,x\n2,21,y\n3,30,z\n'),
      map: { id: 'nr', amount: 'betrag' },
    });
    expect(differences).toEqual(['2,amount,20,21']);
    expect(summary).toMatchObject({ matched: 1, mismatched: 1, columns: { amount: 1 } });
    expect(Object.keys(summary.columns)).toEqual(['amount']);
    expect(folder.read('out/duplicates.csv').split('\n').slice(0, 4)).toEqual([
      'side,id,amount,note',
      'left,3,30,c',
      'left,3,31,c',
      'right,3,30,',
    ]);
  });

  test('errors say what was meant', async () => {
    const folder = testFolder();
    const sides = {
      left: folder.write('left.csv', good),
      right: folder.write('right.csv', 'nr,betrag\n1,10\n'),
    };
    expect(await refused(folder, { ...sides, map: { id: 'number' } })).toBe(
      `map: expected a column of ${sides.right} ("nr", "betrag"), got "number". It was to map "id" to "number", left to right: check the spelling.`,
    );
    expect(await refused(folder, { ...sides, map: { nr: 'id' } })).toContain('map: expected a column of');
  });
});
