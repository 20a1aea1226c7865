// reports.test.ts

import { jobPaths, testProcessor } from 'unstuck/testing';
import { expect, test } from 'vitest';
import 'unstuck/testing/vitest';
import report from '../embedding/report.ts';
import tracedReport from '../observing/report.ts';

test('the report is tried again after 1 s, and after 2 s more', async () => {
  const runtime = await testProcessor({
    jobs: { report },
    retry: { backoff: { kind: 'exponential', seconds: 1 } },
  });
  runtime.fault('fail', { attempt: 1, error: new Error('the database is away') });
  runtime.fault('crash', { attempt: 2, signal: 'SIGKILL' });
  const job = await runtime.submit('report', { month: 'May' });
  await runtime.untilDone(job, { within: '3s' });
  await expect(job).toEndAs('completed', { attempt: 3 });
  expect(await job.result()).toEqual({ title: 'Report of May' });
  await runtime.stop();
});

test('a report with an endless loop is ended after 3 s without a sign of life', async () => {
  const runtime = await testProcessor({ jobs: { report: tracedReport } });
  // Its own loop would never end here: the fault comes first.
  runtime.fault('hang', { attempt: 1, as: 'loop' });
  const job = await runtime.submit('report', { month: 'May' });
  await runtime.advance('3s');
  expect((await job.status()).state).toBe('running');
  await runtime.untilDone(job);
  await expect(job).toEndAs('completed', { attempt: 2 });
  await runtime.stop();
});

for (const path of jobPaths(report, { month: 'May' })) test(path.description, () => path.run());
