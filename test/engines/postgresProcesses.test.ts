// The PostgreSQL engine as people meet it: several processes on one database, killed with -9, stopped beyond their lease. Real processes,
// and real time: leases count on the database's clock.

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { afterAll, describe, expect, type TestContext, test } from 'vitest';
import { JobProcessor } from '../../src/index.ts';
import counting from '../fixtures/counting.ts';
import type { PostgresWord } from '../fixtures/postgresHost.ts';
import { children, isAlive } from '../support/processes.ts';
import { SpawnedHost, wait } from '../support/spawnedHost.ts';
import { isPostgresThere, postgresUrl, removeSchemas, schemaOfItsOwn } from './postgresServer.ts';

function ofItsOwn({ onTestFinished }: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'unstuck-'));
  const url = new URL(postgresUrl);
  url.searchParams.set('schema', schemaOfItsOwn());
  const engine = url.href as `postgres://${string}`;
  const client = new JobProcessor({ engine, jobs: { counting }, logger: pino({ level: 'silent' }) });
  onTestFinished(async () => {
    await client.stop();
    rmSync(folder, { recursive: true });
  });
  const journal = join(folder, 'journal');
  return {
    client,
    journal,
    url: engine,
    worker: () =>
      new SpawnedHost<PostgresWord>(new URL('../fixtures/postgresHost.ts', import.meta.url), { url: engine }),
    chunksRun: () => readFileSync(journal, 'utf8').trim().split('\n'),
  };
}

async function indexesOf(job: { rows<T>(): AsyncIterable<T> }): Promise<number[]> {
  const rows = [];
  for await (const row of job.rows<{ index: number }>()) rows.push(row.index);
  return rows;
}

const upTo = (n: number) => Array.from({ length: n }, (_, index) => index);

describe.skipIf(!(await isPostgresThere()))(`processes on ${postgresUrl}`, () => {
  afterAll(removeSchemas);

  test.concurrent('a job is run there, and its result and rows are read here; a cancel from here ends one there', async (context) => {
    const { client, worker, journal } = ofItsOwn(context);
    await using host = worker();
    await host.says('started');
    const job = await client.submit('counting', { chunks: 3, journal });
    expect(await job.result()).toBe(3);
    expect(await indexesOf(job)).toEqual([0, 1, 2]);
    const endless = await client.submit('counting', { chunks: 1000, chunkMs: 100, journal });
    while ((await endless.status()).state !== 'running') await wait(10);
    const cancelled = await endless.cancel('enough');
    expect(cancelled).toMatchObject({ state: 'cancelled', stop: { confirmed: true } });
  });

  test.concurrent('killed with -9: another goes on from the checkpoint, no attempt used up', async (context) => {
    const { client, worker, journal, chunksRun } = ofItsOwn(context);
    await using first = worker();
    await first.says('started');
    const job = await client.submit('counting', { chunks: 40, chunkMs: 50, journal });
    while ((await job.status()).progress.chunks < 5) await wait(10);
    first.process.kill('SIGKILL');
    await using second = worker();
    await second.says('started');
    while ((await client.nodes()).length < 2) await wait(10);
    const names = (await client.nodes()).map(({ name, pid }) => [name, pid]);
    expect(names.map(([, pid]) => pid).sort()).toEqual([first.process.pid, second.process.pid].sort());
    const ofFirst = names.find(([, pid]) => pid === first.process.pid)?.[0];
    expect((await job.status()).node).toBe(ofFirst);
    expect(await job.result()).toBe(780);
    expect((await client.nodes()).find(({ name }) => name === ofFirst)).toMatchObject({
      ...{ state: 'gone', running: [] },
    });
    const { history, attempt } = await job.status();
    expect(history.map(({ state, reason }) => reason ?? state)).toEqual([
      ...['queued', 'running', 'its owner is gone', 'running', 'completed'],
    ]);
    expect(attempt).toBe(1);
    expect(await indexesOf(job)).toEqual(upTo(40));
    // What was under way when it was killed may have been run twice; what was acknowledged was not.
    expect(chunksRun().length).toBeLessThanOrEqual(41);
  });

  test.concurrent('stopped beyond its lease and back beside its successor: it writes nothing any more', async (context) => {
    const { client, worker, journal } = ofItsOwn(context);
    await using first = worker();
    await first.says('started');
    const job = await client.submit('counting', { chunks: 60, chunkMs: 100, journal });
    while ((await job.status()).progress.chunks < 3) await wait(10);
    first.process.kill('SIGSTOP');
    await using second = worker();
    await second.says('started');
    await second.says('state');
    first.process.kill('SIGCONT');
    expect(await job.result()).toBe(1770);
    expect(await indexesOf(job)).toEqual(upTo(60));
    expect((await job.status()).attempt).toBe(1);
    expect(first.words.some((word) => 'state' in word && word.state === 'completed')).toBe(false);
  });

  test.concurrent('a host that stands still: its children, which do not, have ended before its lease has', async (context) => {
    const { client, worker, journal } = ofItsOwn(context);
    await using host = worker();
    await host.says('started');
    const job = await client.submit('counting', { chunks: 1000, chunkMs: 50, journal });
    while ((await job.status()).progress.chunks < 3) await wait(10);
    const pid = host.process.pid as number;
    const [child] = children(pid);
    host.process.kill('SIGSTOP');
    while (isAlive(child as number)) await wait(20);
    // As the server's clock has it: nobody may take the job yet.
    expect(await client.stuckJobs()).toEqual([]);
    expect((await job.status()).state).toBe('running');
    host.process.kill('SIGKILL');
  });

  test.concurrent('a script that only submits waits for the result, and ends by itself; or stops before', async (context) => {
    const { url, worker, journal } = ofItsOwn(context);
    await using host = worker();
    await host.says('started');
    const root = fileURLToPath(new URL('../..', import.meta.url));
    const script = (end: string) => `
      const { JobProcessor } = await import('${root}src/index.ts');
      const { default: counting } = await import('${root}test/fixtures/counting.ts');
      const processor = new JobProcessor({ engine: '${url}', jobs: { counting } });
      const job = await processor.submit('counting', { chunks: 4, chunkMs: 100, journal: '${journal}' });
      console.log('result', await job.result());
      ${end}
    `;
    const run = async (end: string) =>
      (await promisify(execFile)(process.execPath, ['--eval', script(end)], { encoding: 'utf8' })).stdout;
    expect(await Promise.all([run(''), run("await processor.stop(); console.log('stopped')")])).toEqual([
      expect.stringMatching(/result 6\n$/),
      expect.stringMatching(/result 6\nstopped\n$/),
    ]);
  });

  test.concurrent('two workers run each of many jobs once', async (context) => {
    const { client, worker, journal, chunksRun } = ofItsOwn(context);
    await using first = worker();
    await using second = worker();
    await Promise.all([first.says('started'), second.says('started')]);
    const jobs = await client.submitMany(
      'counting',
      upTo(20).map(() => ({ chunks: 1, journal })),
    );
    await Promise.all(jobs.map((job) => job.result()));
    expect(chunksRun()).toHaveLength(20);
  });
});
