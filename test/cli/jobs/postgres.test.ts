// The job commands on PostgreSQL, and its schema set up ahead, as docs/postgres.md says: each command a real process.

import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { newestVersion } from '../../../src/engines/postgres/schema.ts';
import type { JobStatus } from '../../../src/index.ts';
import {
  isPostgresThere,
  onServer,
  postgresUrl,
  removeSchemas,
  schemaOfItsOwn,
} from '../../engines/postgresServer.ts';
import { JobCommands, registry, states } from './jobCommands.ts';

function withSchema(more: (url: URL) => void = () => {}): { schema: string; engine: string } {
  const schema = schemaOfItsOwn();
  const url = new URL(postgresUrl);
  url.searchParams.set('schema', schema);
  more(url);
  return { schema, engine: url.href };
}

test('a server that does not answer is named, and the password of the engine is not', async () => {
  const unstuck = new JobCommands({ UNSTUCK_ENGINE: 'postgres://me:secret@127.0.0.1:1/jobs' });
  const ended = await Promise.all([unstuck.run('list'), unstuck.run('doctor'), unstuck.run('migrate')]);
  for (const { code, stdout, stderr } of ended) {
    expect(code).toBe(2);
    expect(stdout + stderr).toMatch(/postgres at 127\.0\.0\.1:1, database jobs: nothing answers there/);
    expect(stdout + stderr).not.toContain('secret');
  }
});

describe.skipIf(!(await isPostgresThere()))(`on ${postgresUrl}`, () => {
  afterAll(removeSchemas);

  test('a look makes nothing; a worker sets the schema up, and its jobs are seen from elsewhere', async () => {
    const { schema, engine } = withSchema();
    const unstuck = new JobCommands({ UNSTUCK_ENGINE: engine });
    const look = await unstuck.run('list');
    expect({ code: look.code, stderr: look.stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining(`expected a schema ${schema} with jobs, got none`),
    });
    const there = await onServer((client) =>
      client.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [schema]),
    );
    expect(there.rows).toEqual([]);
    const worker = unstuck.start('work', registry);
    await worker.printed('working on postgres://');
    const id = await unstuck.submit('ways', 'return');
    expect(states(await unstuck.until(id, 'completed'))).toEqual(['queued', 'running', 'completed']);
    expect((await unstuck.json<JobStatus[]>('list')).map((job) => job.id)).toEqual([id]);
    worker.process.kill('SIGTERM');
    await worker.ended;
  });

  test('migrate sets up, says what there is, and prints what a role needs to run jobs and no more', async () => {
    const { schema, engine } = withSchema();
    const unstuck = new JobCommands({ UNSTUCK_ENGINE: engine });
    const first = await unstuck.run('migrate');
    expect(first).toMatchObject({
      code: 0,
      stdout: `schema ${schema}: set up, now version ${newestVersion}\n`,
    });
    expect((await unstuck.run('migrate')).stdout).toBe(
      `schema ${schema} is up to date: version ${newestVersion}\n`,
    );
    const role = `${schema}_worker`;
    await onServer((client) => client.query(`CREATE ROLE ${role} LOGIN`));
    onTestFinished(async () => {
      await onServer((client) => client.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`));
    });
    const { stdout: sql } = await unstuck.run('migrate', '--grants', role);
    await onServer((client) => client.query(sql));
    const url = new URL(engine);
    url.username = role;
    const worker = new JobCommands({ UNSTUCK_ENGINE: url.href });
    const running = worker.start('work', registry);
    await running.printed('working on postgres://');
    const id = await worker.submit('ways', 'return');
    await worker.until(id, 'completed');
    running.process.kill('SIGTERM');
    await running.ended;
    const client = onServer((owner) => owner.query(`SET ROLE ${role}; DROP TABLE ${schema}.jobs`));
    await expect(client).rejects.toThrow(/must be owner/);
  });

  test('migrate is for PostgreSQL alone', async () => {
    const unstuck = new JobCommands();
    const { code, stderr } = await unstuck.run('migrate');
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining('--engine: expected postgres://…, got sqlite:jobs.db'),
    });
  });
});
