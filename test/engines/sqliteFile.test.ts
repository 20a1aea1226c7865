// The SQLite engine as people meet it: several processes on one file, a worker killed with -9, files that cannot
// be used. Real processes, really killed.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/actors/systemClock.ts';
import { openDatabase } from '../../src/engines/sqlite/openDatabase.ts';
import { SqliteEngine } from '../../src/engines/sqlite/sqlite.ts';
import { JobProcessor } from '../../src/index.ts';
import counting from '../fixtures/counting.ts';
import type { SqliteWord } from '../fixtures/sqliteHost.ts';
import { capturedLog } from '../support/capturedLog.ts';
import { isAlive } from '../support/processes.ts';
import { SpawnedHost, wait } from '../support/spawnedHost.ts';
import { plainJob, verdict } from './contract.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'unstuck-'));
  path = join(folder, 'jobs.db');
});
afterEach(() => rmSync(folder, { recursive: true }));

const worker = (file = path) =>
  new SpawnedHost<SqliteWord>(new URL('../fixtures/sqliteHost.ts', import.meta.url), { path: file });

/** A process that is stopped in the middle of a commit holds the file, and everybody with it, until it goes on. */
async function stopBetweenCommits(host: ReturnType<typeof worker>): Promise<void> {
  for (;;) {
    host.process.kill('SIGSTOP');
    const other = new DatabaseSync(path, { timeout: 500 });
    try {
      other.exec('BEGIN IMMEDIATE; ROLLBACK');
      return;
    } catch {
      host.process.kill('SIGCONT');
      await wait(20);
    } finally {
      other.close();
    }
  }
}

const open = () =>
  new JobProcessor({ engine: `sqlite:${path}`, jobs: { counting }, logger: capturedLog().logger });
const newJob = {
  name: 'x',
  input: 'null',
  ...plainJob,
};
const journal = () => join(folder, 'journal');
const chunksRun = () => readFileSync(journal(), 'utf8').trim().split('\n').map(Number);

