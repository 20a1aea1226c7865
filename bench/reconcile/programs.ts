// What others compare two files with on a command line: sqlite3 and Miller, each doing the same comparison.

import type { Counts } from './files.ts';

export interface Program {
  /** As it is called; left out where it is not installed. */
  command: string;
  args: string[];
  /** What it is told on its standard input. */
  input: string;
  /** Beyond this many rows a side its memory would be the machine's. */
  rowsAtMost: number;
  /** Whether it found what stands in the files. */
  check(output: string, truth: Counts): boolean;
}

export function programs(left: string, right: string, out: string): Program[] {
  return [sqlite(left, right, out), miller(left, right)];
}

function sqlite(left: string, right: string, out: string): Program {
  const names = ['booked', 'amount', 'currency', 'counterparty', 'description'];
  const differs = names.map((name) => `l.${name} IS NOT r.${name}`).join(' OR ');
  const table = (name: string) =>
    `CREATE TABLE ${name} (id TEXT, ${names.map((column) => `${column} TEXT`).join(', ')});`;
  return {
    command: 'sqlite3',
    args: ['-batch', `${out}/compare.sqlite`],
    rowsAtMost: Infinity,
    input: `PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -2000000;
${table('l')} ${table('r')}
.import --csv --skip 1 ${left} l
.import --csv --skip 1 ${right} r
CREATE INDEX l_id ON l (id); CREATE INDEX r_id ON r (id);
CREATE TABLE twice AS SELECT id FROM l GROUP BY id HAVING count(*) > 1 UNION SELECT id FROM r GROUP BY id HAVING count(*) > 1;
CREATE INDEX twice_id ON twice (id);
DELETE FROM l WHERE id IN (SELECT id FROM twice);
CREATE TABLE counts (name TEXT, n INTEGER);
INSERT INTO counts VALUES ('duplicates', changes());
DELETE FROM r WHERE id IN (SELECT id FROM twice);
INSERT INTO counts VALUES ('duplicates', changes());
CREATE TABLE mismatched AS SELECT l.*, r.booked AS r_booked, r.amount AS r_amount, r.currency AS r_currency, r.counterparty AS r_counterparty, r.description AS r_description FROM l JOIN r USING (id) WHERE ${differs};
CREATE TABLE only_left AS SELECT * FROM l WHERE NOT EXISTS (SELECT 1 FROM r WHERE r.id = l.id);
CREATE TABLE only_right AS SELECT * FROM r WHERE NOT EXISTS (SELECT 1 FROM l WHERE l.id = r.id);
.mode csv
.headers off
.once ${out}/mismatched.csv
SELECT * FROM mismatched ORDER BY id;
.once ${out}/only-left.csv
SELECT * FROM only_left ORDER BY id;
.once ${out}/only-right.csv
SELECT * FROM only_right ORDER BY id;
SELECT 'counts', (SELECT count(*) FROM l), (SELECT count(*) FROM mismatched), (SELECT count(*) FROM only_left),
  (SELECT count(*) FROM only_right), (SELECT sum(n) FROM counts);
`,
    check(output, truth) {
      const [rows = 0, mismatched = 0, onlyLeft = 0, onlyRight = 0, duplicates = 0] =
        /^counts,(.*)$/m.exec(output)?.[1]?.split(',').map(Number) ?? [];
      return same(
        { matched: rows - mismatched - onlyLeft, mismatched, onlyLeft, onlyRight, duplicates },
        truth,
      );
    },
  };
}

/** It pairs each row of a key that stands twice with each of the other side, and writes no reports: it does less. */
function miller(left: string, right: string): Program {
  const names = ['booked', 'amount', 'currency', 'counterparty', 'description'];
  const differs = names.map((name) => `$left_${name} != $right_${name}`).join(' || ');
  const kind = `is_absent($left_booked) ? "unpaired" : (${differs}) ? "mismatched" : "matched"`;
  return {
    command: 'mlr',
    args: [
      ...[
        '--icsv',
        '--ojson',
        '-S',
        'join',
        '-j',
        'id',
        '--lp',
        'left_',
        '--rp',
        'right_',
        '--ul',
        '--ur',
        '-f',
        left,
      ],
      ...['then', 'put', `$kind = ${kind}`, 'then', 'count-distinct', '-f', 'kind', right],
    ],
    input: '',
    rowsAtMost: 1_000_000,
    check(output, truth) {
      const found = Object.fromEntries(
        JSON.parse(output).map((row: Record<string, unknown>) => [row.kind, row.count]),
      );
      // Of the three rows of such a key one pair is equal and one is not.
      const pairs = truth.duplicates / 3;
      return same(found, {
        matched: truth.matched + pairs,
        mismatched: truth.mismatched + pairs,
        unpaired: truth.onlyLeft + truth.onlyRight,
      });
    },
  };
}

function same(found: object, truth: object): boolean {
  const entries = (counts: object) => JSON.stringify(Object.entries(counts).sort());
  return entries(found) === entries(truth);
}
