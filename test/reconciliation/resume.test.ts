// What a run with the same out folder takes up, and what it does not.

import { existsSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { expect, test } from 'vitest';
import { generateSample } from '../../examples/reconcile/generate.ts';
import { openDatabase } from '../../src/reconciliation/database.ts';
import type { ReconciliationInput } from '../../src/reconciliation/index.ts';
import type { ReconciliationCheckpoint } from '../../src/reconciliation/job.ts';
import { Abandoned, reconcile } from './driver.ts';
import { expected, type Folder, testFolder } from './folder.ts';

const sample = generateSample({ rows: 1500, seed: 3 });

function inputIn(folder: Folder): ReconciliationInput {
  return {
    left: folder.write('bank.csv', sample.left),
    right: folder.write('ledger.csv', sample.right),
    key: ['id'],
    out: folder.path('out'),
  };
}

/** Runs `chunks` chunks and stops there. */
async function abandonAfter(
  input: ReconciliationInput,
  chunks: number,
  checkpoint: ReconciliationCheckpoint | null = null,
): Promise<ReconciliationCheckpoint> {
  let last = checkpoint;
  const run = reconcile(input, {
    checkpoint,
    onCheckpoint(next) {
      last = next;
      return next.done < chunks;
    },
  });
  await expect(run).rejects.toThrow(Abandoned);
  return last!;
}

test('a new run of the same inputs resumes where the last one was left', async () => {
  const folder = testFolder();
  const input = inputIn(folder);
  const left = await abandonAfter(input, 5);
  const seen: number[] = [];
  const summary = await reconcile(input, { onCheckpoint: ({ done }) => seen.push(done) > 0 });
  expect(seen[0]).toBe(6);
  expect(summary.staging).toBe(left.staging);
  expect(summary).toMatchObject({ ...expected({ ...sample.truth }), chunks: { total: 16, run: 16 } });
});

test('a checkpoint that got lost after its chunk was done runs that chunk no second time', async () => {
  const folder = testFolder();
  const input = inputIn(folder);
  const third = await abandonAfter(input, 3);
  await abandonAfter(input, 5, third);
  const summary = await reconcile(input, { checkpoint: third });
  expect(summary.chunks).toEqual({ total: 16, run: 16 });
});

test('fresh starts over, but a retry of the fresh run resumes', async () => {
  const folder = testFolder();
  const input = inputIn(folder);
  const old = await abandonAfter(input, 5);
  const fresh = await abandonAfter({ ...input, fresh: true }, 2);
  expect(fresh.staging).not.toBe(old.staging);
  const summary = await reconcile({ ...input, fresh: true }, { checkpoint: fresh });
  expect(summary.staging).toBe(fresh.staging);
  expect(summary.chunks).toEqual({ total: 16, run: 16 });
});

test('a changed file, column choice or tolerance starts over', async () => {
  const folder = testFolder();
  const input = inputIn(folder);
  const first = await abandonAfter(input, 5);
  const second = await abandonAfter({ ...input, tolerance: { amount: 0.01 } }, 5);
  expect(second.staging).not.toBe(first.staging);
  const third = await abandonAfter({ ...input, ignore: ['amount'] }, 5);
  expect(third.staging).not.toBe(second.staging);
  folder.write('bank.csv', sample.left.replace('TX-0000001,', 'TX-9999999,'));
  const fourth = await abandonAfter({ ...input, ignore: ['amount'] }, 5);
  expect(fourth.staging).not.toBe(third.staging);
  utimesSync(input.right, new Date(), new Date(0));
  const summary = await reconcile({ ...input, ignore: ['amount'] });
  expect(summary.staging).not.toBe(fourth.staging);
  expect(summary.chunks).toEqual({ total: 16, run: 16 });
});

test('where the staging of the checkpoint is gone, as on another machine, all chunks run again', async () => {
  const folder = testFolder();
  const input = inputIn(folder);
  const checkpoint = await abandonAfter(input, 5);
  rmSync(folder.path('out/.staging'), { recursive: true });
  let last: ReconciliationCheckpoint | undefined;
  // The driver refuses progress that does not add up: here the items of the lost staging count twice.
  const run = reconcile(input, {
    checkpoint,
    onCheckpoint(next) {
      last = next;
    },
  });
  await expect(run).rejects.toThrow('37 items, 16 done, 32 in all');
  expect(await reconcile(input, { checkpoint: last! })).toMatchObject(expected({ ...sample.truth }));
});

test('killed after its reports were written, it gives the same summary and runs nothing again', async () => {
  const folder = testFolder();
  const input = inputIn(folder);
  let last: ReconciliationCheckpoint | undefined;
  const first = await reconcile(input, {
    onCheckpoint(next) {
      last = next;
    },
  });
  const again = await reconcile(input, {
    checkpoint: last!,
    onCheckpoint: () => expect.fail('a chunk was run'),
  });
  expect(again).toEqual(first);
});

test('the reports of the last run stand until those of the next are whole, and the staging goes with success', async () => {
  const folder = testFolder();
  const input = inputIn(folder);
  const malformed = { ...input, left: folder.write('malformed.csv', `${sample.left}too,few\n`) };
  const first = await reconcile(malformed);
  expect(first.rejected).toEqual({ left: 1, right: 0 });
  expect(readdirSync(folder.path('out')).sort()).toEqual([
    'differences.csv',
    'duplicates.csv',
    'only-left.csv',
    'only-right.csv',
    'rejected.csv',
    'report.html',
    'summary.json',
  ]);
  const differences = folder.read('out/differences.csv');
  await abandonAfter(input, 15);
  expect(folder.read('out/differences.csv')).toBe(differences);
  expect(existsSync(folder.path('out/rejected.csv'))).toBe(true);
  await reconcile(input);
  expect(existsSync(folder.path('out/rejected.csv'))).toBe(false);
  expect(existsSync(folder.path('out/.staging'))).toBe(false);
});

test('a staging that cannot be opened is thrown away', async () => {
  const folder = testFolder();
  const input = inputIn(folder);
  folder.write('out/.staging/staging.duckdb', 'no database at all');
  expect(await reconcile(input)).toMatchObject(expected({ ...sample.truth }));
});

// The two below wait on the wall clock: how soon a stop takes is what they are about.
test('an aborted signal ends a long query within a second', async () => {
  const folder = testFolder();
  const stop = new AbortController();
  const file = folder.path('long.duckdb');
  const database = await openDatabase({
    file,
    temp: folder.path('temp'),
    memory: '100MB',
    signal: stop.signal,
  });
  const query = database.run(
    'SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE (a.range * b.range) % 7 = 3',
  );
  const reason = new Error('asked to stop');
  const ended = expect(query).rejects.toBe(reason);
  setTimeout(() => stop.abort(reason), 100);
  const started = performance.now();
  await ended;
  expect(performance.now() - started).toBeLessThan(1100);
  database.close();
});

test('a signal aborted while it compares ends the attempt, and the next one resumes', async () => {
  const folder = testFolder();
  const input = inputIn(folder);
  const stop = new AbortController();
  const reason = new Error('asked to stop');
  let last: ReconciliationCheckpoint | undefined;
  const run = reconcile(input, {
    signal: stop.signal,
    onCheckpoint(next) {
      last = next;
      if (next.done === 4) setTimeout(() => stop.abort(reason), 20);
    },
  });
  await expect(run).rejects.toBe(reason);
  const summary = await reconcile(input, { checkpoint: last! });
  expect(summary).toMatchObject({ ...expected({ ...sample.truth }), chunks: { total: 16, run: 16 } });
});
