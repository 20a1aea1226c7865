// invoices.test.ts

import { checkResumes, jobPaths, type TestProcessor, testProcessor } from 'unstuck/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import 'unstuck/testing/vitest';
import invoices from '../first/invoices.ts';

const jobs = { invoices };
const customers = ['Alice', 'Bob', 'Dave', 'Erin'];

let runtime: TestProcessor<typeof jobs>;
beforeEach(async () => {
  runtime = await testProcessor({ jobs, chunkSize: 2 });
});
afterEach(() => runtime.stop());

test('each customer gets an invoice', async () => {
  const job = await runtime.submit('invoices', { customers });
  await runtime.untilIdle();
  expect(await job.result()).toEqual({ sent: 4 });
  await expect(job).toHaveGone('queued → running → completed');
});

test('a hang in the second chunk is ended, and nobody gets two', async () => {
  runtime.fault('hang', { attempt: 1, chunk: 2 });
  const job = await runtime.submit('invoices', { customers });
  await runtime.advance('1m');
  await expect(job).toHaveGone('queued → running → stopping (heartbeat) → retrying → running → completed');
  await expect(job).toHaveBeenProvenStopped({ rung: 'terminate' });
  expect(await runtime.rows(job)).toEqual([
    { customer: 'Alice', attempt: 1 },
    { customer: 'Bob', attempt: 1 },
    { customer: 'Dave', attempt: 2 },
    { customer: 'Erin', attempt: 2 },
  ]);
});

test('when the server is killed, another one goes on after the last chunk', async () => {
  runtime.fault('crash', { of: 'host', chunk: 2 });
  const job = await runtime.submit('invoices', { customers });
  await runtime.untilDone(job);
  await expect(job).toHaveGone('queued → running → queued → running → completed');
  expect(await runtime.rows(job)).toHaveLength(4);
});

test('a cancel between two chunks keeps what was sent', async () => {
  const steps = runtime.steps('invoices');
  const job = await runtime.submit('invoices', { customers });
  expect(await steps.next()).toMatchObject({ chunk: 1, checkpoint: { sent: 2 } });
  job.cancel('wrong prices');
  await runtime.untilDone(job);
  await expect(job).toEndAs('cancelled', { reason: 'wrong prices' });
  expect(await runtime.rows(job)).toHaveLength(2);
});

// An attempt writes its number into its rows: that is another after a retry.
const row = ({ customer }: { customer: string }) => customer;

for (const path of jobPaths(invoices, { customers }, { submit: { chunkSize: 2 }, row }))
  test(path.description, () => path.run());

test('it goes on rightly from each of its checkpoints', async () => {
  const report = await checkResumes(invoices, { customers }, { submit: { chunkSize: 1 }, row });
  expect(report).toEqual({ chunks: 4, kills: 9 });
});
