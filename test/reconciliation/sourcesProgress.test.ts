// Reading is part of the progress: it is told while it happens, each step once, also where a retry begins it anew.

import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { ReconciliationCheckpoint } from '../../src/reconciliation/index.ts';
import { part, passedSteps, type Report } from '../../src/reconciliation/stagingProgress.ts';
import { Abandoned, reconcile } from './driver.ts';
import { testFolder } from './folder.ts';

test('steps are told as they are passed, the last one never before the end', async () => {
  const done = Promise.withResolvers<void>();
  let report: Report = () => undefined;
  const steps = passedSteps(8, (given) => {
    report = given;
    return done.promise;
  });
  const first = steps.next();
  report(0.1);
  report(0.3);
  expect(await first).toEqual({ done: false, value: 2 });
  const second = steps.next();
  part(report, 0.5, 1)(1);
  expect(await second).toEqual({ done: false, value: 5 });
  report(0.2);
  done.resolve();
  expect(await steps.next()).toEqual({ done: true, value: undefined });
});

test('what goes wrong meanwhile is thrown', async () => {
  const steps = passedSteps(8, async () => {
    throw new Error('no');
  });
  await expect(steps.next()).rejects.toThrow('no');
});

test('a packed file counts from its first bytes; a retry that reads it again counts no step twice', async () => {
  const folder = testFolder();
  let text = 'id,amount\n';
  for (let id = 0; id < 200_000; id += 1) text += `${id},${(id * 7919) % 104_729}\n`;
  const input = {
    left: folder.write('left.csv.gz', gzipSync(text)),
    right: folder.write('right.csv', text),
    key: ['id'],
    out: folder.path('out'),
  };
  let left: ReconciliationCheckpoint | undefined;
  const reading = reconcile(input, {
    onCheckpoint(checkpoint) {
      left = checkpoint;
      return false;
    },
  });
  await expect(reading).rejects.toThrow(Abandoned);
  expect(left).toMatchObject({ staging: null, done: 0, buckets: 16 });
  expect(left!.staged).toBeGreaterThan(0);
  expect(left!.staged).toBeLessThan(16);
  const staged: number[] = [];
  // The driver refuses items that do not add up.
  const summary = await reconcile(input, {
    checkpoint: left!,
    onCheckpoint: (checkpoint) => staged.push(checkpoint.staged) > 0,
  });
  expect(summary).toMatchObject({ matched: 200_000, chunks: { total: 16, run: 16 } });
  expect(staged[0]).toBeGreaterThan(left!.staged);
  expect(staged).toEqual([...staged].sort((one, other) => one - other));
  expect(staged.at(-1)).toBe(16);
});
