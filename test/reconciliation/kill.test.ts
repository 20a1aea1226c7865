// However often its process is killed, a reconciliation runs each chunk once and reports the same.
// Real processes and real kills, so these tests wait on the wall clock.

import { existsSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { generateSample } from '../../examples/reconcile/generate.ts';
import type { ReconciliationInput, ReconciliationSummary } from '../../src/reconciliation/index.ts';
import type { ReconciliationCheckpoint } from '../../src/reconciliation/job.ts';
import { reconcile } from './driver.ts';
import { expected, testFolder } from './folder.ts';
import { attempt } from './killedAttempt.ts';

test('killed at three random moments, it resumes, runs no chunk twice and reports the same', async () => {
  const folder = testFolder();
  const sample = generateSample({ rows: 20_000, seed: 5 });
  const input = (out: string): ReconciliationInput => ({
    left: folder.write('bank.csv', sample.left),
    right: folder.write('ledger.csv', sample.right),
    key: ['id'],
    out: folder.path(out),
  });
  const calm = await reconcile(input('calm'));

  const killed = input('killed');
  const delays = [0, 1, 2].map(() => Math.random() * 80);
  let checkpoint: ReconciliationCheckpoint | null = null;
  for (const delay of delays) {
    const before: number = checkpoint?.done ?? 0;
    const ended = await attempt(killed, checkpoint, { after: 2, delay });
    expect(ended.summary, `kills ${delays} ms after a checkpoint`).toBeNull();
    expect(ended.checkpoint!.done).toBeGreaterThan(before);
    expect(existsSync(folder.path('killed/summary.json'))).toBe(false);
    checkpoint = ended.checkpoint;
  }
  const { summary } = await attempt(killed, checkpoint);

  expect(summary).toMatchObject(expected({ ...sample.truth }));
  expect(summary!.chunks, `kills ${delays} ms after a checkpoint`).toEqual({ total: 16, run: 16 });
  expect(summary!.staging).toBe(checkpoint!.staging);
  expect({ ...summary, report: '', staging: '' }).toEqual({ ...calm, report: '', staging: '' });
  for (const name of ['differences.csv', 'only-left.csv', 'only-right.csv', 'duplicates.csv']) {
    expect(folder.read(`killed/${name}`)).toBe(folder.read(`calm/${name}`));
  }
  expect(readdirSync(folder.path('killed')).sort()).toEqual(readdirSync(folder.path('calm')).sort());
});

test('killed at ten random moments of its whole life, it reports the same to the byte', async () => {
  const folder = testFolder();
  const rows = Number(process.env.UNSTUCK_KILL_ROWS ?? 30_000);
  const sample = generateSample({ rows, seed: 9 });
  const input = (out: string): ReconciliationInput => ({
    left: folder.write('bank.csv', sample.left),
    right: folder.write('ledger.csv', sample.right),
    key: ['id'],
    out: folder.path(out),
  });
  const calmInput = input('calm');
  const startedAt = performance.now();
  const calm = await attempt(calmInput, null);
  const tookMs = performance.now() - startedAt;
  expect(calm.summary).toMatchObject(expected({ ...sample.truth }));

  const killed = input('killed');
  let checkpoint: ReconciliationCheckpoint | null = null;
  let summary: ReconciliationSummary | null = null;
  const moments: string[] = [];
  for (let kill = 0; kill < 10 && summary === null; kill += 1) {
    // Each takes up what the ones before have done, and is that much shorter.
    const delay = Math.random() * tookMs * (1 - kill / 20);
    const ended = await attempt(killed, checkpoint, { after: 0, delay });
    ({ checkpoint, summary } = ended);
    moments.push(`${Math.round(delay)} ms: ${checkpoint?.done ?? 0} done`);
  }
  summary ??= (await attempt(killed, checkpoint)).summary;
  expect({ ...summary, report: '', staging: '' }, moments.join(', ')).toEqual({
    ...{ ...calm.summary, report: '', staging: '' },
  });
  expect(readdirSync(folder.path('killed')).sort()).toEqual(readdirSync(folder.path('calm')).sort());
  for (const name of readdirSync(folder.path('calm'))) {
    if (name !== 'summary.json') {
      expect(folder.read(`killed/${name}`) === folder.read(`calm/${name}`), `${name}; ${moments}`).toBe(true);
    }
  }
}, 600_000);

test('killed while it stages, it leaves nothing that looks complete', async () => {
  const folder = testFolder();
  const sample = generateSample({ rows: 50_000, seed: 6 });
  const input: ReconciliationInput = {
    left: folder.write('bank.csv', sample.left),
    right: folder.write('ledger.csv', sample.right),
    key: ['id'],
    out: folder.path('out'),
  };
  for (const delay of [300, 500]) {
    const ended = await attempt(input, null, { after: 0, delay });
    expect(ended.summary).toBeNull();
  }
  expect(await reconcile(input)).toMatchObject({
    ...expected({ ...sample.truth }),
    chunks: { total: 16, run: 16 },
  });
});

test('while one process works in an out folder, another is refused and harms nothing', async () => {
  const folder = testFolder();
  const sample = generateSample({ rows: 2000, seed: 8 });
  const input: ReconciliationInput = {
    left: folder.write('bank.csv', sample.left),
    right: folder.write('ledger.csv', sample.right),
    key: ['id'],
    out: folder.path('out'),
  };
  const refused: unknown[] = [];
  let others = Promise.resolve();
  const summary = await reconcile(input, {
    onCheckpoint({ done }) {
      if (done === 1) {
        // From this process and from another.
        others = Promise.all([
          reconcile({ ...input, fresh: true }).catch((error) => refused.push(error.message)),
          attempt(input, null).then((ended) => refused.push(ended.error)),
        ]).then(() => undefined);
      }
    },
  });
  await others;
  expect(summary).toMatchObject(expected({ ...sample.truth }));
  const message = `${folder.path('out')}: expected an out folder that no other run works in, got one in use. Wait for that run, or choose another out.`;
  expect(refused).toEqual([message, message]);
});
