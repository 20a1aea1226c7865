// The processor is killed with -9 again and again, the target fails in all the ways that targets do: every notification
// arrives, in order for each job, each verified by an independent package.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { mulberry32 } from '../../examples/reconcile/generate.ts';
import { JobProcessor } from '../../src/index.ts';
import { SpawnedHost, wait } from '../support/spawnedHost.ts';
import type { HostOrder } from './host.ts';
import { answer, hang, Receiver, secret } from './receiver.ts';

const jobs = 9;
const kills = 5;
const told = ['retrying', 'completed', 'failed', 'timedOut', 'cancelled'];

test('of a processor that is killed with -9, by a target that fails, no notification is lost or out of order', async () => {
  const seed = Date.now() % 1_000_000;
  const random = mulberry32(seed);
  const folder = mkdtempSync(join(tmpdir(), 'unstuck-webhooks-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  await using receiver = await new Receiver().listen();
  const ways: Receiver['mode'][] = [
    answer(500),
    answer(429),
    hang,
    (request) => void request.socket.destroy(),
    (_, response) => void setTimeout(() => response.writeHead(200).end(), 300),
    // It has taken it, and its answer is lost.
    (request, response) => response.writeHead(200).end(() => request.socket.destroy()),
  ];
  receiver.mode = (...call) =>
    (random() < 0.5 ? answer(204) : (ways[Math.floor(random() * ways.length)] as Receiver['mode']))(...call);
  const order: HostOrder = { path: join(folder, 'jobs.db'), url: receiver.url, secret, jobs };
  const host = () => new SpawnedHost<{ started: true }>(new URL('./host.ts', import.meta.url), order);

  for (let kill = 0; kill < kills; kill += 1) {
    const doomed = host();
    await doomed.says('started');
    await wait(300 + random() * 2000);
    doomed.kill();
    await doomed.ended;
    if (kill === 1) await receiver.down();
    if (kill === 3) await receiver.listen();
  }
  receiver.mode = answer(204);
  await using last = host();
  await last.says('started');

  const looker = new JobProcessor({ engine: `sqlite:${order.path}`, jobs: {} });
  onTestFinished(() => looker.stop());
  // Until nothing is left to do.
  for (let isOver = false; !isOver; await wait(200)) {
    const { queued, running, stopping, retrying, completed } = await looker.counts();
    isOver = queued + running + stopping + retrying === 0 && completed >= jobs;
  }
  const expected: Record<string, string[]> = {};
  for await (const { id, name, history } of looker.list())
    if (name === 'troubled')
      expected[id] = history.map(({ state }) => state).filter((state) => told.includes(state));
  expect(Object.keys(expected)).toHaveLength(jobs);
  const story = Object.fromEntries(
    Object.entries(receiver.story()).map(([id, types]) => [id, types.map((type) => type.slice(4))]),
  );
  expect({ seed, story }).toEqual({ seed, story: expected });
}, 150_000);
