// Exactly once a chunk, with real processes that are really killed: the job's own before its SQL, between SQL and commit, and after the
// commit before its host heard of it, as a seed says (SEED=…, printed); its host; and what the server does for a process that is gone.

import { afterAll, describe, expect, type TestContext, test } from 'vitest';
import { JobProcessor } from '../../src/index.ts';
import {
  isPostgresThere,
  onServer,
  postgresUrl,
  removeSchemas,
  schemaOfItsOwn,
} from '../engines/postgresServer.ts';
import hanging from '../fixtures/hangingInSql.ts';
import transferring, { type TransferringInput } from '../fixtures/transferring.ts';
import type { TransferringWord } from '../fixtures/transferringHost.ts';
import { capturedLog } from '../support/capturedLog.ts';
import { SpawnedHost, wait } from '../support/spawnedHost.ts';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e6));
const upTo = (n: number) => Array.from({ length: n }, (_, index) => index);

describe.skipIf(!(await isPostgresThere()))(`killed on ${postgresUrl}, seed ${seed}`, () => {
  afterAll(removeSchemas);

  async function ofItsOwn({ onTestFinished }: TestContext, isolation: 'process' | 'thread' = 'process') {
    const schema = schemaOfItsOwn();
    const place = new URL(postgresUrl);
    place.searchParams.set('schema', schema);
    const engine = place.href as `postgres://${string}`;
    const log = capturedLog();
    const jobs = { transferring: { ...transferring, isolation }, hanging };
    const processor = new JobProcessor({
      engine,
      jobs,
      logger: log.logger,
      maxConcurrentJobs: 2,
      graceSeconds: 2,
    });
    onTestFinished(() => processor.stop());
    // Opens the engine, which makes the schema.
    await processor.counts();
    await onServer((client) =>
      client.query(
        `CREATE TABLE ${schema}.ledger (job text, item int, attempt int); CREATE TABLE ${schema}.locked (id int)`,
      ),
    );
    const ledger = async (job: { id: string }): Promise<number[]> =>
      (
        await onServer((client) =>
          client.query(`SELECT item FROM ${schema}.ledger WHERE job = $1 ORDER BY item`, [job.id]),
        )
      ).rows.map(({ item }) => item);
    const input: TransferringInput = { url: engine, schema, items: 10, seed: null };
    return { schema, engine, log, processor, ledger, input };
  }

  async function itemsOf(job: { rows<T>(): AsyncIterable<T> }): Promise<number[]> {
    const items = [];
    for await (const { item } of job.rows<{ item: number }>()) items.push(item);
    return items;
  }

  test('each chunk is there once, whenever its process was killed', async (context) => {
    const { processor, ledger, input, log } = await ofItsOwn(context);
    await processor.start();
    const jobs = await processor.submitMany(
      'transferring',
      upTo(8).map((index) => ({ ...input, seed: `${seed} ${index}` })),
    );
    for (const job of jobs) {
      expect(await job.result()).toBe(45);
      expect(await ledger(job)).toEqual(upTo(10));
      expect(await itemsOf(job)).toEqual(upTo(10));
      expect((await job.status()).progress).toMatchObject({ chunks: 10, items: 10, total: 10 });
    }
    const killed = (moment: string) =>
      log.lines.filter((line) => line.endsWith(`killed when ${moment}`)).length;
    const kills = { begun: killed('begun'), written: killed('written'), stored: killed('stored') };
    console.log(`seed ${seed}: killed ${JSON.stringify(kills)}`);
    for (const n of Object.values(kills)) expect(n).toBeGreaterThan(0);
  });

  test('nor does it matter which statement it was killed at', async (context) => {
    const { processor, ledger, input, log } = await ofItsOwn(context);
    await processor.start();
    const items = 400;
    const job = await processor.submit('transferring', { ...input, items });
    const pids = () => log.lines.flatMap((line) => /pid (\d+)$/.exec(line)?.[1] ?? []).map(Number);
    for (let kills = 0; kills < 15; kills += 1) {
      await expect.poll(() => pids().length, { interval: 5, timeout: 20_000 }).toBe(kills + 1);
      const { chunks } = (await job.status()).progress;
      await expect
        .poll(async () => (await job.status()).progress.chunks, { interval: 5, timeout: 20_000 })
        .toBeGreaterThan(chunks);
      await wait(Math.random() * 20);
      process.kill(pids().at(-1) as number, 'SIGKILL');
    }
    expect(await job.result()).toBe((items * (items - 1)) / 2);
    expect((await job.status()).attempt).toBe(16);
    expect(await ledger(job)).toEqual(upTo(items));
    expect(await itemsOf(job)).toEqual(upTo(items));
  });

  test('in threads it is the same', async (context) => {
    const { processor, ledger, input } = await ofItsOwn(context, 'thread');
    await processor.start();
    const jobs = await processor.submitMany('transferring', [input, input, input]);
    for (const job of jobs) {
      expect(await job.result()).toBe(45);
      expect(await ledger(job)).toEqual(upTo(10));
    }
  });

  test('a host that is killed: another goes on, and each chunk is there once', async (context) => {
    const { processor, engine, ledger, input } = await ofItsOwn(context);
    const host = () =>
      new SpawnedHost<TransferringWord>(new URL('../fixtures/transferringHost.ts', import.meta.url), {
        url: engine,
      });
    await using first = host();
    await first.says('started');
    const job = await processor.submit('transferring', { ...input, items: 200, chunkMs: 5 });
    while ((await job.status()).progress.chunks < 20) await wait(10);
    first.process.kill('SIGKILL');
    await using second = host();
    await second.says('started');
    expect(await job.result()).toBe(19_900);
    expect(await ledger(job)).toEqual(upTo(200));
    expect(await itemsOf(job)).toEqual(upTo(200));
  });

  /** Statements under way that wait, by the job's own connection. */
  const hangingStatements = async (schema: string) =>
    (
      await onServer((client) =>
        client.query(`SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE $1`, [
          `SELECT pg_sleep(1000) -- ${schema}%`,
        ]),
      )
    ).rows.length;

  test('a stop cancels a statement that hangs, at the server too, and its process ends by itself', async (context) => {
    const { processor, schema, engine } = await ofItsOwn(context);
    await processor.start();
    const job = await processor.submit('hanging', { url: engine, schema });
    await expect.poll(() => hangingStatements(schema), { timeout: 10_000 }).toBe(1);
    const { state, stop } = await job.cancel('enough');
    expect(state).toBe('cancelled');
    expect(stop).toMatchObject({ confirmed: true, rung: 'grace' });
    expect(stop?.tookSeconds).toBeLessThan(2);
    expect(await hangingStatements(schema)).toBe(0);
  });

  test('the server ends the statement of a process that was killed, and lets go of its rows', async (context) => {
    const { processor, schema, engine } = await ofItsOwn(context);
    await processor.start();
    const job = await processor.submit('hanging', { url: engine, schema, dies: true });
    await expect.poll(() => hangingStatements(schema), { timeout: 10_000 }).toBe(1);
    await expect(job.result()).rejects.toThrow('SIGKILL');
    // It looks once a second.
    await expect.poll(() => hangingStatements(schema), { timeout: 10_000 }).toBe(0);
    const { rows } = await onServer((client) =>
      client.query(`SELECT FROM ${schema}.locked FOR UPDATE NOWAIT`),
    );
    expect(rows).toEqual([]);
  });
});
