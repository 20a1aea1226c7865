// A chunk's own SQL and its checkpoint in one transaction: what becomes of both, on a real server, when its code fails, its attempt is
// no longer the job's own, another transaction is in its way, or its connection is lost. Processes that are really killed: killed.test.ts.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { pino } from 'pino';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/actors/systemClock.ts';
import type { Engine } from '../../src/engines/engine.ts';
import { Connections } from '../../src/engines/postgres/connections.ts';
import { PostgresEngine } from '../../src/engines/postgres/postgres.ts';
import { defineChunkedJob, JobProcessor, type JobSettings } from '../../src/index.ts';
import type { Verdict } from '../../src/machines/verdict.ts';
import { ChunkTransaction } from '../../src/postgres/chunkTransaction.ts';
import {
  type ChunkWork,
  inTransaction,
  type Sql,
  type TransactionOptions,
} from '../../src/postgres/index.ts';
import {
  isPostgresThere,
  onServer,
  postgresUrl,
  removeSchemas,
  schemaOfItsOwn,
} from '../engines/postgresServer.ts';
import { capturedLog } from '../support/capturedLog.ts';
import { wait } from '../support/spawnedHost.ts';

/** What docs/postgres.md says that a role needs. */
const grants =
  readFileSync(new URL('../../docs/postgres.md', import.meta.url), 'utf8').match(/^GRANT .* TO teller;$/gm) ??
  [];

/** On a busy machine too. */
const soon = { timeout: 20_000 };

type Work = ChunkWork<{ items: number }, number, number>;

