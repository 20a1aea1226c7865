// Twenty seconds of chaos: real processes, really killed. `npm run chaos` runs it for longer. A seed of its own each
// time, told where it fails: the kernel's schedule is not in our hands, the choices are.

import { expect, test } from 'vitest';
import { chaos } from './chaos.ts';

test('nothing acknowledged is lost, nothing is there twice, whatever is killed', async () => {
  const report = await chaos({ seconds: 20, seed: Date.now() % 1_000_000, progress: () => {} });
  expect(report).toMatchObject({ lost: 0, doubled: 0, chunksRepeatedAfterCheckpoint: 0, settledTwice: 0 });
  expect(report.kills).toBeGreaterThan(5);
  expect(report.completed).toBe(report.submitted);
  expect(report.acknowledged).toBeGreaterThan(0);
});
