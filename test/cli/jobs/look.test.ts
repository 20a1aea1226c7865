// What is asked of an engine's file by a process that runs nothing: filters, JSON, the words for people, what is watched.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import type { JobStatus, Stats } from '../../../src/index.ts';
import { root } from '../commandLine.ts';
import { JobCommands, registry, states } from './jobCommands.ts';

const ids = (jobs: JobStatus[]) => jobs.map(({ id }) => id);

test('list filters by state, name, key and time, newest first, and says when there are more', async () => {
  const unstuck = new JobCommands();
  const first = await unstuck.submit('ways', 'return');
  const keys = ['--key', 'k', '--concurrency-key', 'Alice'];
  const second = await unstuck.submit('checked', { to: 'Alice' }, '--priority', '-2', ...keys);
  await pause(10);
  const between = new Date().toISOString();
  const third = await unstuck.submit('ways', 'return', '--start-after', '1h');
  await unstuck.json('cancel', first);

  const listed = async (...filter: string[]) => ids(await unstuck.json<JobStatus[]>('list', ...filter));
  expect(await listed()).toEqual([third, second, first]);
  expect(await listed('--state', 'queued')).toEqual([third, second]);
  expect(await listed('--name', 'ways')).toEqual([third, first]);
  expect(await listed('--key', 'k')).toEqual([second]);
  expect((await unstuck.run('show', second)).stdout).toMatch(/\nkey +k\nconcurrency key +Alice\n/);
  expect(await listed('--since', between)).toEqual([third]);
  expect(await listed('--until', between)).toEqual([second, first]);
  expect(await listed('--since', '1h', '--limit', '1')).toEqual([third]);
  expect(await listed('--until', '1h')).toEqual([]);

  const { stdout } = await unstuck.run('list', '--limit', '2');
  expect(stdout).toMatch(/^ID +STATE +NAME +ATTEMPT +ITEMS +SUBMITTED\n/);
  expect(stdout).toMatch(new RegExp(`^${third} +queued +ways +0/1 .* ago +starts in (1 h|59 min .*)$`, 'm'));
  expect(stdout).toMatch(/\nThe newest 2 jobs; more with --limit\.\n$/);
  expect((await unstuck.run('list', '--name', 'other')).stdout).toBe('No such job.\n');

  const { counts, queue, lastHour } = await unstuck.json<Stats>('stats');
  expect(counts).toMatchObject({ queued: 2, cancelled: 1, completed: 0 });
  const { submittedAt } = await unstuck.json<JobStatus>('show', second);
  expect(queue).toEqual({ length: 2, oldest: submittedAt });
  expect(lastHour).toMatchObject({ cancelled: 1, timedOut: 0, timeouts: { queue: 0 } });
  expect((await unstuck.run('stats')).stdout).toMatch(/cancelled +1 +1\n[\s\S]*\n2 waiting, the oldest for /);
});

test.each([
  ['jobs.mjs', 'export const jobs = { hello: { run() {} } };'],
  ['jobs.js', 'export default { hello: { run() {} } };'],
  ['jobs.ts', 'export const jobs = { hello: { run(input: string): string { return input; } } };'],
  ['jobs.cjs', 'module.exports = { jobs: { hello: { run() {} } } };'],
  ['jobs.cjs', "exports['j' + 'obs'] = { hello: { run() {} } };"],
  ['jobs.cjs', 'module.exports = { hello: { run() {} } };'],
  ['jobs.cjs', 'module.exports = { hello: { run() {} }, jobs: { run() {} } };'],
  [
    'jobs.cjs',
    "Object.defineProperty(exports, '__esModule', { value: true }); exports.default = { hello: { run() {} } };",
  ],
])('a module exports its jobs as it likes: %s, %s', async (file, text) => {
  const unstuck = new JobCommands();
  writeFileSync(join(unstuck.cwd, file), text);
  const { code, stderr } = await unstuck.run('submit', file, 'hello');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});

test('one key gives one job; another input with it is refused', async () => {
  const unstuck = new JobCommands();
  const id = await unstuck.submit('ways', 'return', '--key', 'march');
  expect(await unstuck.submit('ways', 'return', '--key', 'march')).toBe(id);
  const other = await unstuck.run('submit', registry, 'ways', '"throw"', '--key', 'march');
  expect(other).toMatchObject({ code: 2, stdout: '' });
  expect(other.stderr).toContain(`expected the input of job ${id}`);
});

