// Ctrl-C, SIGTERM, and what they keep. Real time: the subject is a process that is told to leave.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { largeSample, run, start, temporaryFolder } from './commandLine.ts';

const command = ['reconcile', 'left.csv', 'right.csv', '--key', 'id'];

test('Ctrl-C once stops cleanly with 130, and the same command goes on without repeating a chunk', async () => {
  const cwd = temporaryFolder();
  largeSample(cwd);
  const first = start([...command, '--json'], { cwd });
  await first.said('1 of 16 chunks');
  expect(first.attempts()).toHaveLength(1);
  first.process.kill('SIGINT');
  const { code, stdout, stderr } = await first.ended;
  expect(stderr).toMatch(/\d+ of 16 chunks are done and kept in \.\/reconciled: the same command goes on/);
  expect(JSON.parse(stdout)).toMatchObject({ state: 'cancelled', matched: null, attempts: 1 });
  expect(code).toBe(130);

  const again = await run(command, { cwd });
  expect(again.stderr).toMatch(/Going on where an earlier run stopped: \d+ of 16/);
  expect(again.code).toBe(1);
  const { chunks } = JSON.parse(readFileSync(join(cwd, 'reconciled/summary.json'), 'utf8'));
  expect(chunks).toEqual({ total: 16, run: 16 });
});

test('Ctrl-C twice leaves at once, with the process of the attempt, even one that answers nothing', async () => {
  const cwd = temporaryFolder();
  largeSample(cwd);
  const running = start(command, { cwd });
  await running.said('1 of 16 chunks');
  const [attempt] = running.attempts();
  process.kill(attempt as number, 'SIGSTOP');
  running.process.kill('SIGINT');
  await running.said('Once more to stop at once.');
  // Two signals within a moment are one press that npx passed on.
  running.process.kill('SIGINT');
  await pause(500);
  running.process.kill('SIGINT');
  expect(await running.ended).toMatchObject({ code: 130, stdout: '' });
});

test('SIGTERM ends like Ctrl-C, with 143', async () => {
  const cwd = temporaryFolder();
  largeSample(cwd);
  const running = start([...command, '--quiet'], { cwd });
  while (running.attempts().length === 0) await pause(20);
  running.process.kill('SIGTERM');
  const { code, stderr } = await running.ended;
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  expect(code).toBe(143);
});
