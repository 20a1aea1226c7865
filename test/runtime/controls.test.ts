// Schedules and paused names with several processes on one SQLite file. Real processes, so these wait on the wall clock:
// for what is to happen, and never for how long it takes.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { JobProcessor } from '../../src/index.ts';
import { type ControlsWord, controlledJobs } from '../fixtures/controlsHost.ts';
import { capturedLog } from '../support/capturedLog.ts';
import { SpawnedHost, wait } from '../support/spawnedHost.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'unstuck-'));
  path = join(folder, 'jobs.db');
});
afterEach(() => rmSync(folder, { recursive: true }));

const worker = () =>
  new SpawnedHost<ControlsWord>(new URL('../fixtures/controlsHost.ts', import.meta.url), { path });
const open = () =>
  new JobProcessor({ engine: `sqlite:${path}`, jobs: controlledJobs, logger: capturedLog().logger });

test('three processes tick a schedule once a tick, one of them killed with -9', async () => {
  const client = open();
  await using first = worker();
  await using second = worker();
  await using third = worker();
  const hosts = [first, second, third];
  for (const host of hosts) await host.says('started');
  const { nextTick } = await client.schedule('each second', {
    name: 'first',
    input: null,
    cron: '* * * * * *',
    overlap: 'allow',
  });
  const submitted = async () => Object.values(await client.counts()).reduce((sum, count) => sum + count, 0);
  while ((await submitted()) < 3) await wait(50);
  first.kill();
  await first.ended;
  const before = await submitted();
  while ((await submitted()) < before + 3) await wait(50);
  expect(await client.unschedule('each second')).toBe(true);
  for (const host of [second, third]) {
    host.process.kill('SIGTERM');
    await host.ended;
  }
  const ticks = hosts
    .flatMap(({ words }) => words)
    .flatMap((word) => ('log' in word ? (/by its tick of (\S+)$/.exec(word.log)?.[1] ?? []) : []))
    .sort();
  expect(new Set(ticks).size).toBe(ticks.length);
  // What one stored in the moment in which it was killed it may not have said.
  expect(ticks.length).toBeGreaterThanOrEqual((await submitted()) - 1);
  expect(ticks.length).toBeLessThanOrEqual(await submitted());
  expect(ticks[0]).toBe(nextTick.toISOString());
  await client.stop();
});

test('a pause here holds in another process and in one that starts later, until it is resumed', async () => {
  let id: string;
  {
    await using host = worker();
    await host.says('started');
    const client = open();
    await client.pause('first');
    const paused = await client.submit('first', null);
    id = paused.id;
    // It works, and on others.
    for (let n = 0; n < 5; n += 1)
      expect(await (await client.submit('second', null)).result()).toBe('second');
    expect((await paused.status()).state).toBe('queued');
    await client.stop();
  }
  await using host = worker();
  await host.says('started');
  const client = open();
  expect(await client.paused()).toEqual(['first']);
  expect(await (await client.submit('second', null)).result()).toBe('second');
  const paused = await client.get(id);
  expect((await paused.status()).state).toBe('queued');
  await client.resume('first');
  expect(await paused.result()).toBe('first');
  await client.stop();
});

test('a schedule is kept: set here, it is ticked by a process that starts when this one is gone', async () => {
  const before = open();
  await before.schedule('each second', { name: 'first', input: null, cron: '* * * * * *' });
  await before.stop();
  await using host = worker();
  const { completed } = await host.says('completed');
  const client = open();
  expect((await (await client.get(completed)).status()).name).toBe('first');
  expect((await client.schedules())[0]).toMatchObject({ key: 'each second', name: 'first' });
  await client.stop();
});
