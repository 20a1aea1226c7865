// A table or a query of a PostgreSQL server as a side: exact, in one snapshot, gone on with only while its rows are what they were, and
// with no password in anything that is said or kept. Without a server these are skipped, and that is said.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  checkReconciliationInput,
  type ReconciliationCheckpoint,
  type ReconciliationInput,
  shownSource,
} from '../../src/reconciliation/index.ts';
import { inspectSource } from '../../src/reconciliation/source.ts';
import {
  isPostgresThere,
  onServer,
  postgresUrl,
  removeSchemas,
  schemaOfItsOwn,
} from '../engines/postgresServer.ts';
import { Abandoned, reconcile } from './driver.ts';
import { type Folder, testFolder } from './folder.ts';

const isThere = await isPostgresThere();
if (!isThere)
  console.log(
    `not run: tables of PostgreSQL as sources, for want of a server at ${shownSource(postgresUrl)}`,
  );

async function schemaWith(sql: string): Promise<string> {
  const schema = schemaOfItsOwn();
  await onServer((client) => client.query(`CREATE SCHEMA ${schema}; SET search_path = ${schema}; ${sql}`));
  return schema;
}

const address = (asked: string, url = postgresUrl) => `${url}${url.includes('?') ? '&' : '?'}${asked}`;

