// reconcile.test.ts
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testProcessor } from 'unstuck/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import 'unstuck/testing/vitest';
import endlessLoop from '../reconcile/endlessLoop.ts';
import neverSettles from '../reconcile/neverSettles.ts';
import truth from '../reconcile/truth.json' with { type: 'json' };

const files = join(import.meta.dirname, '../reconcile');
let out: string;
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), 'unstuck-'));
});
afterEach(() => rmSync(out, { recursive: true }));
const input = () => ({ left: join(files, 'bank.csv'), right: join(files, 'ledger.csv'), key: ['id'], out });

// Code that is killed gives its database back, as its process would.
const unwind = true;

test('a reconciliation whose code awaits what never comes goes on from its last chunk', async () => {
  const runtime = await testProcessor({
    jobs: { neverSettles },
    unwind,
    retry: { maxAttempts: 2 },
    patienceSeconds: 2,
  });
  const job = await runtime.submit('neverSettles', input());
  // It waits for ever in the middle of its run; ten minutes without progress are too many.
  await runtime.advance('11m');
  await expect(job).toHaveGone('queued → running → stopping (progress) → retrying → running → completed');
  expect(await job.result()).toMatchObject({ matched: truth.matched, mismatched: truth.mismatched });
  await runtime.stop();
});

test('a reconciliation in an endless loop is ended without a sign of life', async () => {
  const runtime = await testProcessor({ jobs: { endlessLoop }, unwind, retry: { maxAttempts: 2 } });
  // Where its bug is: the loop itself would never end here.
  runtime.fault('hang', { attempt: 1, chunk: 5, as: 'loop' });
  const job = await runtime.submit('endlessLoop', input());
  await runtime.untilDone(job);
  await expect(job).toHaveBeenProvenStopped({ rung: 'terminate' });
  expect(runtime.record(job).startedFrom).toMatchObject([{ chunks: 0 }, { chunks: 4 }]);
  expect(await job.result()).toMatchObject({ matched: truth.matched, mismatched: truth.mismatched });
  await runtime.stop();
});