describe('with a worker in another process', () => {
  test('a job is run there, and its result and rows are read here', async () => {
    await using host = worker();
    await host.says('started');
    const client = open();
    const job = await client.submit('counting', { chunks: 4, journal: journal() });
    expect(await job.result()).toBe(6);
    const rows = [];
    for await (const row of job.rows<{ index: number }>()) rows.push(row.index);
    expect(rows).toEqual([0, 1, 2, 3]);
    await client.stop();
  });

  test('a cancel from here ends the job there', async () => {
    await using host = worker();
    await host.says('started');
    const client = open();
    const job = await client.submit('counting', { chunks: 1000, chunkMs: 50, journal: journal() });
    const { children } = await host.says('state');
    expect(await job.cancel('enough')).toMatchObject({
      state: 'cancelled',
      reason: 'enough',
      stop: { confirmed: true },
    });
    expect(children.filter(isAlive)).toEqual([]);
    await client.stop();
  });

  test('killed with -9: its job goes on at the next start from its checkpoint, no attempt used up', async () => {
    const client = open();
    const job = await client.submit('counting', { chunks: 20, chunkMs: 50, journal: journal() });
    {
      await using first = worker();
      await first.says('state');
      while ((await job.status()).progress.chunks < 5) await wait(10);
      first.process.kill('SIGKILL');
      await first.ended;
    }
    expect((await job.status()).state).toBe('running');
    await using second = worker();
    await second.says('started');
    expect(await job.result()).toBe(190);
    const { history, attempt, progress } = await job.status();
    expect(history.map(({ state, reason }) => reason ?? state)).toEqual([
      'queued',
      'running',
      'its owner is gone',
      'running',
      'completed',
    ]);
    expect({ attempt, chunks: progress.chunks }).toEqual({ attempt: 1, chunks: 20 });
    // What was under way when it was killed may have been run twice; what was acknowledged was not.
    const rows = [];
    for await (const row of job.rows<{ index: number }>()) rows.push(row.index);
    expect(rows).toEqual(Array.from({ length: 20 }, (_, index) => index));
    expect(chunksRun().length).toBeLessThanOrEqual(21);
    await client.stop();
  });

  test('killed with -9 beside another that lives: that one takes its job', async () => {
    const client = open();
    await using first = worker();
    await first.says('started');
    const job = await client.submit('counting', { chunks: 40, chunkMs: 50, journal: journal() });
    await first.says('state');
    await using second = worker();
    await second.says('started');
    first.process.kill('SIGKILL');
    expect(await job.result()).toBe(780);
    expect((await job.status()).attempt).toBe(1);
    await client.stop();
  });

  test('timeouts that are changed in another process are those of the attempt that runs', async () => {
    const client = open();
    await using host = worker();
    await host.says('started');
    const job = await client.submit('counting', { chunks: 2, chunkMs: 3_600_000, journal: journal() });
    await host.says('state');
    await job.setTimeouts({ jobTimeoutSeconds: 0.5 });
    await expect(job.result()).rejects.toMatchObject({ kind: 'job', stop: { confirmed: true } });
    await client.stop();
  });

  test('a script that only submits waits for the result, and ends by itself', async () => {
    await using host = worker();
    await host.says('started');
    const root = fileURLToPath(new URL('../..', import.meta.url));
    const script = `
      const { JobProcessor } = await import('${root}src/index.ts');
      const { default: counting } = await import('${root}test/fixtures/counting.ts');
      const processor = new JobProcessor({ engine: 'sqlite:${path}', jobs: { counting } });
      const job = await processor.submit('counting', { chunks: 4, chunkMs: 100, journal: '${journal()}' });
      console.log('result', await job.result());
    `;
    const said = execFileSync(process.execPath, ['--eval', script], { encoding: 'utf8' });
    expect(said).toContain('result 6');
  });

  test('a file is the same by each of its names: no worker takes another for dead', async () => {
    await using first = worker();
    await first.says('started');
    const client = open();
    const job = await client.submit('counting', { chunks: 140, chunkMs: 50, journal: journal() });
    await first.says('state');
    mkdirSync(join(folder, 'link'));
    symlinkSync(path, join(folder, 'link', 'jobs.db'));
    await using second = worker(join(folder, 'link', 'jobs.db'));
    await second.says('started');
    await job.result();
    expect((await job.status()).history.map(({ state }) => state)).toEqual([
      'queued',
      'running',
      'completed',
    ]);
    await client.stop();
  });

  // Waits out a lease of 15 s.
  test('stopped beyond its lease: its attempt is ended before another takes the job', async () => {
    const client = open();
    await using first = worker();
    await first.says('started');
    const job = await client.submit('counting', { chunks: 400, chunkMs: 50, journal: journal() });
    const { children } = await first.says('state');
    await using second = worker();
    await second.says('started');
    expect(children).toHaveLength(1);
    await wait(300);
    await stopBetweenCommits(first);
    const { children: next } = await second.says('state');
    expect(children.filter(isAlive)).toEqual([]);
    expect(next).toHaveLength(1);
    first.process.kill('SIGCONT');
    expect(await job.result()).toBe(79_800);
    const rows = [];
    for await (const row of job.rows<{ index: number }>()) rows.push(row.index);
    expect(rows).toEqual(Array.from({ length: 400 }, (_, index) => index));
    expect((await job.status()).attempt).toBe(1);
    await client.stop();
    // A lease has to pass, on the real clock of two processes.
  }, 150_000);

  test('two workers run each of many jobs once', async () => {
    await using first = worker();
    await using second = worker();
    await Promise.all([first.says('started'), second.says('started')]);
    const client = open();
    const jobs = [];
    for (let index = 0; index < 12; index += 1)
      jobs.push(await client.submit('counting', { chunks: 2, journal: journal() }));
    expect(await Promise.all(jobs.map((job) => job.result()))).toEqual(Array(12).fill(1));
    expect(chunksRun()).toHaveLength(24);
    for (const job of jobs) expect((await job.status()).attempt).toBe(1);
    await client.stop();
  });
});

test('who looks away while others write very much is told that it missed some, and loses no result', async () => {
  await using host = worker();
  await host.says('started');
  const client = open();
  const job = await client.submit('counting', { chunks: 4, chunkMs: 200, journal: journal() });
  const result = job.result();
  await host.says('state');
  const writer = new DatabaseSync(path, { timeout: 5000 });
  const until = performance.now() + 2000;
  // This process sees none of it: its loop is blocked, and its thread finds the news gone.
  while (performance.now() < until) {
    writer.exec(
      "BEGIN IMMEDIATE; INSERT INTO news (changes, place) VALUES ('[]', 0); DELETE FROM news WHERE n < (SELECT max(n) FROM news)",
    );
    writer.exec('COMMIT');
  }
  writer.close();
  expect(await result).toBe(6);
  await client.stop();
});

