// Every bad input is one line that says what was expected, what came and what to do; and leaves nothing behind.

import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  checkReconciliationInput,
  type ReconciliationInput,
  ReconciliationInputError,
  reconciliation,
} from '../../src/reconciliation/index.ts';
import { reconcile } from './driver.ts';
import { type Folder, testFolder } from './folder.ts';

const good = 'id,amount\n1,10\n2,20\n';

interface Case {
  what: string;
  left?: string | Uint8Array;
  right?: string | Uint8Array;
  change?: (input: ReconciliationInput, folder: Folder) => Partial<ReconciliationInput>;
  /** LEFT, RIGHT and OUT stand for the paths. */
  message: string;
  /** Only reading the whole file shows it, so the check before the start cannot. */
  late?: true;
}

const cases: Case[] = [
  {
    what: 'a missing file',
    change: (_, folder) => ({ left: folder.path('none.csv') }),
    message: 'none.csv: expected a file, got no such file. Check the path.',
  },
  {
    what: 'a path below a file',
    change: ({ left }) => ({ left: `${left}/x.csv` }),
    message: 'LEFT/x.csv: expected a file, got no such file. Check the path.',
  },
  {
    what: 'a directory',
    change(_, folder) {
      mkdirSync(folder.path('folder'));
      return { right: folder.path('folder') };
    },
    message: 'folder: expected a CSV, JSON Lines or Parquet file, got a directory. Give the path of a file.',
  },
  {
    what: 'an empty file',
    right: '',
    message: 'RIGHT: expected a header and rows, got an empty file. Check the export that made it.',
  },
  {
    what: 'a file of line ends',
    left: '\n\n',
    message: 'LEFT: expected a header and rows, got an empty file. Check the export that made it.',
  },
  {
    what: 'a header without rows',
    left: 'id,amount\r\n\r\n',
    message: 'LEFT: expected rows below the header, got none. Check the export that made it.',
  },
  {
    what: 'a duplicated header name',
    left: 'id,amount,note,amount\n1,2,3,4\n',
    message: 'LEFT: expected each header name once, got "amount" for columns 2 and 4. Rename one of them.',
  },
  {
    what: 'a column without a name',
    left: 'id,,note\n1,2,3\n',
    message:
      'LEFT: expected a name for each column, got none for column 2 of 3. Name it in the header, or remove it.',
  },
  {
    what: 'a key column that is in neither file',
    change: () => ({ key: ['ref'] }),
    message:
      'LEFT: expected the key column "ref", got the columns "id", "amount". The key must stand in both files under one name, letter for letter.',
  },
  {
    what: 'a key column that differs between the files',
    right: 'ID,amount\n1,10\n',
    message:
      'RIGHT: expected the key column "id", got the columns "ID", "amount". The key must stand in both files under one name, letter for letter.',
  },
  {
    what: 'a compared column that is missing',
    change: () => ({ compare: ['amount', 'total'] }),
    message:
      'compare: expected columns that both files have and that are no key ("amount"), got "total". Check the spelling, letter for letter.',
  },
  {
    what: 'a column both compared and ignored',
    change: () => ({ compare: ['amount'], ignore: ['amount'] }),
    message:
      'compare: expected columns that are not ignored, got "amount". Name it in compare or in ignore, not in both.',
  },
  {
    what: 'an ignored column that is missing',
    change: () => ({ ignore: ['total'] }),
    message:
      'ignore: expected columns of one of the files (both have "amount"), got "total". Check the spelling, letter for letter.',
  },
  {
    what: 'an ignored key',
    change: () => ({ ignore: ['id'] }),
    message: 'ignore: expected columns that are no key, got "id". Remove it from ignore.',
  },
  {
    what: 'a tolerance for a column that is missing',
    change: () => ({ tolerance: { total: 1 } }),
    message:
      'tolerance: expected compared columns ("amount"), got "total". Check the spelling, letter for letter.',
  },
  {
    what: 'text that is not UTF-8, near the start',
    left: Buffer.from('id,amount\n1,10\n2,M\xfcller\n', 'latin1'),
    message:
      'LEFT: expected UTF-8 text, got other bytes at line 3. Say what it is, such as csv.encoding windows-1252 (--csv encoding=windows-1252), or convert it, for example with iconv -f WINDOWS-1252 -t UTF-8.',
  },
  {
    what: 'text that is not UTF-8, far into the file',
    right: Buffer.from(`id,amount\n${'7,"a\nb"\n'.repeat(150_000)}8,M\xfcller\n`, 'latin1'),
    message:
      'RIGHT: expected UTF-8 text, got other bytes at line 300002. Say what it is, such as csv.encoding windows-1252 (--csv encoding=windows-1252), or convert it, for example with iconv -f WINDOWS-1252 -t UTF-8.',
    late: true,
  },
  {
    what: 'an Excel workbook',
    left: Buffer.from('PK\x03\x04rest of it', 'latin1'),
    message:
      'LEFT: expected CSV, JSON Lines or Parquet, got a zip archive or an Excel workbook. Unpack it, or save the sheet as CSV (UTF-8).',
  },
  {
    what: 'half a Parquet file',
    left: 'PAR1 and so on',
    message: 'LEFT: expected a whole Parquet file, got one without its end. Copy or export it again.',
  },
  {
    what: 'no Parquet file at all',
    left: 'PAR1 looks like one PAR1',
    message: 'LEFT: expected a Parquet file that DuckDB can read, got',
    late: true,
  },
  {
    what: 'only malformed rows',
    left: 'id,amount\n1;10\n2;20\n',
    message:
      'LEFT: expected rows with the header\'s columns ("id", "amount"), got only malformed ones, the first at line 2: expected 2 columns, got 1. Check its delimiter and quotes.',
    late: true,
  },
  {
    what: 'mixed line ends',
    left: 'id,amount\n1,10\n2,20\r\n3,30\n',
    message:
      'LEFT: expected one kind of line end throughout, got another at line 3. Convert it, for example with dos2unix.',
    late: true,
  },
  {
    what: 'a quote in the header that never closes',
    left: 'id,"amount\n1,10\n',
    message: 'LEFT: expected a header, got one with an open quote. Close the quote.',
  },
  {
    what: 'an out folder that is a file',
    change: ({ left }) => ({ out: left }),
    message: 'LEFT: expected a folder for the reports, got a file. Choose another path.',
  },
  {
    what: 'an input that a report would replace',
    change: (_, folder) => ({ left: folder.write('deep/only-left.csv', good), out: folder.path('deep') }),
    message:
      'only-left.csv: expected a file that the reports do not replace, got the name of a report in out. Choose another out.',
  },
];

