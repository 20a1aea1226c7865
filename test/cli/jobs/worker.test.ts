// A worker, and other processes that submit to it, look at its jobs and act on them. Real time: the subject is processes that
// are told to end.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { JobStatus, NodeStatus } from '../../../src/index.ts';
import { JobCommands, registry, states } from './jobCommands.ts';

test('what others submit is run, waited for, listed and shown; the exit code tells how it ended', async () => {
  const unstuck = new JobCommands();
  const worker = await unstuck.work();
  const submit = ['submit', registry] as const;
  const waited = await unstuck.run(...submit, 'ways', '"return"', '--wait');
  expect(waited).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(waited.stdout)).toEqual({ attempt: 1, hasToken: true });

  const failed = await unstuck.run(...submit, 'ways', '"throw"', '--wait', '--json');
  expect(failed.code).toBe(2);
  expect(failed.stderr).toMatch(/^error: job [0-9a-f-]{36} failed: as planned\n$/);
  expect(JSON.parse(failed.stdout)).toMatchObject({
    state: 'failed',
    failure: { name: 'RangeError', code: 'E_PLANNED' },
    error: expect.stringContaining('as planned'),
  });

  const late = ['--job-timeout', '500ms', '--grace', '100ms'];
  const timedOut = await unstuck.run(...submit, 'ways', '"never"', '--wait', ...late);
  expect(timedOut).toMatchObject({ code: 3, stdout: '' });
  expect(timedOut.stderr).toMatch(/^error: job \S+ timedOut: job timeout; ended by SIGTERM after .*\n$/);

  const listed = await unstuck.json<JobStatus[]>('list');
  expect(listed.map(({ state }) => state)).toEqual(['timedOut', 'failed', 'completed']);
  const shown = await unstuck.json<JobStatus & { result: unknown }>('show', listed[2]?.id as string);
  expect(shown).toMatchObject({ name: 'ways', state: 'completed', attempt: 1, result: { attempt: 1 } });
  expect(states(shown)).toEqual(['queued', 'running', 'completed']);

  worker.process.kill('SIGTERM');
  expect(await worker.ended).toMatchObject({ code: 0, stderr: '' });
});

test('a live job is cancelled from another process, with the proof; another one is timed out, and retried', async () => {
  const unstuck = new JobCommands();
  const worker = await unstuck.work();
  const first = await unstuck.submit('ways', 'never', '--grace', '100ms');
  const second = await unstuck.submit('ways', 'never', '--grace', '100ms');
  const waiting = await unstuck.submit('ways', 'return', '--start-after', '1d');
  await unstuck.until(second, 'running');

  const cancelled = await unstuck.run('cancel', first, '--reason', 'wrong file');
  expect(cancelled).toMatchObject({ code: 0, stderr: '' });
  expect(cancelled.stdout).toMatch(
    /^job \S+ cancelled: wrong file; ended by SIGTERM after .*, nothing of it runs any more\n$/,
  );
  const shown = await unstuck.json<JobStatus>('show', first);
  expect(states(shown)).toEqual(['queued', 'running', 'stopping', 'cancelled']);
  expect(shown).toMatchObject({ reason: 'wrong file', stop: { confirmed: true } });

  expect(await unstuck.json('timeout', second)).toMatchObject({
    state: 'timedOut',
    timeout: 'job',
    reason: 'timed out by hand',
    stop: { confirmed: true },
  });
  // It waits: no proof is needed.
  expect(await unstuck.json('cancel', waiting)).toMatchObject({ state: 'cancelled', stop: null });
  // Again: it is so already.
  expect((await unstuck.run('cancel', first)).code).toBe(0);
  const otherwise = await unstuck.run('cancel', second);
  expect(otherwise).toMatchObject({ code: 2, stdout: '' });
  expect(otherwise.stderr).toContain('expected one that has not ended, got one that is timedOut');

  const again = (await unstuck.run('retry', second)).stdout.trim();
  expect(await unstuck.until(again, 'running')).toMatchObject({ retryOf: second, attempt: 1 });
  const live = await unstuck.run('retry', again);
  expect(live).toMatchObject({ code: 2, stdout: '' });
  expect(live.stderr).toContain('expected a final state to retry from, got running');

  worker.process.kill('SIGKILL');
  await worker.ended;
});

