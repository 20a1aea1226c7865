// A submit in the user's own transaction: the job is there if and only if it commits.

import pg from 'pg';
import { pino } from 'pino';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { defineJob, JobProcessor } from '../../src/index.ts';
import { isPostgresThere, onServer, postgresUrl, removeSchemas, schemaOfItsOwn } from './postgresServer.ts';

const jobs = {
  greet: defineJob({ run: (name: string) => `Hello ${name}`, limits: { concurrencyPerKey: 1 } }),
};
const keyed = { concurrencyKey: 'k' };

test('is refused by an engine that is on no database', async () => {
  await using processor = new JobProcessor({ engine: 'memory', jobs, logger: pino({ level: 'silent' }) });
  const transaction = { query: async () => ({ rows: [] }) };
  await expect(processor.submit('greet', 'Ada', { ...keyed, transaction })).rejects.toThrow(
    /transaction: expected an engine on PostgreSQL, .*got the engine memory/,
  );
  await expect(
    processor.submit('greet', 'Ada', { ...keyed, transaction: {} as typeof transaction }),
  ).rejects.toThrow(/transaction: expected a client of pg/);
});

describe.skipIf(!(await isPostgresThere()))(`on ${postgresUrl}`, () => {
  afterAll(removeSchemas);

  async function opened() {
    const schema = schemaOfItsOwn();
    const url = new URL(postgresUrl);
    url.searchParams.set('schema', schema);
    const processor = new JobProcessor({
      engine: url.href as `postgres://${string}`,
      jobs,
      logger: pino({ level: 'silent' }),
    });
    onTestFinished(() => processor.stop());
    await processor.start();
    const client = new pg.Client({ connectionString: postgresUrl });
    await client.connect();
    onTestFinished(() => client.end());
    await client.query(`CREATE TABLE ${schema}.users (name text)`);
    const users = async () =>
      (await onServer((other) => other.query(`SELECT name FROM ${schema}.users`))).rows.map(
        ({ name }) => name,
      );
    return { schema, processor, client, users };
  }

  test('a job is there when it commits, with what it has written, and runs at once', async () => {
    const { schema, processor, client, users } = await opened();
    await client.query('BEGIN');
    await client.query(`INSERT INTO ${schema}.users VALUES ('Ada')`);
    const job = await processor.submit('greet', 'Ada', { ...keyed, transaction: client });
    const [second] = await processor.submitMany('greet', ['Eve'], { ...keyed, transaction: client });
    await expect(job.status()).rejects.toThrow(/found none/);
    expect(await processor.counts()).toMatchObject({ queued: 0 });
    await client.query('COMMIT');
    expect(await job.result()).toBe('Hello Ada');
    expect(await second?.result()).toBe('Hello Eve');
    expect(await users()).toEqual(['Ada']);
  });

  test('a transaction that stays open keeps no other job of its key waiting', async () => {
    const { processor, client } = await opened();
    await client.query('BEGIN');
    const late = await processor.submit('greet', 'Ada', { ...keyed, transaction: client });
    for (const name of ['Eve', 'Bob'])
      expect(await (await processor.submit('greet', name, keyed)).result()).toBe(`Hello ${name}`);
    await client.query('COMMIT');
    expect(await late.result()).toBe('Hello Ada');
  });

  test('a job is not there when it rolls back, and others go on', async () => {
    const { schema, processor, client, users } = await opened();
    await client.query('BEGIN');
    await client.query(`INSERT INTO ${schema}.users VALUES ('Ada')`);
    const job = await processor.submit('greet', 'Ada', { ...keyed, transaction: client });
    await client.query('ROLLBACK');
    await expect(job.status()).rejects.toThrow(/found none/);
    expect(await (await processor.submit('greet', 'Eve', keyed)).result()).toBe('Hello Eve');
    expect(await users()).toEqual([]);
    expect(await processor.counts()).toMatchObject({ queued: 0, completed: 1 });
  });

  test('a client without a transaction is refused, and one on another database', async () => {
    const { processor, client } = await opened();
    await expect(processor.submit('greet', 'Ada', { ...keyed, transaction: client })).rejects.toThrow(
      /expected a client with a transaction open, got one without\. Send it BEGIN first/,
    );
    const elsewhere = new URL(postgresUrl);
    elsewhere.pathname = '/postgres';
    const other = new pg.Client({ connectionString: elsewhere.href });
    await other.connect();
    onTestFinished(() => other.end());
    await other.query('BEGIN');
    await expect(processor.submit('greet', 'Ada', { ...keyed, transaction: other })).rejects.toThrow(
      /expected a client on the database of the engine/,
    );
    expect(await processor.counts()).toMatchObject({ queued: 0 });
  });

  test('one whose process ended before it could tell of the commit is run all the same', async () => {
    const { schema, processor } = await opened();
    const url = new URL(postgresUrl);
    url.searchParams.set('schema', schema);
    const gone = new JobProcessor({
      engine: url.href as `postgres://${string}`,
      jobs,
      logger: pino({ level: 'silent' }),
    });
    const client = new pg.Client({ connectionString: postgresUrl });
    await client.connect();
    onTestFinished(() => client.end());
    await client.query('BEGIN');
    await gone.submit('greet', 'Ada', { ...keyed, transaction: client });
    await gone.stop();
    await client.query('COMMIT');
    // Nothing else happens here that would make it look.
    const last = performance.now() + 20_000;
    while ((await processor.counts()).completed === 0) {
      expect(performance.now()).toBeLessThan(last);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });
});
