// The session that docs/operating.md shows can be had: its commands, on its jobs, with its ends.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import type { JobStatus, StuckJob } from '../../src/index.ts';
import { root } from '../cli/commandLine.ts';
import { JobCommands } from '../cli/jobs/jobCommands.ts';

const example = (file: string) => join(root, 'examples/operating', file);

/** Answers with its address. */
async function mailServer(...args: string[]): Promise<{ mail: string; end(): void }> {
  const child = spawn(process.execPath, [example('mailServer.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  for await (const text of child.stdout.setEncoding('utf8')) {
    const [mail] = /http:\S+/.exec(text) ?? [];
    if (mail !== undefined) return { mail, end: () => child.kill() };
  }
  throw new Error('the mail server did not begin');
}

test('a stuck job is found, looked at, ended, retried, and seen completed', async () => {
  const unstuck = new JobCommands();
  const { mail, end } = await mailServer('0', 'Carol');
  const worker = unstuck.start('work', example('jobs.ts'), '--grace', '10s');
  await worker.printed('working on sqlite:jobs.db');
  const input = JSON.stringify({ customers: ['Alice', 'Bob', 'Carol', 'Dave'], mail });
  const submitted = await unstuck.run('submit', example('jobs.ts'), 'invoices', input, '--grace', '100ms');
  const id = submitted.stdout.trim();
  while ((await unstuck.json<JobStatus>('show', id)).progress.items < 2) await pause(50);

  expect((await unstuck.run('stuck')).stdout).toBe('No job is stuck.\n');
  const { code, stdout } = await unstuck.run('stuck', '--idle', '10ms', '--json');
  expect(code).toBe(1);
  expect((JSON.parse(stdout) as StuckJob[]).map(({ job, why }) => [job.id, why])).toEqual([[id, 'idle']]);
  const found = await unstuck.run('stuck', '--idle', '10ms');
  expect(found.stdout).toMatch(/alive, but without progress for .* s; progress timeout in \d min.*\n$/);
  const shown = await unstuck.run('show', id);
  expect(shown.stdout).toMatch(/^items +2\/4$/m);
  expect(shown.stdout).toMatch(/^due +heartbeat timeout in .*\n +progress timeout in .*\n +job timeout in /m);
  expect((await unstuck.run('timeout', id)).stdout).toMatch(
    /timedOut: .*; (ended|killed) by SIGTERM after .*\n$/,
  );
  end();

  const port = new URL(mail).port;
  await mailServer(port);
  const again = (await unstuck.run('retry', id)).stdout.trim();
  const watched = await unstuck.run('show', again, '--watch');
  expect(watched.stdout).toMatch(/queued\n[\s\S]*running[\s\S]*completed {2}attempt 1\n$/);
  expect(await unstuck.json('show', again)).toMatchObject({ retryOf: id, result: { sent: 4 } });
  worker.process.kill('SIGINT');
  expect((await worker.ended).code).toBe(0);
});

test('the commands that it shows are those that there are', async () => {
  const text = readFileSync(join(root, 'docs/operating.md'), 'utf8');
  const shown = new Set([...text.matchAll(/\bunstuck (\w+)/g)].map(([, command]) => command));
  const { stdout } = await new JobCommands().run('--help');
  const known = [...stdout.matchAll(/^ {2}(\w+) /gm)].map(([, command]) => command);
  expect(known).toEqual(expect.arrayContaining([...shown]));
  for (const command of ['work', 'submit', 'list', 'show', 'timeout', 'retry', 'stuck', 'stats'])
    expect(shown).toContain(command);
});