describe('a file that cannot be used is refused by its name, and with what to do', () => {
  const refused = async (file: string): Promise<string> => {
    const engine = new SqliteEngine({ path: file });
    const error = await engine.open(systemClock).then(
      () => engine.close().then(() => expect.unreachable()),
      (reason) => reason,
    );
    expect(error).toMatchObject({ code: 'ERR_UNSTUCK_ENGINE' });
    expect(error.message).toContain(file);
    return error.message;
  };

  test('in a folder that is missing', async () => {
    expect(await refused(join(folder, 'none', 'jobs.db'))).toContain('Does its folder exist');
  });

  test('a folder', async () => {
    mkdirSync(path);
    expect(await refused(path)).toContain('cannot be opened');
  });

  test('no database', async () => {
    writeFileSync(path, 'id,amount\n'.repeat(1000));
    expect(await refused(path)).toContain('is no SQLite database. Name another file.');
  });

  test('of a newer version', async () => {
    const newer = new DatabaseSync(path);
    newer.exec('PRAGMA user_version = 99');
    newer.close();
    expect(await refused(path)).toContain('got version 99. Use the newer unstuck that wrote it.');
  });
});

test('what was asked for while a commit was under way is in the next: many calls, few transactions', async () => {
  const engine = new SqliteEngine({ path });
  await engine.open(systemClock);
  const submit = async (first: number) => {
    for (let id = first; id < first + 20; id += 1)
      await engine.submit([{ ...newJob, id: `job-${id}`, idempotencyKey: null }]);
  };
  await Promise.all(Array.from({ length: 50 }, (_, caller) => submit(caller * 20)));
  expect(await engine.count(['queued'])).toBe(1000);
  // Each of the 50 callers waits for its own write to be durable; together they took some 20 turns.
  expect(engine.commits).toBeLessThan(100);
  await engine.close();
});