test('Ctrl-C of a cancel that waits leaves it asked for, and says so', async () => {
  const unstuck = new JobCommands();
  const worker = await unstuck.work();
  const id = await unstuck.submit('ways', 'never', '--grace', '100ms');
  await unstuck.until(id, 'running');
  // Alive, and answers nobody: the proof does not come.
  worker.process.kill('SIGSTOP');
  const cancel = unstuck.start('cancel', id);
  await unstuck.until(id, 'stopping');
  cancel.process.kill('SIGINT');
  const { code, stdout, stderr } = await cancel.ended;
  expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
  expect(stderr).toContain(`It stays asked for: job ${id} is stopping, see unstuck show ${id}.`);
  worker.process.kill('SIGCONT');
  expect((await unstuck.until(id, 'cancelled')).stop).toMatchObject({ confirmed: true });
  worker.process.kill('SIGTERM');
  expect((await worker.ended).code).toBe(0);
});

test('Ctrl-C of a submit that waits ends the waiting, not the job', async () => {
  const unstuck = new JobCommands();
  const waiting = unstuck.start('submit', registry, 'ways', '"return"', '--wait');
  for (;;) {
    const { code, stdout } = await unstuck.run('list', '--json');
    if (code === 0 && JSON.parse(stdout).length === 1) break;
    await pause(50);
  }
  waiting.process.kill('SIGINT');
  const { code, stdout, stderr } = await waiting.ended;
  expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
  const [job] = await unstuck.json<JobStatus[]>('list');
  expect(stderr).toBe(`Job ${job?.id} goes on, it is queued: only the waiting is over.\n`);
  expect(job?.state).toBe('queued');
});

test('a job whose worker was killed is found as stuck, and its node as gone; its cancel says why it waits, and the next worker carries it out', async () => {
  const unstuck = new JobCommands();
  const id = await unstuck.submit('ways', 'never');
  expect((await unstuck.run('nodes')).stdout).toBe('No node: nothing is at work on this engine.\n');
  const worker = await unstuck.work('--node-name', 'web-1', '--concurrency', '4');
  await unstuck.until(id, 'running');
  const nodes = async () => (await unstuck.run('nodes')).stdout;
  expect(await nodes()).toMatch(
    /^NODE +STATE +SEEN +SLOTS +RUNS\nweb-1 +running +\d s ago +\d\/4 +ways 1\n$/,
  );
  expect((await unstuck.run('show', id)).stdout).toMatch(/\nnode +web-1\n/);
  expect((await unstuck.run('list')).stdout).toMatch(new RegExp(`^${id} +running .* web-1 +started`, 'm'));
  expect(await unstuck.run('stuck')).toMatchObject({ code: 0, stdout: 'No job is stuck.\n' });
  const idle = await unstuck.run('stuck', '--idle', '10ms');
  expect(idle.code).toBe(1);
  expect(idle.stdout).toMatch(new RegExp(`${id} +running +ways +web-1 +alive, but without progress for`));

  worker.process.kill('SIGKILL');
  await worker.ended;
  const stuck = await unstuck.run('stuck', '--json');
  expect(stuck.code).toBe(1);
  expect(JSON.parse(stuck.stdout)).toMatchObject([{ why: 'owner', job: { id, state: 'running' } }]);
  expect(await nodes()).toMatch(
    /\nweb-1 +gone +\d+ s ago +\d\/4 +ways 1 +the next worker takes its jobs over\n$/,
  );
  const cancel = unstuck.start('cancel', id);
  await cancel.said(`Waiting for job ${id}: its process is gone or does not answer`);
  const next = await unstuck.work();
  expect((await cancel.ended).code).toBe(0);
  expect((await unstuck.until(id, 'cancelled')).attempt).toBe(1);
  expect((await unstuck.run('list')).stdout).not.toContain('NODE');
  const [gone, there] = await unstuck
    .json<NodeStatus[]>('nodes')
    .then((all) => all.sort(({ state }) => (state === 'gone' ? -1 : 1)));
  expect(gone).toMatchObject({ name: 'web-1', state: 'gone', running: [] });
  expect(there).toMatchObject({ state: 'running', pid: next.process.pid });
  next.process.kill('SIGTERM');
  const { code, stdout } = await next.ended;
  expect(code).toBe(0);
  expect(stdout).toMatch(/node web-1 is gone, last seen \d+ s ago: 1 of its job\(s\) were taken over here/);
  expect((await unstuck.json<NodeStatus[]>('nodes')).map(({ name }) => name)).toEqual(['web-1']);
});

