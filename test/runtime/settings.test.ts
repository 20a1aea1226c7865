// Who wins: each number of a job by submit, definition, processor, environment and default; each of a processor by its
// option, environment and default. Read from what is stored, and from what the processor does.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FrozenSettings } from '../../src/engines/engine.ts';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { defineChunkedJob, JobProcessor, type JobSettings, type RetrySettings } from '../../src/index.ts';
import { resolveOptions } from '../../src/runtime/processorOptions.ts';
import { attemptsSetting, numberSettings, processorNumbers } from '../../src/runtime/settings.ts';
import { capturedLog } from '../support/capturedLog.ts';

const { logger } = capturedLog();
const variables = [...numberSettings, ...processorNumbers, attemptsSetting].map(({ variable }) => variable);
const clear = () => {
  for (const variable of variables) delete process.env[variable];
};
beforeEach(clear);
afterEach(clear);

const job = defineChunkedJob({
  module: import.meta.url,
  start: 0,
  *chunks(_: null) {
    yield [1];
  },
  process: () => 1,
});

/** What a job is stored with, where these layers say something. */
async function stored(layers: {
  submit?: JobSettings;
  definition?: JobSettings;
  processor?: JobSettings;
}): Promise<FrozenSettings> {
  const engine = new MemoryEngine();
  const jobs = { job: { ...job, ...layers.definition } };
  await using processor = new JobProcessor({ engine, jobs, logger, ...layers.processor });
  const { id } = await processor.submit('job', null, layers.submit);
  const row = await engine.get(id);
  return row?.settings as FrozenSettings;
}

const ofAJob = [
  ...numberSettings.map(({ name, fallback, variable }) => ({
    name: name as string,
    fallback: fallback as number,
    variable: variable as string,
    layer: (value: number): JobSettings => ({ [name]: value }),
    read: (settings: FrozenSettings) => settings[name],
  })),
  {
    name: 'retry.maxAttempts',
    ...attemptsSetting,
    layer: (maxAttempts: number): JobSettings => ({ retry: { maxAttempts } }),
    read: ({ retry }: FrozenSettings) => retry.maxAttempts,
  },
];

test.each(ofAJob)('$name: submit, definition, processor, environment, default', async (setting) => {
  const { fallback, variable, layer, read } = setting;
  const found = async (layers: Parameters<typeof stored>[0]) => read(await stored(layers));
  const processor = layer(13);
  const definition = layer(12);
  process.env[variable] = '14';
  expect(await found({ submit: layer(11), definition, processor })).toBe(11);
  expect(await found({ definition, processor })).toBe(12);
  expect(await found({ processor })).toBe(13);
  expect(await found({ processor: layer(undefined as never) })).toBe(14);
  delete process.env[variable];
  expect(await found({})).toBe(fallback);
});

test.each(processorNumbers)('$name: option, environment, default', ({ name, fallback, variable }) => {
  const found = (options: object) =>
    resolveOptions({ engine: 'memory', jobs: {}, ...options }, process.env)[name];
  process.env[variable] = '14';
  expect(found({ [name]: 13 })).toBe(13);
  expect(found({})).toBe(14);
  delete process.env[variable];
  expect(found({})).toBe(fallback);
  process.env[variable] = '-1';
  expect(() => found({})).toThrow(`${variable}: expected `);
});

test('what a processor shows as its own defaults is what its jobs get', async () => {
  process.env.RECONCILIATION_JOB_TIMEOUT_SECONDS = '14';
  process.env.RECONCILIATION_MAX_CONCURRENT_JOBS = '3';
  const options = { engine: 'memory' as const, jobs: {}, logger };
  await using processor = new JobProcessor({ ...options, chunkSize: 5, jobTimeoutSeconds: undefined });
  const { chunkSize, jobTimeoutSeconds, maxConcurrentJobs } = processor;
  expect({ chunkSize, jobTimeoutSeconds, maxConcurrentJobs }).toEqual({
    chunkSize: 5,
    jobTimeoutSeconds: 14,
    maxConcurrentJobs: 3,
  });
});

describe('of retry', () => {
  const retryOf = async (submit: RetrySettings, definition: RetrySettings, processor: RetrySettings) =>
    (
      await stored({
        submit: { retry: submit },
        definition: { retry: definition },
        processor: { retry: processor },
      })
    ).retry;

  test('each field has its own nearest; a pause is one whole', async () => {
    process.env.RECONCILIATION_MAX_ATTEMPTS = '9';
    const near = { kind: 'fixed' as const, seconds: 1 };
    const far = { kind: 'exponential' as const, seconds: 7, maxSeconds: 70, jitter: 1 };
    expect(await retryOf({ on: ['failed'] }, { backoff: near }, { backoff: far, on: ['timedOut'] })).toEqual({
      maxAttempts: 9,
      on: ['failed'],
      backoff: { ...near, maxSeconds: Infinity, jitter: 0 },
    });
  });
});

test('a variable that cannot be used is named, and off is Infinity', async () => {
  process.env.RECONCILIATION_MAX_ATTEMPTS = '0';
  expect(() => new JobProcessor({ engine: 'memory', jobs: {}, logger })).toThrow(
    'RECONCILIATION_MAX_ATTEMPTS: expected a whole number, 1 or more, got 0.',
  );
  delete process.env.RECONCILIATION_MAX_ATTEMPTS;
  process.env.RECONCILIATION_JOB_TIMEOUT_SECONDS = 'off';
  expect((await stored({})).jobTimeoutSeconds).toBe(Infinity);
});