describe.skipIf(!isThere)('a PostgreSQL source', () => {
  afterAll(removeSchemas);

  test('is compared exactly: numbers, NULL, empty and odd texts, bytes, times', async () => {
    const folder = testFolder();
    const schema = await schemaWith(`
      CREATE TABLE "Odd Name" (id bigint, amount numeric(10,2), free numeric, note text, raw bytea, at timestamptz, ok boolean, "t" date);
      INSERT INTO "Odd Name" VALUES
        (9007199254740993, 10.50, 1.230, '', '\\x00ff', '2025-01-01 12:00+02', true, '2025-01-31'),
        (2, NULL, NULL, E'a"b,c\\nd', NULL, NULL, false, NULL),
        (3, -0.01, 1e30, '\\.', '', '2025-01-01 00:00:00.123456+00', NULL, '2025-02-28');`);
    const summary = await compared(folder, {
      left: address(`table=${schema}.Odd Name`),
      right: folder.write(
        'right.csv',
        'id,amount,free,note,raw,at,ok,t\\n'.replace('\\n', '\n') +
          '9007199254740993,10.50,1.230,"",\\x00ff,2025-01-01 10:00:00+00,true,2025-01-31\n' +
          '2,,,"a""b,c\nd",,,false,\n' +
          '3,-0.01,1000000000000000000000000000000,\\.,\\x,2025-01-01 00:00:00.123456+00,,2025-02-28\n',
      ),
    });
    expect(folder.read('out/differences.csv')).toBe('id,column,left,right\n');
    expect(summary).toMatchObject({ left: 3, right: 3, matched: 3 });
  });

  test('a query, a table of one column that is NULL, an empty table, and a table against a table', async () => {
    const folder = testFolder();
    const schema = await schemaWith(`
      CREATE TABLE one (id integer); INSERT INTO one VALUES (1), (NULL);
      CREATE TABLE none (id integer);
      CREATE TABLE many AS SELECT i AS id, i * 2 AS twice FROM generate_series(1, 50000) i;`);
    expect(
      await compared(folder, {
        left: address(`table=${schema}.one`),
        right: address(`table=${schema}.none`),
      }),
    ).toMatchObject({ left: 2, right: 0, onlyLeft: 2 });
    expect(
      await compared(folder, {
        left: address(`query=SELECT id, twice FROM ${schema}.many WHERE id % 2 = 0 -- even ones`),
        right: address(`table=${schema}.many`),
      }),
    ).toMatchObject({ left: 25_000, right: 50_000, matched: 25_000, onlyRight: 25_000 });
  });

  test('a new run goes on while the rows are the same, whatever their order, and starts over when one changed', async () => {
    const folder = testFolder();
    const schema = await schemaWith(
      'CREATE TABLE t AS SELECT i AS id, i AS amount FROM generate_series(1, 1000) i',
    );
    const input = {
      left: address(`table=${schema}.t`),
      right: folder.write('right.csv', 'id,amount\n1,1\n'),
      key: ['id'],
      out: folder.path('out'),
    };
    const first = await abandoned(input);
    // Written again in another place of the table, with the same values.
    await onServer((client) => client.query(`UPDATE ${schema}.t SET amount = amount WHERE id < 10`));
    expect((await abandoned(input)).staging).toBe(first.staging);
    await onServer((client) => client.query(`UPDATE ${schema}.t SET amount = 0 WHERE id = 500`));
    const second = await abandoned(input);
    expect(second.staging).not.toBe(first.staging);
    // The job's own retry goes on with the rows that it read.
    await onServer((client) => client.query(`DELETE FROM ${schema}.t WHERE id = 500`));
    expect((await reconcile(input, { checkpoint: second })).staging).toBe(second.staging);
  });

  test('what cannot be read is told in a line', async () => {
    const folder = testFolder();
    const right = folder.write('right.csv', 'id\n1\n');
    const told = async (left: string) => {
      const input = { left, right, key: ['id'], out: folder.path('out') };
      return checkReconciliationInput(input).then(
        () => '',
        (error: Error) => error.message,
      );
    };
    expect(await told(address('table=no_such_table'))).toContain(
      'expected a table, got none of the name no_such_table.',
    );
    expect(await told(address('query=SELEC 1'))).toContain('got syntax error at or near');
    expect(await told(address('query=SELECT 1 AS id, 2 AS id'))).toContain('got "id" twice');
    expect(await told(address('query=DELETE FROM pg_class'))).toContain(
      'expected a table or a query that PostgreSQL can read',
    );
    expect(await told('postgres://127.0.0.1:1/none?table=t')).toContain(
      'expected a PostgreSQL server that can be reached',
    );
    expect(await told(postgresUrl)).toContain('expected a table or a query');
  });

  // On the wall clock: how soon the server is left alone is what it is about.
  test('a run that is asked to stop leaves no query on the server', async () => {
    const folder = testFolder();
    const stop = new AbortController();
    const marker = folder.path('x').replaceAll(/\W/g, '_');
    const input = {
      left: address(`query=SELECT 1 AS id, '${marker}' AS v FROM (SELECT pg_sleep(60)) s`),
      right: folder.write('right.csv', 'id\n1\n'),
      key: ['id'],
      out: folder.path('out'),
    };
    const running = () =>
      onServer(async (client) => {
        const found = await client.query(
          "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE $1 AND pid <> pg_backend_pid()",
          [`COPY%${marker}%`],
        );
        return found.rowCount === 1;
      });
    const reason = new Error('asked to stop');
    const run = expect(reconcile(input, { signal: stop.signal })).rejects.toBe(reason);
    await expect.poll(running, { timeout: 10_000 }).toBe(true);
    stop.abort(reason);
    await run;
    await expect.poll(running, { timeout: 10_000 }).toBe(false);
  });

  test('no password is in a message, a fingerprint or a file', async () => {
    const folder = testFolder();
    const schema = await schemaWith('CREATE TABLE t AS SELECT 1 AS id, 2 AS v');
    const url = new URL(postgresUrl);
    url.username ||= 'postgres';
    url.password = 's3cr3t-word';
    const input = {
      left: address(`table=${schema}.t`, url.href),
      right: folder.write('right.csv', 'id,v\n1,3\n'),
      key: ['id'],
      out: folder.path('out'),
    };
    const source = await inspectSource('left', { ...input, map: {}, csv: { left: {}, right: {} } });
    expect(JSON.stringify(source)).not.toContain('s3cr3t');
    const wrong = { ...input, left: `${input.left}x` };
    await expect(checkReconciliationInput(wrong)).rejects.not.toThrow('s3cr3t');
    await expect(checkReconciliationInput({ ...input, left: url.href })).rejects.not.toThrow('s3cr3t');
    await abandoned(input);
    const kept = readdirSync(folder.path('out'), { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    expect(kept.length).toBeGreaterThan(0);
    for (const { parentPath, name } of kept)
      expect(readFileSync(join(parentPath, name)).includes('s3cr3t'), name).toBe(false);
    process.env.UNSTUCK_TEST_PASSWORD = 's3cr3t-word';
    const named = input.left.replace('s3cr3t-word', '$' + '{UNSTUCK_TEST_PASSWORD}');
    expect(await reconcile({ ...input, left: named })).toMatchObject({ mismatched: 1 });
    delete process.env.UNSTUCK_TEST_PASSWORD;
  });
});

test.each([
  ['postgres://me:pass@host/db?table=t', 'postgres://me@host/db?table=t'],
  ['postgres://me:p@ss/w?rd#x@host/db?table=t', 'postgres://me@host/db?table=t'],
  [
    'postgresql://host/db?user=me&password=pass&query=SELECT 1',
    'postgresql://host/db?user=me&password=***&query=SELECT 1',
  ],
  ['postgres://host:5432/db?table=a@b', 'postgres://host:5432/db?table=a@b'],
  ['sqlite:a.db?query=SELECT 1\n  AS a', 'sqlite:a.db?query=SELECT 1 AS a'],
  ['sqlite:a.db?table=t', 'sqlite:a.db?table=t'],
  ['a:b@c.csv', 'a:b@c.csv'],
])('%s is shown as %s', (source, shown) => expect(shownSource(source)).toBe(shown));

async function compared(folder: Folder, sides: Pick<ReconciliationInput, 'left' | 'right'>) {
  const input = { ...sides, key: ['id'], out: folder.path('out') };
  await checkReconciliationInput(input);
  return reconcile(input);
}

/** Left after a chunk of its comparison. */
async function abandoned(input: ReconciliationInput): Promise<ReconciliationCheckpoint> {
  let last: ReconciliationCheckpoint | undefined;
  const run = reconcile(input, {
    onCheckpoint(checkpoint) {
      last = checkpoint;
      return checkpoint.done === 0;
    },
  });
  await expect(run).rejects.toThrow(Abandoned);
  return last!;
}