test('SIGTERM: jobs that are not done within the grace are handed back, and the next worker goes on from their checkpoints', async () => {
  const unstuck = new JobCommands();
  const worker = await unstuck.work('--grace', '300ms', '--concurrency', '2');
  const gate = join(unstuck.cwd, 'gate');
  const ids = [];
  for (const _ of [1, 2, 3]) ids.push(await unstuck.submit('gated', { gate }, '--grace', '100ms'));
  for (;;) {
    const live = await unstuck.json<JobStatus[]>('list', '--state', 'running');
    if (live.length === 2 && live.every(({ progress }) => progress.items === 1)) break;
    await pause(50);
  }
  worker.process.kill('SIGTERM');
  const { code, stdout } = await worker.ended;
  expect(code).toBe(0);
  expect(stdout).toContain('told to stop: nothing more is claimed, 2 jobs may go on for 0.3 s');
  expect(stdout).toContain('stopped: 2 jobs handed back');
  const rested = await unstuck.json<JobStatus[]>('list');
  expect(rested.map(({ state, attempt }) => [state, attempt])).toEqual(Array(3).fill(['queued', 0]));
  expect(rested.map(({ progress }) => progress.items).sort()).toEqual([0, 1, 1]);

  writeFileSync(gate, '');
  const next = await unstuck.work();
  for (const id of ids) {
    const done = await unstuck.until(id, 'completed');
    // Each chunk once: the first was not run again.
    expect(done).toMatchObject({ attempt: 1, progress: { items: 3 }, result: 3 });
  }
  next.process.kill('SIGINT');
  expect((await next.ended).code).toBe(0);
});

test('SIGTERM: what is done within the grace is not handed back, and nothing more is claimed', async () => {
  const unstuck = new JobCommands();
  const worker = await unstuck.work('--grace', '1h', '--concurrency', '1');
  const gate = join(unstuck.cwd, 'gate');
  const live = await unstuck.submit('gated', { gate });
  const waiting = await unstuck.submit('ways', 'return');
  await unstuck.until(live, 'running');
  worker.process.kill('SIGTERM');
  await worker.printed('1 job may go on for 1 h');
  writeFileSync(gate, '');
  const { code, stdout } = await worker.ended;
  expect(code).toBe(0);
  expect(stdout).toContain('stopped: 0 jobs handed back');
  const jobs = await unstuck.json<JobStatus[]>('list');
  expect(jobs.map(({ id, state }) => [id, state])).toEqual([
    [waiting, 'queued'],
    [live, 'completed'],
  ]);
});

test('the second SIGTERM stops at once; nothing of its jobs is left, and they are found again', async () => {
  const unstuck = new JobCommands();
  const worker = await unstuck.work('--grace', '1h');
  const id = await unstuck.submit('ways', 'never');
  await unstuck.until(id, 'running');
  expect(worker.attempts().length).toBeGreaterThan(0);
  worker.process.kill('SIGTERM');
  await worker.printed('once more to stop at once');
  // Two within a moment are one press that npx passed on.
  await pause(500);
  worker.process.kill('SIGTERM');
  expect((await worker.ended).code).toBe(143);
  const next = await unstuck.work();
  expect(await unstuck.until(id, 'running')).toMatchObject({ attempt: 1 });
  next.process.kill('SIGKILL');
  await next.ended;
});

test('work --inspect serves the page of what it runs; a port that is taken is said', async () => {
  const unstuck = new JobCommands();
  const worker = await unstuck.work('--inspect');
  const id = await unstuck.submit('ways', 'never');
  await unstuck.until(id, 'running');
  const [, url = ''] = /(http:[^"#\s]+)#token=/.exec(await worker.printed(/http:\S+#token=/)) ?? [];
  const answer = (await (await fetch(`${url}jobs`)).json()) as { jobs: JobStatus[] };
  expect(answer.jobs).toMatchObject([{ id, state: 'running' }]);
  const { port } = new URL(url);
  const second = await unstuck.run('work', registry, '--inspect', port);
  expect(second.code).toBe(2);
  expect(second.stderr).toContain(`--inspect: expected a port that is free, got ${port}, which is taken.`);
  worker.process.kill('SIGKILL');
  await worker.ended;
});

test('a worker whose reader has gone works on', async () => {
  const unstuck = new JobCommands();
  const worker = await unstuck.work();
  worker.process.stdout?.destroy();
  for (const _ of [1, 2, 3]) {
    const id = await unstuck.submit('ways', 'return');
    await unstuck.until(id, 'completed');
  }
  worker.process.kill('SIGTERM');
  expect(await worker.ended).toMatchObject({ code: 0, stderr: '' });
});