// What SQLite makes of each: https://sqlite.org/pragma.html#pragma_synchronous
test.each([
  ['full', 2],
  ['normal', 1],
] as const)('with durability %s commits wait for the disk as that says', (durability, synchronous) => {
  const database = openDatabase(path, durability);
  expect(database.prepare('PRAGMA synchronous').get()).toEqual({ synchronous });
  expect(database.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
  database.close();
});

test('a call that cannot be carried out fails alone, and leaves nothing of it behind', async () => {
  const engine = new SqliteEngine({ path });
  await engine.open(systemClock);
  const job = (id: string) => ({ ...newJob, id, idempotencyKey: null });
  const [first, twice, last] = await Promise.allSettled([
    engine.submit([job('a')]),
    engine.submit([job('b'), job('c'), job('b')]),
    engine.submit([job('d')]),
  ]);
  expect([first?.status, twice?.status, last?.status]).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect((twice as PromiseRejectedResult).reason).toMatchObject({ code: 'ERR_UNSTUCK_ENGINE' });
  const kept = [];
  for await (const { id } of engine.list({})) kept.push(id);
  expect(kept).toEqual(['d', 'a']);
  await engine.close();
});

test('what a caller asks for in pages is all there, however large its jobs are', async () => {
  const processor = open();
  const large = 'x'.repeat(900_000);
  const ids = [];
  for (let n = 0; n < 12; n += 1)
    ids.unshift((await processor.submit('counting', { chunks: n, journal: large })).id);
  const listed = [];
  for await (const { id } of processor.list()) listed.push(id);
  expect(listed).toEqual(ids);
  await processor.stop();
});

test('a job that appended very many rows is gone at once, its rows by and by', async () => {
  const engine = new SqliteEngine({ path });
  await engine.open(systemClock);
  // The newest job of a file is never removed: its place in it would be given again.
  await engine.submit([
    { ...newJob, id: 'a', idempotencyKey: null },
    { ...newJob, id: 'b', idempotencyKey: null },
  ]);
  const [job] = await engine.claim({ owner: 'me', limit: 1, ahead: 0, names: ['x'], leaseMs: 1000 });
  const token = job?.token as string;
  const rows = Array.from({ length: 12_000 }, () => '1');
  await engine.checkpoint({ id: 'a', token, chunk: 1, checkpoint: '1', rows, items: 1, total: null });
  await engine.settle('a', token, verdict('completed', { result: '1' }));
  let parts = 0;
  while (await engine.prune(['completed'], Date.now() + 1000)) {
    parts += 1;
    expect(await engine.get('a')).toBeNull();
  }
  expect(parts).toBeGreaterThan(1);
  await engine.close();
  const file = new DatabaseSync(path);
  for (const [table, n] of Object.entries({ jobs: 1, output: 0, pruned: 0 }))
    expect(file.prepare(`SELECT count(*) AS n FROM ${table}`).get()).toEqual({ n });
  file.close();
});

describe('on a bad day', () => {
  /** The thread of the next engine that is opened. */
  const nextThread = () => new Promise<Worker>((resolve) => process.once('worker', resolve));

  test('its thread ends: the calls under way are told, the next ones are answered, the job goes on', async () => {
    const thread = nextThread();
    const processor = await open().start();
    const job = await processor.submit('counting', { chunks: 40, chunkMs: 50, journal: journal() });
    while ((await job.status()).progress.chunks < 5) await wait(10);
    const status = job.status();
    await (await thread).terminate();
    await expect(status).rejects.toMatchObject({ code: 'ERR_UNSTUCK_ENGINE' });
    expect(await job.result()).toBe(780);
    expect((await job.status()).history.map(({ state }) => state)).toEqual([
      'queued',
      'running',
      'completed',
    ]);
    expect(await processor.health()).toEqual({ status: 'ok', reasons: [] });
    await processor.stop();
  });

  test('it is locked for a while: calls wait, and none is lost', async () => {
    const processor = open();
    await processor.submit('counting', { chunks: 1, journal: journal() });
    const other = new DatabaseSync(path);
    other.exec('BEGIN IMMEDIATE');
    const submits = [2, 3].map((chunks) => processor.submit('counting', { chunks, journal: journal() }));
    await wait(500);
    other.exec('COMMIT');
    other.close();
    await Promise.all(submits);
    expect((await processor.counts()).queued).toBe(3);
    await processor.stop();
  });

  test('it is new, and another process is making it: opening it waits', async () => {
    const other = new DatabaseSync(path);
    other.exec('BEGIN IMMEDIATE');
    const client = open();
    const stats = client.stats();
    await wait(500);
    other.exec('ROLLBACK');
    other.close();
    expect((await stats).queue.length).toBe(0);
    await client.stop();
  });

  test('it is locked for good: opening it is refused', async () => {
    await (await open().start()).stop();
    const other = new DatabaseSync(path);
    other.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
    await expect(open().submit('counting', { chunks: 1, journal: journal() })).rejects.toThrow(
      `${path} is locked by another process for too long`,
    );
    other.close();
  });

  const damage = () => writeFileSync(path, readFileSync(path).fill(0xa5, 8192));

  test('it is damaged: it is not opened', async () => {
    const first = open();
    await first.submitMany('counting', Array(200).fill({ chunks: 1, journal: journal() }));
    await first.stop();
    damage();
    await expect(open().start()).rejects.toThrow(`${path} is damaged. Restore it from a copy.`);
  });

  test('it is damaged at work: said so, in health() too, and the processor stops as told', async () => {
    const first = open();
    await first.submitMany('counting', Array(200).fill({ chunks: 1, journal: journal() }));
    await first.stop();
    const processor = open();
    for await (const _ of processor.list({ limit: 1 }));
    damage();
    await processor.start();
    while ((await processor.health()).status === 'ok') await wait(10);
    expect((await processor.health()).reasons.join()).toContain('is damaged');
    expect(await processor.health()).toMatchObject({ status: 'down' });
    await processor.stop();
  });

  // A disk of 16 MB: needs the right to mount one.
  const canMount = process.getuid?.() === 0;
  test.skipIf(!canMount)(
    'a full disk: what was acknowledged stays, what was not is told, and it goes on',
    async () => {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', folder]);
      try {
        const filler = join(folder, 'filler');
        writeFileSync(filler, Buffer.alloc(14_800_000));
        const processor = open();
        const submit = (number: number) =>
          processor.submit('counting', { chunks: number, journal: 'x'.repeat(50_000) });
        const acknowledged: string[] = [];
        const error = await (async () => {
          for (;;) acknowledged.push((await submit(acknowledged.length)).id);
        })().catch((reason) => reason);
        expect(error).toMatchObject({ code: 'ERR_UNSTUCK_ENGINE' });
        expect(error.message).toContain('the disk is full');
        expect(acknowledged.length).toBeGreaterThan(2);
        await expect(submit(0)).rejects.toThrow('the disk is full');

        await processor.start();
        while ((await processor.health()).status === 'ok') await wait(10);
        expect((await processor.health()).reasons.join()).toContain('the disk is full');

        rmSync(filler);
        while ((await processor.health()).status !== 'ok') await wait(10);
        acknowledged.push((await submit(0)).id);
        await processor.stop();
        const again = open();
        const stored = [];
        for await (const { id } of again.list()) stored.unshift(id);
        expect(stored).toEqual(acknowledged);
        await again.stop();
      } finally {
        execFileSync('umount', ['-l', folder]);
      }
    },
  );

  test.skipIf(!canMount)('a disk that is read-only: said so', async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', folder]);
    try {
      const processor = open();
      await processor.submit('counting', { chunks: 1, journal: '' });
      await processor.stop();
      execFileSync('mount', ['-o', 'remount,ro', folder]);
      await expect(open().submit('counting', { chunks: 2, journal: '' })).rejects.toThrow(
        'may this user write there?',
      );
    } finally {
      execFileSync('umount', ['-l', folder]);
    }
  });
});