describe.skipIf(!(await isPostgresThere()))(`on ${postgresUrl}`, () => {
  afterAll(removeSchemas);

  /** A processor with a job `pay`: one item a chunk, `work` in a transaction. Runs inline unless said. */
  async function opened(
    work: (place: { schema: string; engine: string }) => Work,
    options: TransactionOptions = {},
    settings: JobSettings = {},
  ) {
    const schema = schemaOfItsOwn();
    const place = new URL(postgresUrl);
    place.searchParams.set('schema', schema);
    const engine = place.href as `postgres://${string}`;
    const log = capturedLog();
    const failures: unknown[] = [];
    const run: ReturnType<typeof inTransaction<{ items: number }, number, number>> = (chunk, context) =>
      inTransaction(work({ schema, engine }), { ...options, url: options.url ?? engine })(chunk, context);
    const pay = defineChunkedJob({
      start: 0,
      total: ({ items }: { items: number }) => items,
      *chunks({ items }, { checkpoint }) {
        for (let item = checkpoint; item < items; item += 1) yield [item];
      },
      process: (chunk, context) =>
        run(chunk, context).catch((error) => {
          failures.push(error);
          throw error;
        }),
      ...settings,
    });
    const processor = new JobProcessor({ engine, jobs: { pay }, logger: log.logger, graceSeconds: 2 });
    onTestFinished(() => processor.stop());
    await processor.start();
    await onServer((client) =>
      client.query(`CREATE TABLE ${schema}.ledger (job text, item int, attempt int)`),
    );
    const ledger = async (): Promise<number[]> =>
      (await onServer((client) => client.query(`SELECT item FROM ${schema}.ledger ORDER BY item`))).rows.map(
        ({ item }) => item,
      );
    return { processor, pay, schema, engine, log, failures, ledger };
  }

  const insert = (sql: Sql, schema: string, job: string, item: number | undefined) =>
    sql.query(`INSERT INTO ${schema}.ledger VALUES ($1, $2, 1)`, [job, item]);

  const plain =
    ({ schema }: { schema: string }): Work =>
    async ([item = 0], { jobId, append }, sql) => {
      await insert(sql, schema, jobId, item);
      append({ item });
      return item + 1;
    };

  async function rowsOf(job: { rows<T>(): AsyncIterable<T> }): Promise<unknown[]> {
    const rows = [];
    for await (const row of job.rows()) rows.push(row);
    return rows;
  }

  test('each chunk is there once: its SQL, its rows, its items; and each is told, here and elsewhere', async () => {
    const { processor, engine, ledger } = await opened(plain);
    const elsewhere = new JobProcessor({ engine, jobs: {}, logger: pino({ level: 'silent' }) });
    onTestFinished(() => elsewhere.stop());
    const heard = new Set<number>();
    processor.on('progress', ({ progress }) => heard.add(progress.chunks));
    const job = await processor.submit('pay', { items: 3 });
    const seen: number[] = [];
    for await (const { progress } of (await elsewhere.get(job.id)).updates()) seen.push(progress.items);
    expect(await job.result()).toBe(3);
    expect(await ledger()).toEqual([0, 1, 2]);
    expect(await rowsOf(job)).toEqual([{ item: 0 }, { item: 1 }, { item: 2 }]);
    expect((await job.status()).progress).toMatchObject({ chunks: 3, items: 3, total: 3 });
    expect([...heard]).toEqual([1, 2, 3]);
    expect(seen.at(-1)).toBe(3);
  });

  test('a chunk that its own transaction has stored is told to those who watch, by the write that changes nothing', async () => {
    const reached = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const { processor, engine } = await opened(({ schema }) => async (chunk, context, sql) => {
      if (chunk[0] === 1) {
        reached.resolve();
        await goOn.promise;
      }
      return plain({ schema })(chunk, context, sql);
    });
    const told: string[] = [];
    const other = new PostgresEngine({ url: engine });
    await other.open(systemClock);
    onTestFinished(() => other.close());
    other.watch({ changed: (id, state) => told.push(`${id} ${state}`), missed() {} });
    const job = await processor.submit('pay', { items: 2 });
    await reached.promise;
    // Submitted, begun, and the first chunk.
    await expect
      .poll(() => told, soon)
      .toEqual([`${job.id} queued`, `${job.id} running`, `${job.id} running`]);
    goOn.resolve();
    await job.result();
  });

  test('what throws is rolled back, and its connection is used again', async () => {
    const pids: number[] = [];
    const { processor, ledger } = await opened(
      ({ schema }) =>
        async ([item = 0], { jobId, attempt, append }, sql) => {
          pids.push((await sql.query('SELECT pg_backend_pid() AS pid')).rows[0].pid);
          await insert(sql, schema, jobId, item);
          append({ item, attempt });
          if (item === 1 && attempt === 1) throw new Error('no such account');
          return item + 1;
        },
      {},
      { retry: { maxAttempts: 2 } },
    );
    const job = await processor.submit('pay', { items: 3 });
    expect(await job.result()).toBe(3);
    expect(await ledger()).toEqual([0, 1, 2]);
    expect(await rowsOf(job)).toEqual([
      { item: 0, attempt: 1 },
      { item: 1, attempt: 2 },
      { item: 2, attempt: 2 },
    ]);
    expect(new Set(pids).size).toBe(1);
  });

  test('a checkpoint that is none rolls back what was written', async () => {
    const { processor, ledger } = await opened(({ schema }) => async ([item], { jobId }, sql) => {
      await insert(sql, schema, jobId, item);
      return Number.NaN;
    });
    const job = await processor.submit('pay', { items: 1 });
    await expect(job.result()).rejects.toThrow('checkpoint: expected JSON, got NaN.');
    expect(await ledger()).toEqual([]);
  });

  /** Another takes the job from whoever has it, and hands it back to the queue. */
  async function takeOver(engine: Engine, id: string): Promise<void> {
    const token = (await engine.get(id))?.token as string;
    const adopted = await engine.adopt(id, token, 'other', 10_000);
    const handedBack = {
      state: 'queued',
      timeout: null,
      reason: 'taken',
      failure: null,
      result: null,
      stop: null,
    };
    await engine.settle(id, adopted, {
      ...handedBack,
      notBefore: null,
      crashed: false,
      neverBegan: false,
    } as unknown as Verdict);
  }

  test('an attempt that lives beside its successor commits nothing', async () => {
    const reached = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    let runs = 0;
    const { processor, engine, ledger, pay, failures } = await opened(
      ({ schema }) =>
        async ([item = 0], { jobId }, sql) => {
          await insert(sql, schema, jobId, item);
          runs += 1;
          if (runs === 1) {
            reached.resolve();
            await goOn.promise;
          }
          return item + 1;
        },
    );
    const job = await processor.submit('pay', { items: 2 });
    await reached.promise;
    await processor.pause('pay');
    const other = new PostgresEngine({ url: engine });
    await other.open(systemClock);
    onTestFinished(() => other.close());
    await takeOver(other, job.id);
    await processor.resume('pay');
    const successor = new JobProcessor({ engine, jobs: { pay }, logger: pino({ level: 'silent' }) });
    onTestFinished(() => successor.stop());
    await successor.start();
    expect(await job.result()).toBe(2);
    expect(await ledger()).toEqual([0, 1]);
    goOn.resolve();
    await expect
      .poll(() => failures, soon)
      .toEqual([expect.objectContaining({ code: 'ERR_UNSTUCK_STALE_ATTEMPT', write: 'checkpoint' })]);
    expect(await ledger()).toEqual([0, 1]);
    expect(runs).toBe(3);
  });

  test('an attempt whose job was taken from it between two chunks does not begin the next', async () => {
    const { processor, engine, failures, ledger } = await opened(
      ({ schema }) =>
        async ([item = 0], { jobId }, sql) => {
          await insert(sql, schema, jobId, item);
          return item + 1;
        },
    );
    await processor.pause('pay');
    const other = new PostgresEngine({ url: engine });
    await other.open(systemClock);
    onTestFinished(() => other.close());
    // Its host is not told of the first chunk before the job is another's.
    const job = await processor.submit('pay', { items: 500 });
    await processor.resume('pay');
    await expect.poll(async () => (await other.get(job.id))?.chunks, soon).toBeGreaterThan(0);
    await processor.pause('pay');
    await takeOver(other, job.id);
    await expect.poll(() => processor.activeJobs.size, soon).toBe(0);
    const { chunks, checkpoint } = (await other.get(job.id))!;
    expect(checkpoint).toBe(String(chunks));
    expect(await ledger()).toEqual(Array.from({ length: chunks }, (_, item) => item));
    for (const error of failures) expect(error).toMatchObject({ code: 'ERR_UNSTUCK_STALE_ATTEMPT' });
  });

  test('whose attempt is no longer the current one, its code is not even run', async () => {
    const { processor, engine, schema } = await opened(plain);
    await processor.pause('pay');
    const job = await processor.submit('pay', { items: 1 });
    const connections = new Connections({
      url: engine,
      schema,
      maxConnections: 1,
      durability: 'full',
      now: null,
    });
    await connections.open();
    onTestFinished(() => connections.close());
    await connections.use(async (client) => {
      const holder = { jobId: job.id, token: 'stale', signal: new AbortController().signal };
      const transaction = new ChunkTransaction(
        { connections, schema, idleTimeoutSeconds: 5 },
        client,
        holder,
      );
      await expect(transaction.begin()).rejects.toMatchObject({
        code: 'ERR_UNSTUCK_STALE_ATTEMPT',
        write: 'chunk',
      });
      await expect(transaction.sql.query('SELECT 1')).rejects.toThrow('query: the chunk is over.');
      expect(await transaction.rollback()).toBe(true);
      transaction.leave();
    });
  });

  describe("the end of the transaction is not the code's to say", () => {
    test.each(['COMMIT', 'rollback', 'DO $$ BEGIN COMMIT; END $$', 'SELECT 1; COMMIT'])(
      '%s',
      async (text) => {
        const { processor, failures, ledger } = await opened(
          ({ schema }) =>
            async ([item = 0], { jobId }, sql) => {
              await insert(sql, schema, jobId, item);
              await sql.query(text);
              return item + 1;
            },
        );
        const job = await processor.submit('pay', { items: 1 });
        await expect(job.result()).rejects.toThrow();
        expect(failures).toEqual([
          expect.objectContaining({
            message: expect.stringMatching(
              /expected a statement within the chunk's transaction, got (COMMIT|ROLLBACK)|invalid transaction termination|cannot insert multiple commands/,
            ),
          }),
        ]);
        expect(await ledger()).toEqual([]);
        expect((await job.status()).progress.chunks).toBe(0);
      },
    );

    test('should something have ended it after all, no checkpoint is stored outside of it', async () => {
      const { processor, engine, schema, ledger } = await opened(() => async (_, { signal }) => {
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
        return 0;
      });
      const job = await processor.submit('pay', { items: 1 });
      const other = new PostgresEngine({ url: engine });
      await other.open(systemClock);
      onTestFinished(() => other.close());
      await expect.poll(async () => (await other.get(job.id))?.token, soon).toBeTypeOf('string');
      const token = (await other.get(job.id))?.token as string;
      const connections = new Connections({
        url: engine,
        schema,
        maxConnections: 1,
        durability: 'full',
        now: null,
      });
      await connections.open();
      onTestFinished(() => connections.close());
      await connections.use(async (client) => {
        const { signal } = new AbortController();
        const transaction = new ChunkTransaction({ connections, schema, idleTimeoutSeconds: 5 }, client, {
          jobId: job.id,
          token,
          signal,
        });
        await transaction.begin();
        await transaction.run(async (sql) => {
          await insert(sql, schema, job.id, 7);
          await client.query('COMMIT');
        });
        const write = { id: job.id, token, chunk: 1, checkpoint: '1', rows: [], items: 1, total: null };
        await expect(transaction.store(write, () => expect.unreachable())).rejects.toThrow(
          'chunk 1: expected its transaction to be open, found another.',
        );
        transaction.leave();
      });
      expect(await ledger()).toEqual([7]);
      expect(await other.get(job.id)).toMatchObject({ chunks: 0, checkpoint: null });
    });

    test('savepoints are', async () => {
      const { processor, ledger } = await opened(({ schema }) => async ([item = 0], { jobId }, sql) => {
        await insert(sql, schema, jobId, item);
        await sql.query('SAVEPOINT here');
        await sql.query('SELECT 1 / 0').catch(() => {});
        await sql.query('ROLLBACK TO SAVEPOINT here');
        return item + 1;
      });
      const job = await processor.submit('pay', { items: 1 });
      expect(await job.result()).toBe(1);
      expect(await ledger()).toEqual([0]);
    });
  });

  test('a statement that failed and was caught voids the chunk, and it is said how to go on', async () => {
    const { processor, ledger } = await opened(({ schema }) => async ([item = 0], { jobId }, sql) => {
      await insert(sql, schema, jobId, item);
      await sql.query('SELECT 1 / 0').catch(() => {});
      return item + 1;
    });
    const job = await processor.submit('pay', { items: 1 });
    await expect(job.result()).rejects.toThrow(/one has failed and was caught.*SAVEPOINT/);
    expect(await ledger()).toEqual([]);
  });

  test('what is not awaited belongs to the chunk; what comes after it does not', async () => {
    let late: Sql | undefined;
    const { processor, ledger } = await opened(({ schema }) => async ([item = 0], { jobId }, sql) => {
      void sql.query('SELECT pg_sleep(0.05)');
      void insert(sql, schema, jobId, item);
      late = sql;
      return item + 1;
    });
    const job = await processor.submit('pay', { items: 2 });
    expect(await job.result()).toBe(2);
    expect(await ledger()).toEqual([0, 1]);
    await expect(late?.query('SELECT 1')).rejects.toThrow('query: the chunk is over.');
  });

  test('one that is not awaited and fails, fails the chunk', async () => {
    const { processor, ledger } = await opened(({ schema }) => async ([item = 0], { jobId }, sql) => {
      await insert(sql, schema, jobId, item);
      sql.query('SELECT 1 / 0');
      return item + 1;
    });
    const job = await processor.submit('pay', { items: 1 });
    await expect(job.result()).rejects.toThrow('division by zero');
    expect(await ledger()).toEqual([]);
  });

  test('values come as pg reads them, and statements may be on their way together', async () => {
    const seen: unknown[] = [];
    const { processor } = await opened(() => async ([item = 0], _, sql) => {
      const [big, pair] = await Promise.all([
        sql.query<{ big: string }>('SELECT $1::int8 AS big', ['9007199254740993']),
        sql.query<[number, string]>({ text: 'SELECT $1::int, $2::text', values: [1, 'a'], rowMode: 'array' }),
      ]);
      seen.push(big.rows, pair.rows, pair.rowCount, pair.command);
      return item + 1;
    });
    await (await processor.submit('pay', { items: 1 })).result();
    expect(seen).toEqual([[{ big: '9007199254740993' }], [[1, 'a']], 1, 'SELECT']);
  });

  test('deferred constraints are checked before the row of the job is locked', async () => {
    const { processor, schema, ledger } = await opened(({ schema }) => async ([item = 0], { jobId }, sql) => {
      await insert(sql, schema, jobId, item);
      await sql.query(`INSERT INTO ${schema}.notes VALUES (1)`);
      return item + 1;
    });
    await onServer((client) =>
      client.query(
        `CREATE TABLE ${schema}.accounts (id int PRIMARY KEY); CREATE TABLE ${schema}.notes (account int REFERENCES ${schema}.accounts DEFERRABLE INITIALLY DEFERRED)`,
      ),
    );
    const job = await processor.submit('pay', { items: 1 });
    await expect(job.result()).rejects.toThrow(/violates foreign key constraint/);
    expect(await ledger()).toEqual([]);
  });

  test('however long they take: a heartbeat is stored meanwhile', async () => {
    const begun = Promise.withResolvers<number>();
    const { processor, schema, ledger } = await opened(({ schema }) => async ([item = 0], { jobId }, sql) => {
      await insert(sql, schema, jobId, item);
      begun.resolve((await sql.query('SELECT pg_backend_pid() AS pid')).rows[0].pid);
      return item + 1;
    });
    await onServer((client) =>
      client.query(`
        CREATE FUNCTION ${schema}.slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1); RETURN NULL; END';
        CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON ${schema}.ledger DEFERRABLE INITIALLY DEFERRED
          FOR EACH ROW EXECUTE FUNCTION ${schema}.slow()`),
    );
    const job = await processor.submit('pay', { items: 1 });
    const pid = await begun.promise;
    await onServer(async (client) => {
      const asleep = () =>
        client.query(`SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'`, [pid]);
      await expect.poll(async () => (await asleep()).rowCount, { interval: 5, ...soon }).toBe(1);
      const free = await client.query(`SELECT FROM ${schema}.jobs WHERE id = $1 FOR UPDATE SKIP LOCKED`, [
        job.id,
      ]);
      expect(free.rowCount).toBe(1);
      expect((await asleep()).rowCount).toBe(1);
    });
    expect(await job.result()).toBe(1);
    expect(await ledger()).toEqual([0]);
  });

  test('a transaction that idles too long is ended by the server; the attempt fails and says what to do', async () => {
    const { processor, ledger, failures } = await opened(
      ({ schema }) =>
        async ([item = 0], { jobId, attempt }, sql) => {
          await insert(sql, schema, jobId, item);
          if (attempt === 1) await wait(600);
          return item + 1;
        },
      { idleTimeoutSeconds: 0.2 },
      { retry: { maxAttempts: 2 } },
    );
    const job = await processor.submit('pay', { items: 1 });
    expect(await job.result()).toBe(1);
    expect(failures).toEqual([
      expect.objectContaining({
        code: 'ERR_UNSTUCK_ENGINE',
        message: expect.stringMatching(/expected less than 0.2 s between two statements.*idleTimeoutSeconds/),
      }),
    ]);
    expect(await ledger()).toEqual([0]);
  });

  test('a connection that is ended in the middle costs the chunk another try, and no attempt', async () => {
    let runs = 0;
    const { processor, ledger, log } = await opened(
      ({ schema }) =>
        async ([item = 0], { jobId, append }, sql) => {
          runs += 1;
          await insert(sql, schema, jobId, item);
          append({ item });
          if (runs === 2) {
            const { rows } = await sql.query('SELECT pg_backend_pid() AS pid');
            await onServer((client) => client.query('SELECT pg_terminate_backend($1)', [rows[0].pid]));
            await wait(50);
          }
          return item + 1;
        },
    );
    const job = await processor.submit('pay', { items: 3 });
    expect(await job.result()).toBe(3);
    expect(runs).toBe(4);
    expect(await ledger()).toEqual([0, 1, 2]);
    expect(await rowsOf(job)).toEqual([{ item: 0 }, { item: 1 }, { item: 2 }]);
    expect((await job.status()).attempt).toBe(1);
    expect(log.lines.filter((line) => line.includes('its transaction is begun anew'))).toHaveLength(1);
  });

  describe('a connection that is lost at the commit', () => {
    /**
     * A way to the server that is cut at the n-th COMMIT: before the server reads it; before its answer comes; or so that the server
     * reads it long after.
     */
    async function cut(at: number, when: 'before' | 'after' | 'long before') {
      const { hostname, port } = new URL(postgresUrl);
      let commits = 0;
      const proxy = createServer((near) => {
        const far = connect(Number(port || 5432), hostname);
        let isDeaf = false;
        let late: NodeJS.Timeout | undefined;
        near.on('data', (data) => {
          if (data.includes('COMMIT\0')) commits += 1;
          else return far.write(data);
          if (commits !== at) return far.write(data);
          if (when === 'before') return near.destroy();
          isDeaf = true;
          if (when === 'after') return far.write(data);
          late = setTimeout(() => far.write(data), 2000);
          return near.destroy();
        });
        far.on('data', (data) => (isDeaf ? near.destroy() : near.write(data)));
        for (const [one, other] of [
          [near, far],
          [far, near],
        ] as const) {
          one.on('error', () => {});
          one.on('close', () => late === undefined && other.destroy());
        }
      }).listen(0, '127.0.0.1');
      await once(proxy, 'listening');
      onTestFinished(() => void proxy.close());
      const url = new URL(postgresUrl);
      url.host = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
      return url;
    }

    test.each([
      ['before', 4],
      ['after', 3],
      ['long before', 3],
    ] as const)('%s it was read: there once', async (when, runs) => {
      const url = await cut(2, when);
      let ran = 0;
      let schemaHere = '';
      const { processor, schema, ledger } = await opened(
        ({ schema }) =>
          async ([item = 0], { jobId, append }, sql) => {
            ran += 1;
            await insert(sql, schema, jobId, item);
            append({ item, ran });
            return item + 1;
          },
        {
          get url() {
            return `${url.href}?schema=${schemaHere}`;
          },
        },
      );
      schemaHere = schema;
      const job = await processor.submit('pay', { items: 3 });
      expect(await job.result()).toBe(3);
      expect(ran).toBe(runs);
      expect(await ledger()).toEqual([0, 1, 2]);
      expect(await rowsOf(job)).toEqual([
        { item: 0, ran: 1 },
        { item: 1, ran: runs - 1 },
        { item: 2, ran: runs },
      ]);
    });
  });

  test("two chunks that are in each other's way both come through", async () => {
    const both = Promise.withResolvers<void>();
    let at = 0;
    let firstJob: string | undefined;
    const { processor, schema, log } = await opened(
      ({ schema }) =>
        async ([item = 0], { jobId, append }, sql) => {
          firstJob ??= jobId;
          const [first, second] = jobId === firstJob ? [1, 2] : [2, 1];
          await sql.query(`UPDATE ${schema}.accounts SET sum = sum + 1 WHERE id = $1`, [first]);
          append({ item });
          at += 1;
          if (at === 2) both.resolve();
          await both.promise;
          await sql.query(`UPDATE ${schema}.accounts SET sum = sum + 1 WHERE id = $1`, [second]);
          return item + 1;
        },
    );
    await onServer((client) =>
      client.query(
        `CREATE TABLE ${schema}.accounts (id int, sum int); INSERT INTO ${schema}.accounts VALUES (1, 0), (2, 0)`,
      ),
    );
    const jobs = await Promise.all([1, 2].map(() => processor.submit('pay', { items: 1 })));
    await Promise.all(jobs.map((job) => job.result()));
    const { rows } = await onServer((client) => client.query(`SELECT sum FROM ${schema}.accounts`));
    expect(rows).toEqual([{ sum: 2 }, { sum: 2 }]);
    expect((await Promise.all(jobs.map(rowsOf))).flat()).toEqual([{ item: 0 }, { item: 0 }]);
    expect(log.lines.filter((line) => line.includes('begun anew: deadlock detected'))).toHaveLength(1);
  });

  test('that never ends: ten tries, and the attempt fails with what was said last', async () => {
    let ran = 0;
    const { processor, ledger } = await opened(({ schema }) => async ([item = 0], { jobId }, sql) => {
      await insert(sql, schema, jobId, item);
      ran += 1;
      const cause = Object.assign(new Error('could not serialize access'), { code: '40001' });
      throw new Error(`try ${ran}`, { cause });
    });
    const job = await processor.submit('pay', { items: 1 });
    await expect(job.result()).rejects.toThrow('try 10');
    expect(ran).toBe(10);
    expect(await ledger()).toEqual([]);
  });

  // The second takes as long as a connection is waited for, 5 s.
  test.each([
    ['is not there', 'nothing answers there. Is PostgreSQL running'],
    ['does not answer', 'timeout'],
  ])('a server that %s for a moment is waited for', async (how, said) => {
    let isSilent = how === 'does not answer';
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as AddressInfo;
    probe.close();
    const { hostname, port: there } = new URL(postgresUrl);
    const sockets = new Set<Socket>();
    const back = createServer((near) => {
      sockets.add(near.on('error', () => {}));
      if (isSilent) return;
      const far = connect(Number(there || 5432), hostname);
      sockets.add(far.on('error', () => {}));
      near.pipe(far).pipe(near);
    });
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      back.close();
    });
    const url = new URL(postgresUrl);
    url.host = `127.0.0.1:${port}`;
    let schemaHere = '';
    const { processor, schema, log, ledger } = await opened(plain, {
      get url() {
        return `${url.href}?schema=${schemaHere}`;
      },
    });
    schemaHere = schema;
    const job = await processor.submit('pay', { items: 1 });
    if (isSilent) back.listen(port, '127.0.0.1');
    await expect.poll(() => log.lines.join('\n'), soon).toContain('begun anew');
    isSilent = false;
    if (!back.listening) back.listen(port, '127.0.0.1');
    expect(await job.result()).toBe(1);
    expect(await ledger()).toEqual([0]);
    expect(log.lines.join('\n')).toMatch(new RegExp(`begun anew: .*${said}`));
  });

  test("another connection's end, or error, is the chunk's own matter", async () => {
    const { processor, failures } = await opened(() => async () => {
      throw Object.assign(new Error('elsewhere'), { severity: 'FATAL', code: '57P01' });
    });
    await expect((await processor.submit('pay', { items: 1 })).result()).rejects.toThrow('elsewhere');
    expect(failures).toHaveLength(1);
  });

  test('a stop cancels the statement under way, and sends no other', async () => {
    const begun = Promise.withResolvers<number>();
    const after: unknown[] = [];
    const { processor, ledger } = await opened(({ schema }) => async ([item = 0], { jobId }, sql) => {
      await insert(sql, schema, jobId, item);
      begun.resolve((await sql.query('SELECT pg_backend_pid() AS pid')).rows[0].pid);
      await sql.query('SELECT pg_sleep(1000)').catch((error) => after.push(error.name));
      await sql.query('SELECT 1').catch((error) => after.push(error.name));
      return item + 1;
    });
    const job = await processor.submit('pay', { items: 1 });
    const pid = await begun.promise;
    await wait(50);
    const { state, stop } = await job.cancel('enough');
    expect(state).toBe('cancelled');
    expect(stop).toMatchObject({ confirmed: true, rung: 'grace' });
    expect(after).toEqual(['AbortError', 'AbortError']);
    expect(await ledger()).toEqual([]);
    const { rows } = await onServer((client) =>
      client.query(`SELECT query FROM pg_stat_activity WHERE pid = $1 AND state = 'active'`, [pid]),
    );
    expect(rows).toEqual([]);
  });

  test('on another engine, or in another schema, it is said what is wrong', async () => {
    const { processor, failures, engine } = await opened(plain, { url: `${postgresUrl}?schema=nowhere` });
    const job = await processor.submit('pay', { items: 1 });
    await expect(job.result()).rejects.toThrow(
      new RegExp(
        `expected job ${job.id} in schema nowhere, found none. inTransaction\\(\\) needs the database`,
      ),
    );
    expect(failures).toEqual([expect.objectContaining({ code: 'ERR_UNSTUCK_ENGINE' })]);
    const elsewhere = await opened(plain, { url: engine });
    await expect((await elsewhere.processor.submit('pay', { items: 1 })).result()).rejects.toThrow(
      'found none',
    );
  });

  test('called twice a chunk it is refused, and the first stays', async () => {
    let run: ReturnType<typeof inTransaction<{ items: number }, number, number>>;
    const { processor, ledger, engine, schema } = await opened(plain);
    run = inTransaction(plain({ schema }), { url: engine });
    const twice = defineChunkedJob({
      start: 0,
      chunks: () => [[0]],
      async process(chunk: number[], context) {
        await run(chunk, context as never);
        return run(chunk, context as never);
      },
    });
    const other = new JobProcessor({ engine, jobs: { twice }, logger: pino({ level: 'silent' }) });
    onTestFinished(() => other.stop());
    await other.start();
    await expect((await other.submit('twice', null)).result()).rejects.toThrow(
      'chunk 1: expected one transaction, got another',
    );
    expect(await ledger()).toEqual([0]);
    await processor.drain();
  });

  test("a role of the job's own needs two tables of ours", async () => {
    const role = `unstuck_role_${Math.random().toString(36).slice(2, 10)}`;
    let own = '';
    const { processor, schema, ledger } = await opened(plain, {
      get url() {
        return own;
      },
    });
    const url = new URL(postgresUrl);
    url.username = role;
    url.searchParams.set('schema', schema);
    own = url.href;
    await onServer((client) =>
      client.query(`CREATE ROLE ${role} LOGIN; GRANT INSERT ON ${schema}.ledger TO ${role}`),
    );
    onTestFinished(() =>
      onServer((client) => client.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`)).then(() => {}),
    );
    await expect((await processor.submit('pay', { items: 1 })).result()).rejects.toThrow(
      'this role may not do that',
    );
    expect(grants).toHaveLength(3);
    const here = grants
      .join('\n')
      .replaceAll(/\bunstuck\b/g, schema)
      .replaceAll('teller', role);
    await onServer((client) => client.query(here));
    const job = await processor.submit('pay', { items: 2 });
    expect(await job.result()).toBe(2);
    expect(await ledger()).toEqual([0, 1]);
    expect(await rowsOf(job)).toEqual([{ item: 0 }, { item: 1 }]);
  });
});

describe('what cannot be used is refused', () => {
  const process = async () => 0;

  test.each([
    ['process', () => inTransaction(undefined as never)],
    ['url', () => inTransaction(process, { url: 'sqlite:jobs.db' })],
    ['idleTimeoutSeconds', () => inTransaction(process, { idleTimeoutSeconds: 0 })],
    ['idleTimeoutSeconds', () => inTransaction(process, { idleTimeoutSeconds: Number.NaN })],
  ])('%s', (field, make) => {
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_UNSTUCK_CONFIGURATION', field }));
  });

  test('a password does not get into the error', () => {
    expect(() => inTransaction(process, { url: 'mysql://ada:secret@db/app' })).toThrow(
      'got "mysql://ada:…@db/app"',
    );
  });

  test('a context that no attempt has given', async () => {
    await expect(inTransaction(process)([], {} as never)).rejects.toThrow('In a test call your own function');
  });

  test('on an engine that is no database it is said which variable names one', async () => {
    const job = defineChunkedJob({ start: 0, chunks: () => [[1]], process: inTransaction(process) });
    await using processor = new JobProcessor({
      engine: 'memory',
      jobs: { job },
      logger: pino({ level: 'silent' }),
    });
    await processor.start();
    await expect((await processor.submit('job', null)).result()).rejects.toThrow(
      'UNSTUCK_ENGINE: expected postgres://user@host/database, got nothing',
    );
  });
});