test('foreign text cannot steer the terminal', async () => {
  const unstuck = new JobCommands();
  const id = await unstuck.submit('ways', 'return');
  const reason = 'red \x1b[31m\x1b]0;title\x07\nand a second line\x9b2J';
  expect((await unstuck.run('cancel', id, '--reason', reason)).code).toBe(0);
  for (const command of [['list'], ['show', id], ['cancel', id]]) {
    const { stdout } = await unstuck.run(...command);
    expect(stdout).toContain('and a second line');
    expect(stdout.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
    expect(stdout).not.toMatch(/^and/m);
  }
  expect((await unstuck.json<JobStatus>('show', id)).reason).toBe(reason);
});

test('--watch appends what is new to a pipe; show ends with the job, list and stats with Ctrl-C', async () => {
  const unstuck = new JobCommands();
  const id = await unstuck.submit('ways', 'return');
  const list = unstuck.start('list', '--watch');
  const stats = unstuck.start('stats', '--watch', '--json');
  const show = unstuck.start('show', id, '--watch');
  await list.printed(`${id}  queued  ways  0/1`);
  await stats.printed('"queued":1');
  await show.printed('queued');
  await unstuck.json('cancel', id, '--reason', 'enough');
  expect(await show.ended).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^\S+ \S+ {2}queued\n\S+ \S+ {2}cancelled {2}enough\n$/),
  });
  await list.printed(`${id}  cancelled  ways  0/1`);
  await stats.printed('"cancelled":1');
  list.process.kill('SIGINT');
  stats.process.kill('SIGTERM');
  const { code, stdout } = await list.ended;
  expect(code).toBe(130);
  expect(stdout.trimEnd().split('\n')).toHaveLength(2);
  const watched = await stats.ended;
  expect(watched.code).toBe(143);
  const pictures = watched.stdout.trimEnd().split('\n');
  expect(pictures.map((line) => JSON.parse(line).counts.queued)).toEqual([1, 0]);
});

test('--watch draws over itself on a terminal, and no line is wider than it', async () => {
  const unstuck = new JobCommands();
  const id = await unstuck.submit('ways', 'return');
  await unstuck.json('cancel', id, '--reason', `${'far too much to say '.repeat(20)}`);
  const command = `stty cols 90 rows 12; exec ${process.execPath} ${join(root, 'bin/unstuck.js')} list --watch`;
  // A terminal of its own; Ctrl-C is typed into it when one picture was drawn over another.
  const terminal = spawn('script', ['-qec', command, '/dev/null'], {
    cwd: unstuck.cwd,
    env: { ...process.env, UNSTUCK_ENGINE: 'sqlite:jobs.db', TERM: 'xterm' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void terminal.kill('SIGKILL'));
  const ended = once(terminal, 'close');
  let said = '';
  for await (const text of terminal.stdout.setEncoding('utf8')) {
    said += text;
    // Once: it is echoed.
    if (!terminal.stdin.writableEnded && said.includes('\x1b[2A\r\x1b[J')) terminal.stdin.end('\x03');
  }
  expect(await ended).toEqual([130, null]);
  const lines = stripVTControlCharacters(said).split('\r\n');
  expect(lines.some((line) => line.includes(id) && line.endsWith('…'))).toBe(true);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(90);
});

test('inspect serves the page of the file, acts on its jobs, and runs none', async () => {
  const unstuck = new JobCommands();
  const id = await unstuck.submit('ways', 'return');
  const page = unstuck.start('inspect');
  const [, url, token] = /^(http:\S+)#token=(\S+)$/m.exec(await page.printed(/#token=\S+\n/)) ?? [];
  const answer = (await (await fetch(`${url}jobs`)).json()) as { jobs: JobStatus[] };
  expect(answer.jobs).toMatchObject([{ id, state: 'queued' }]);
  const acted = await fetch(`${url}jobs/${id}/cancel`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
  });
  expect(acted.status).toBe(200);
  expect(states(await unstuck.until(id, 'cancelled'))).toEqual(['queued', 'cancelled']);
  page.process.kill('SIGINT');
  expect((await page.ended).code).toBe(130);
});

test('doctor says what is set, what is wrong with it, and how the file does', async () => {
  const unstuck = new JobCommands();
  await unstuck.submit('ways', 'return');
  const well = await unstuck.json<{ subject: string; verdict: string; found: string }[]>('doctor');
  const found = Object.fromEntries(well.map(({ subject, found }) => [subject, found]));
  expect(found.node).toContain(process.versions.node);
  expect(found.engine).toMatch(/^sqlite:jobs\.db answers: /);
  expect(found.jobs).toMatch(/^1 job in \d+ kB, 0 running$/);
  expect(found['@duckdb/node-api']).toMatch(/^\d/);
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  expect(found.unstuck).toBe(version);

  process.env.RECONCILIATION_JOB_TIMEOUT_SECONDS = '60';
  process.env.RECONCILIATION_JOB_TIMEOUT = '60';
  try {
    const { code, stdout } = await unstuck.run('doctor');
    expect(code).toBe(2);
    expect(stdout).toMatch(/^ok +RECONCILIATION_JOB_TIMEOUT_SECONDS +60$/m);
    expect(stdout).toMatch(/^wrong +RECONCILIATION_JOB_TIMEOUT +is not known, and without effect/m);
  } finally {
    delete process.env.RECONCILIATION_JOB_TIMEOUT_SECONDS;
    delete process.env.RECONCILIATION_JOB_TIMEOUT;
  }
});

test('what looks leaves nothing in the folder', async () => {
  const unstuck = new JobCommands();
  const id = await unstuck.submit('ways', 'return');
  for (const command of [['list'], ['show', id], ['stats'], ['stuck'], ['doctor']])
    await unstuck.run(...command);
  expect(readdirSync(unstuck.cwd)).toEqual(['jobs.db']);
});
