// A run whose process dies or hangs: it goes on, or ends with 3 in time, and says what happened. Real time: the
// subject is a process that is stopped while it works.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { largeSample, type Running, start, temporaryFolder } from './commandLine.ts';

const command = ['reconcile', 'left.csv', 'right.csv', '--key', 'id', '--json'];

async function caughtInTheMiddle(
  args: string[],
  env = {},
): Promise<Running & { attempt: number; cwd: string }> {
  const cwd = temporaryFolder();
  largeSample(cwd);
  const running = start(args, { cwd, env });
  await running.said('1 of 16 chunks');
  return { ...running, attempt: running.attempts()[0] as number, cwd };
}

function chunks(cwd: string): unknown {
  return JSON.parse(readFileSync(join(cwd, 'reconciled/summary.json'), 'utf8')).chunks;
}

test('kill -9 of its process: the next attempt goes on, and no chunk is run twice', async () => {
  const running = await caughtInTheMiddle(command);
  process.kill(running.attempt, 'SIGKILL');
  const { code, stdout, stderr } = await running.ended;
  expect(stderr).toMatch(/Attempt 1: .*SIGKILL.* Attempt 2 of 5 goes on after chunk \d+ of 16\./);
  expect(JSON.parse(stdout)).toMatchObject({ state: 'completed', attempts: 2, left: 60_000 });
  expect(chunks(running.cwd)).toEqual({ total: 16, run: 16 });
  expect(code).toBe(1);
});

test('a process that falls silent is noticed, killed, and the next attempt goes on', async () => {
  const running = await caughtInTheMiddle([...command, '--heartbeat-timeout', '2'], {
    RECONCILIATION_GRACE_SECONDS: '0.2',
  });
  process.kill(running.attempt, 'SIGSTOP');
  const { code, stdout, stderr } = await running.ended;
  expect(stderr).toContain('WARN: Found 1 stuck job(s), forcing timeout');
  expect(stderr).toMatch(/INFO: Successfully timed out stuck job [0-9a-f-]{36}/);
  expect(stderr).toMatch(
    /Attempt 1: no sign of life for .*\(heartbeat timeout\); .*killed by SIGKILL .*its process is gone/,
  );
  expect(JSON.parse(stdout)).toMatchObject({ state: 'completed', attempts: 2 });
  expect(chunks(running.cwd)).toEqual({ total: 16, run: 16 });
  expect(code).toBe(1);
});

test('a run that is not done within --job-timeout ends with 3, and is not tried again', async () => {
  const running = await caughtInTheMiddle([...command, '--job-timeout', '4'], {
    RECONCILIATION_GRACE_SECONDS: '0.2',
  });
  process.kill(running.attempt, 'SIGSTOP');
  const { code, stdout, stderr } = await running.ended;
  expect(JSON.parse(stdout)).toMatchObject({
    state: 'timedOut',
    attempts: 1,
    matched: null,
    report: null,
    error: expect.stringMatching(
      /^timed out: not done in time .*--job-timeout\. \d+ of 16 chunks are done and kept/,
    ),
  });
  expect(stderr).toContain('error: timed out: ');
  expect(code).toBe(3);
});

test('the first design’s recipe: a short timeout in the environment, its log lines, and the job timed out', async () => {
  const cwd = temporaryFolder();
  largeSample(cwd);
  const running = start(command, { cwd, env: { RECONCILIATION_JOB_TIMEOUT_SECONDS: '0.2' } });
  const { code, stdout, stderr } = await running.ended;
  expect(stderr).toContain('WARN: Found 1 stuck job(s), forcing timeout');
  expect(stderr).toContain('INFO: Successfully timed out stuck job ');
  expect(JSON.parse(stdout).state).toBe('timedOut');
  expect(code).toBe(3);
});