for (const { what, left = good, right = good, change, message, late } of cases) {
  test(`${what} is told in one line, and leaves nothing behind`, async () => {
    const folder = testFolder();
    let input: ReconciliationInput = {
      left: folder.write('left.csv', left),
      right: folder.write('right.csv', right),
      key: ['id'],
      out: folder.path('made/for/reports'),
    };
    input = { ...input, ...change?.(input, folder) };
    const told = message.replace('LEFT', folder.path('left.csv')).replace('RIGHT', folder.path('right.csv'));

    const refused = await reconcile(input).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ReconciliationInputError);
    const error = refused as ReconciliationInputError;
    expect(error.code).toBe('ERR_RECONCILIATION_INPUT');
    expect(error.message).toContain(told);
    expect(error.message).not.toContain('\n');
    expect(existsSync(folder.path('made'))).toBe(false);

    const check = checkReconciliationInput(input);
    if (late) await expect(check).resolves.toBeUndefined();
    else await expect(check).rejects.toThrow(error.message);
  });
}

test('a file that may not be read is told', async () => {
  const folder = testFolder();
  const left = folder.write('left.csv', good);
  chmodSync(left, 0);
  const input = { left, right: folder.write('right.csv', good), key: ['id'], out: folder.path('out') };
  const isRoot = process.geteuid?.() === 0;
  // Root may read anything: be nobody for a moment.
  if (isRoot) process.seteuid?.(65534);
  try {
    await expect(checkReconciliationInput(input)).rejects.toThrow(
      `${left}: expected a file that can be read, got permission denied. Check its rights.`,
    );
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
});

test('malformed rows are kept with their line and reason, counted, and the rest is reconciled', async () => {
  const folder = testFolder();
  const left = [
    'id,amount,note',
    '1,10,"two',
    'lines"',
    '2,20',
    '3,30,x,more',
    '4,40,"closed"badly',
    '5,50,"two',
    'lines"',
    '',
    '6,60',
    '7,70,"never closed',
  ];
  const summary = await reconcile({
    left: folder.write('left.csv', left.join('\r\n')),
    right: folder.write('right.csv', 'id,amount,note\n1,10,"two\r\nlines"\n5,51,"two\r\nlines"\n'),
    key: ['id'],
    out: folder.path('out'),
  });
  expect(summary).toMatchObject({
    left: 7,
    right: 2,
    matched: 1,
    mismatched: 1,
    rejected: { left: 5, right: 0 },
  });
  expect(folder.read('out/rejected.csv').trimEnd().split('\n')).toEqual([
    'side,line,reason,text',
    'left,4,"expected 3 columns, got 2","2,20"',
    'left,5,"expected 3 columns, got 4","3,30,x,more"',
    'left,6,"expected a closed quote, got text after one or the end of the file","4,40,""closed""badly"',
    'left,10,"expected 3 columns, got 2","6,60"',
    'left,11,"expected a closed quote, got text after one or the end of the file","7,70,""never closed"',
  ]);
});

test('the line of a malformed row is right after a byte order mark, in short rows, in long ones', async () => {
  const folder = testFolder();
  const long = 'x'.repeat(2_100_000);
  const summary = await reconcile({
    left: folder.write('left.csv', `\ufeffid,a\n1,b\n2\n3,c\n4,d,e\n5,${long}\n6,f\n7\n`),
    right: folder.write('right.csv', 'id,a\n1,b\n'),
    key: ['id'],
    out: folder.path('out'),
  });
  expect(summary).toMatchObject({ left: 7, matched: 1, onlyLeft: 2, rejected: { left: 4, right: 0 } });
  const lines = folder.read('out/rejected.csv').trimEnd().split('\n').slice(1);
  expect(lines.map((line) => line.slice(0, 12))).toEqual([
    'left,3,"expe',
    'left,5,"expe',
    'left,6,"expe',
    'left,8,"expe',
  ]);
});

const shape: [change: Record<string, unknown>, path: PropertyKey[], message: string][] = [
  [
    { left: undefined },
    ['left'],
    'expected the path of a CSV, JSON Lines or Parquet file, or the address of a table, got nothing',
  ],
  [
    { right: 7 },
    ['right'],
    'expected the path of a CSV, JSON Lines or Parquet file, or the address of a table, got 7',
  ],
  [
    { left: '-' },
    ['left'],
    'expected a file or a table (standard input is read by the command line only), got "-"',
  ],
  [
    { left: 'sqlite:shop.db' },
    ['left'],
    'expected a table or a query, such as sqlite:shop.db?table=orders or sqlite:shop.db?query=SELECT * FROM orders, got neither',
  ],
  [
    { map: { a: '' } },
    ['map'],
    'expected an object of names on the left and on the right, such as { amount: \'betrag\' }, got {"a":""}',
  ],
  [{ map: { a: 'x', b: 'x' } }, ['map'], 'expected each column of the right once, got {"a":"x","b":"x"}'],
  [{ csv: { delimiter: ';;' } }, ['csv', 'delimiter'], 'expected one character, such as ;, got ";;"'],
  [{ csv: { left: { header: 1 } } }, ['csv', 'left', 'header'], 'expected true or false, got 1'],
  [
    { csv: { encoding: 'klingon' } },
    ['csv', 'encoding'],
    'expected an encoding that TextDecoder knows, such as windows-1252, got "klingon"',
  ],
  [{ key: [] }, ['key'], 'expected a list of at least one column name, got []'],
  [{ key: 'id' }, ['key'], 'expected a list of at least one column name, got "id"'],
  [{ key: ['id', 'id'] }, ['key'], 'expected each column once, got ["id","id"]'],
  [{ compare: [1] }, ['compare'], 'expected a list of at least one column name, got [1]'],
  [{ ignore: {} }, ['ignore'], 'expected a list of column names, got {}'],
  [{ tolerance: 1 }, ['tolerance'], 'expected an object of column names and numbers, got 1'],
  [
    { tolerance: { amount: -1 } },
    ['tolerance', 'amount'],
    "expected a decimal number, 0 or more, such as 0.01, a percentage such as '0.1%', or a time such as '2 days', got -1",
  ],
  [
    { tolerance: { amount: 1e-7 } },
    ['tolerance', 'amount'],
    "expected a decimal number, 0 or more, such as 0.01, a percentage such as '0.1%', or a time such as '2 days', got 1e-7",
  ],
  [{ out: '' }, ['out'], 'expected the path of a folder for the reports, got ""'],
  [{ fresh: 'yes' }, ['fresh'], 'expected true or false, got "yes"'],
  [{ memory: '64MB' }, ['memory'], 'expected at least \'256MB\', got "64MB"'],
  [{ format: 'xlsx' }, ['format'], 'expected one of csv, jsonl, parquet, got "xlsx"'],
  [{ stopAfter: 0 }, ['stopAfter'], 'expected a whole number, 1 or more, got 0'],
  [
    { sample: '101%' },
    ['sample'],
    'expected a number of keys such as 1000, or a part of them such as \'5%\', got "101%"',
  ],
  [
    { sample: 0 },
    ['sample'],
    "expected a number of keys such as 1000, or a part of them such as '5%', got 0",
  ],
  [{ checkpoint: 1 }, ['checkpoint'], 'expected true or false, got 1'],
  [{ memory: '512' }, ['memory'], "expected an amount such as '512MB' or '2GB', got \"512\""],
  [
    { tolerence: {} },
    ['tolerence'],
    'expected no such field (the fields are left, right, map, csv, key, compare, ignore, types, tolerance, columns, duplicates, passes, rules, out, fresh, memory, format, stopAfter, sample, checkpoint), got {}',
  ],
];

for (const [change, path, message] of shape) {
  test(`the input ${JSON.stringify(change)} is refused: ${path.join('.')}`, async () => {
    const input = { left: 'a.csv', right: 'b.csv', key: ['id'], out: 'out', ...change };
    const outcome = await reconciliation.input!['~standard'].validate(input);
    expect(outcome.issues).toMatchObject([{ path, message }]);
    await expect(checkReconciliationInput(input as never)).rejects.toThrow(
      `${path.join('.')}: ${message}. Correct it and run again.`,
    );
  });
}
