// Modules, files and readers that mean no good, or are broken: the commands say so in a line, and end as they promise.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { JobStatus } from '../../../src/index.ts';
import { root } from '../commandLine.ts';
import { JobCommands, registry } from './jobCommands.ts';

const main = join(root, 'bin/unstuck.js');

test.each([
  ['never comes to its end', 'await new Promise(() => {});'],
  ['ends the process', 'process.exit(0);'],
])('a module that %s is an error, and nothing is submitted', async (_, text) => {
  const unstuck = new JobCommands();
  writeFileSync(join(unstuck.cwd, 'jobs.mjs'), `${text} export const jobs = { hello: { run() {} } };`);
  for (const args of [
    ['submit', './jobs.mjs', 'hello', '--json'],
    ['work', './jobs.mjs'],
  ]) {
    const { code, stdout, stderr } = await unstuck.run(...args);
    expect({ args, code }).toEqual({ args, code: 2 });
    expect(stderr).toContain(
      './jobs.mjs: expected a module that can be imported, got one that ended the process',
    );
    if (args[0] === 'submit')
      expect(JSON.parse(stdout)).toMatchObject({ error: expect.stringContaining('./jobs.mjs') });
  }
});

test('what a module prints while it is imported is no part of the result', async () => {
  const unstuck = new JobCommands();
  writeFileSync(
    join(unstuck.cwd, 'jobs.mjs'),
    "console.log('hello from the module'); export const jobs = { hello: { run() {} } };",
  );
  const { code, stdout, stderr } = await unstuck.run('submit', './jobs.mjs', 'hello');
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^[0-9a-f-]{36}\n$/) });
  expect(stderr).toContain('hello from the module');
});

test('an input that comes late is waited for', async () => {
  const unstuck = new JobCommands();
  const child = spawn(process.execPath, [main, 'submit', registry, 'ways', '-'], {
    cwd: unstuck.cwd,
    env: { ...process.env, UNSTUCK_ENGINE: 'sqlite:jobs.db' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await pause(1500);
  child.stdin.end('"return"');
  const [code] = await once(child, 'exit');
  expect(code).toBe(0);
  expect(await unstuck.json<JobStatus[]>('list')).toHaveLength(1);
});

test('a database of something else is left as it was', async () => {
  const unstuck = new JobCommands();
  const path = join(unstuck.cwd, 'app.db');
  const app = new DatabaseSync(path);
  app.exec('CREATE TABLE users (name TEXT)');
  app.close();
  const before = readFileSync(path);
  for (const args of [['submit', registry, 'ways', '"return"'], ['work', registry], ['list']]) {
    const { code, stderr } = await unstuck.run(...args, '--engine', 'sqlite:app.db');
    expect({ args, code }).toEqual({ args, code: 2 });
    expect(stderr).toContain('an SQLite database of something else');
  }
  expect(readFileSync(path).equals(before)).toBe(true);
});

test('doctor says of a file that cannot be opened what the others say', async () => {
  const unstuck = new JobCommands();
  writeFileSync(join(unstuck.cwd, 'jobs.db'), Buffer.alloc(9000, 7));
  const { code, stdout } = await unstuck.run('doctor');
  expect(code).toBe(2);
  expect(stdout).not.toContain('suppressed');
  expect(stdout).toMatch(/wrong +engine +\S*jobs\.db/);
});

test('a watch whose reader has gone ends', async () => {
  const unstuck = new JobCommands();
  await unstuck.submit('ways', 'return');
  const child = spawn('sh', ['-c', '"$0" "$1" stats --watch | head -1; exit 0', process.execPath, main], {
    cwd: unstuck.cwd,
    env: { ...process.env, UNSTUCK_ENGINE: 'sqlite:jobs.db' },
    stdio: 'ignore',
  });
  // What it watches changes, so it writes again, and is told.
  const changing = (async () => {
    for (let n = 0; n < 3; n += 1) await unstuck.submit('ways', 'return');
  })();
  await once(child, 'exit');
  await changing;
});

test('a worker outlives a log that cannot be written, others say so in a line', async () => {
  const unstuck = new JobCommands();
  const id = await unstuck.submit('ways', 'return');
  const full = (...args: string[]) =>
    spawn('sh', ['-c', 'exec "$0" "$@" > /dev/full', process.execPath, main, ...args], {
      cwd: unstuck.cwd,
      env: { ...process.env, UNSTUCK_ENGINE: 'sqlite:jobs.db' },
      stdio: ['ignore', 'inherit', 'pipe'],
    });
  const worker = full('work', registry);
  await unstuck.until(id, 'completed');
  worker.kill('SIGTERM');
  expect((await once(worker, 'exit'))[0]).toBe(0);
  const list = full('list');
  let said = '';
  list.stderr.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  expect((await once(list, 'exit'))[0]).toBe(2);
  expect(said).toMatch(/^error: standard output: .*ENOSPC.*\n$/);
});
