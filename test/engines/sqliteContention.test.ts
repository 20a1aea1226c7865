// How long a heartbeat waits while another process commits back to back. Real time, and nothing beside it: the subject is
// what one writer keeps another waiting.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/actors/systemClock.ts';
import { SqliteEngine } from '../../src/engines/sqlite/sqlite.ts';
import { SpawnedHost, wait } from '../support/spawnedHost.ts';
import { plainJob } from './contract.ts';

test('a process that commits back to back does not keep the heartbeats of another waiting', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'unstuck-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'jobs.db');
  const engine = new SqliteEngine({ path });
  await engine.open(systemClock);
  const job = { ...plainJob, name: 'x', input: 'null' };
  await engine.submit([{ ...job, id: 'a', idempotencyKey: null }]);
  const [claimed] = await engine.claim({ owner: 'me', limit: 1, ahead: 0, names: ['x'], leaseMs: 15_000 });
  await using committer = new SpawnedHost<{ committing: true }>(
    new URL('../fixtures/committer.ts', import.meta.url),
    { path },
  );
  await committer.says('committing');
  const worst = async () => {
    const waits = [];
    for (let beat = 0; beat < 100; beat += 1) {
      const began = performance.now();
      await engine.beat(
        [{ id: 'a', token: claimed?.token as string, heartbeatAt: Date.now(), total: null }],
        15_000,
      );
      waits.push(performance.now() - began);
      await wait(10);
    }
    return Math.max(...waits);
  };
  // One that starved would wait for seconds, each time; a machine with other work may pause all of us once.
  const series = [await worst(), await worst(), await worst()];
  expect(await engine.count(['queued'])).toBeGreaterThan(1000);
  expect(Math.min(...series)).toBeLessThan(100);
  await engine.close();
});
