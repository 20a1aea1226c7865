// What the command line tells a target: as a worker, and where a person ends a job that waits.

import { expect, onTestFinished, test } from 'vitest';
import { Receiver, secret } from '../../webhooks/receiver.ts';
import { run } from '../commandLine.ts';
import { JobCommands, registry } from './jobCommands.ts';

async function target(): Promise<Receiver> {
  const receiver = await new Receiver().listen();
  onTestFinished(() => receiver[Symbol.asyncDispose]());
  return receiver;
}

test('a worker tells it of what failed, and of what a person ended from another process while it waited', async () => {
  const ops = await target();
  const environment = { UNSTUCK_WEBHOOK_URL: ops.url, UNSTUCK_WEBHOOK_SECRET: secret };
  const unstuck = new JobCommands(environment);
  const waits = await unstuck.submit('ways', 'return', '--start-after', '1h');
  expect((await unstuck.run('timeout', waits)).code).toBe(0);
  await unstuck.work('--webhook-events', 'failed,timedOut');
  const failed = await unstuck.submit('ways', 'throw');
  await ops.until(() => ops.taken.length === 2);
  expect(ops.story()).toEqual({ [waits]: ['job.timedOut'], [failed]: ['job.failed'] });
});

test.each([
  [
    { UNSTUCK_WEBHOOK_SECRET: '' },
    ['--webhook', 'http://127.0.0.1:1/'],
    'UNSTUCK_WEBHOOK_SECRET: expected whsec_',
  ],
  [{ UNSTUCK_WEBHOOK_SECRET: 'T0KEN' }, ['--webhook', 'http://127.0.0.1:1/'], 'openssl rand -base64 32'],
  [{ UNSTUCK_WEBHOOK_SECRET: secret }, ['--webhook', 'nowhere'], 'UNSTUCK_WEBHOOK_URL: expected an address'],
  [
    { UNSTUCK_WEBHOOK_SECRET: secret },
    ['--webhook', 'http://127.0.0.1:1/', '--webhook-events', 'failed,x'],
    'UNSTUCK_WEBHOOK_EVENTS: expected some of completed',
  ],
])('a target that cannot be used is refused: %j %j', async (env, options, message) => {
  const { cwd } = new JobCommands();
  const { code, stderr } = await run(['work', registry, '--engine', 'sqlite:jobs.db', ...options], {
    cwd,
    env,
  });
  expect(code).toBe(2);
  expect(stderr).toContain(message);
  expect(stderr).not.toContain('T0KEN');
});
