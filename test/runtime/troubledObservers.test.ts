// What is told of jobs must not harm them: a log that cannot be written, a metric that cannot be recorded.

import { createAllowListAttributesProcessor, MeterProvider } from '@opentelemetry/sdk-metrics';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { defineJob, JobProcessor, type ProcessorOptions } from '../../src/index.ts';
import { capturedLog } from '../support/capturedLog.ts';

const jobs = {
  quick: defineJob({
    retry: { maxAttempts: 2 },
    run: (n: number, { attempt }) => (attempt > n ? n : fail()),
  }),
  heeds: defineJob({
    run: (_: null, { signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  }),
};
const fail = () => {
  throw new Error('as planned');
};

async function lives(options: Partial<ProcessorOptions<typeof jobs>>): Promise<void> {
  const processor = new JobProcessor({ engine: 'memory', jobs, logger: capturedLog().logger, ...options });
  onTestFinished(() => processor.stop());
  await processor.start();
  expect(await (await processor.submit('quick', 1)).result()).toBe(1);
  const stuck = await processor.submit('heeds', null, { jobTimeoutSeconds: 0.05 });
  await expect(stuck.result()).rejects.toMatchObject({ code: 'ERR_UNSTUCK_JOB_TIMED_OUT' });
  expect(processor.activeJobs.size).toBe(0);
  await processor.stop();
}

test('a log whose destination throws harms no job', async () => {
  const logger = pino(
    { level: 'trace' },
    {
      write() {
        throw new Error('no space left on device');
      },
    },
  );
  await lives({ logger });
});

test('a metric that a view of the app breaks harms no job', async () => {
  const broken = createAllowListAttributesProcessor([]);
  broken.process = () => {
    throw new Error('a view threw');
  };
  const meterProvider = new MeterProvider({
    views: [{ instrumentName: '*', attributesProcessors: [broken] }],
  });
  onTestFinished(() => meterProvider.shutdown());
  await lives({ telemetry: { meterProvider } });
});
