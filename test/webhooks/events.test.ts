// The same notifications inside the process: events of the processor, and channels of node:diagnostics_channel.

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { on } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { defineJob, JobProcessor, type JobStatus } from '../../src/index.ts';
import { capturedLog } from '../support/capturedLog.ts';

const fails = defineJob({
  run: (why: string) => {
    throw new Error(why);
  },
});

async function started(): Promise<JobProcessor<{ fails: typeof fails }>> {
  const processor = new JobProcessor({ engine: 'memory', jobs: { fails }, logger: capturedLog().logger });
  onTestFinished(() => processor.stop());
  return processor.start();
}

test('events.on iterates them', async () => {
  const processor = await started();
  const stop = new AbortController();
  const failures = on(processor, 'failed', { signal: stop.signal });
  await processor.submitMany('fails', ['first', 'second']);
  const messages: (string | undefined)[] = [];
  for await (const [status] of failures) {
    messages.push((status as JobStatus).failure?.message);
    if (messages.length === 2) break;
  }
  expect(messages.sort()).toEqual(['first', 'second']);
});

test('channels tell whoever instruments, without a processor in the hand', async () => {
  const processor = await started();
  const told: [string | symbol, string][] = [];
  const hear = (message: unknown, name: string | symbol) =>
    told.push([name, (message as { job: JobStatus }).job.state]);
  const names = ['queued', 'running', 'failed'].map((event) => `unstuck:job.${event}`);
  for (const name of names) subscribe(name, hear);
  onTestFinished(() => {
    for (const name of names) unsubscribe(name, hear);
  });
  await (await processor.submit('fails', 'x')).result().catch(() => {});
  expect(told).toEqual([
    ['unstuck:job.queued', 'queued'],
    ['unstuck:job.running', 'running'],
    ['unstuck:job.failed', 'failed'],
  ]);
});

test('a listener that rejects is a line of the log, as one that throws', async () => {
  const { logger, lines } = capturedLog();
  const processor = new JobProcessor({ engine: 'memory', jobs: { fails }, logger });
  onTestFinished(() => processor.stop());
  await processor.start();
  processor.on('failed', async () => {
    throw new Error('no mail server');
  });
  await (await processor.submit('fails', 'x')).result().catch(() => {});
  await new Promise(setImmediate);
  expect(lines).toContain("ERROR: a listener of 'failed' threw: no mail server");
});
