// Bad input is told before anything is stored: the field, what was expected, what came.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  ConfigurationError,
  defineChunkedJob,
  defineJob,
  InputError,
  JobProcessor,
} from '../../src/index.ts';
import { capturedLog } from '../support/capturedLog.ts';

const { logger } = capturedLog();
const jobs = {
  any: defineJob({ run: (input: unknown) => input }),
  checked: defineJob({
    input: {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value: unknown) =>
          typeof (value as { n?: unknown }).n === 'number'
            ? { value: value as { n: number } }
            : {
                issues: [
                  { message: `expected a number, got ${typeof (value as { n?: unknown }).n}.`, path: ['n'] },
                ],
              },
      },
    },
    run: (input: { n: number }) => input.n + 1,
  }),
};
const options = { engine: 'memory' as const, jobs, logger };
let processor: JobProcessor<typeof jobs>;

beforeEach(async () => {
  processor = await new JobProcessor(options).start();
});
afterEach(() => processor.stop());

describe('a processor refuses', () => {
  test.each([
    [{ maxConcurrentJobs: 0 }, 'maxConcurrentJobs: expected a whole number, 1 or more, got 0.'],
    [{ jobTimeoutSeconds: -1 }, 'jobTimeoutSeconds: expected seconds above 0, or Infinity for off, got -1.'],
    [
      { monitorIntervalSeconds: 0 },
      'monitorIntervalSeconds: expected seconds above 0, or Infinity for off, got 0.',
    ],
    [
      { heartbeatTimeoutSeconds: '60' },
      'heartbeatTimeoutSeconds: expected seconds above 0, or Infinity for off, got "60".',
    ],
    [
      { keepCompletedSeconds: 0 },
      'keepCompletedSeconds: expected seconds above 0, or Infinity for off, got 0.',
    ],
    [{ graceSeconds: Infinity }, 'graceSeconds: expected seconds, 0 or more, got Infinity.'],
    [{ chunkSize: 1.5 }, 'chunkSize: expected a whole number, 1 or more, got 1.5.'],
    [{ retry: { maxAttempts: 0 } }, 'retry.maxAttempts: expected a whole number, 1 or more, got 0.'],
    [
      { retry: { backoff: { kind: 'exponential', seconds: 1, jitter: 2 } } },
      'retry.backoff.jitter: expected a part of the pause, 0 to 1, got 2.',
    ],
    [{ retry: { on: ['cancelled'] } }, "retry.on: expected 'failed' or 'timedOut', got \"cancelled\"."],
    [
      { engine: undefined },
      "engine: expected 'memory', 'sqlite:FILE' or 'postgres://HOST/DATABASE', got nothing. It has no default: say where jobs are kept.",
    ],
    [{ jobs: { x: 1 } }, 'jobs.x: expected a job of defineJob or defineChunkedJob, got 1.'],
    [{ spares: -1 }, 'spares: expected a whole number, 0 or more, got -1.'],
    [{ onSlotsLost: 'die' }, "onSlotsLost: expected 'stay' or 'exit', got \"die\"."],
    [{ maxCrashes: 0 }, 'maxCrashes: expected a whole number, 1 or more, or Infinity, got 0.'],
    [{ memoryLimitMb: 0 }, 'memoryLimitMb: expected megabytes above 0, or Infinity for off, got 0.'],
    [
      { jobs: { x: { ...jobs.any, memoryLimitMb: 100 } } },
      "jobs.x.memoryLimitMb: expected a job with isolation 'process', got one with 'inline'.",
    ],
    [{ timeout: 5 }, 'timeout: expected a known option, got an unknown one.'],
  ])('%o', (wrong, message) => {
    expect(() => new JobProcessor({ ...options, ...wrong } as never)).toThrow(ConfigurationError);
    expect(() => new JobProcessor({ ...options, ...wrong } as never)).toThrow(message);
  });

  test.each([
    ['RECONCILIATION_JOB_TIMEOUT_SECONDS', 'soon', 'expected a number of seconds, or off, got "soon"'],
    ['RECONCILIATION_HEARTBEAT_TIMEOUT_SECONDS', '0', 'expected seconds above 0, or Infinity for off, got 0'],
    [
      'RECONCILIATION_MONITOR_INTERVAL_SECONDS',
      '-5',
      'expected seconds above 0, or Infinity for off, got -5',
    ],
  ])('%s=%s', (variable, value, message) => {
    process.env[variable] = value;
    try {
      expect(() => new JobProcessor(options)).toThrow(`${variable}: ${message}`);
    } finally {
      delete process.env[variable];
    }
  });
});

describe('a definition is refused', () => {
  test.each([
    [() => defineJob({} as never), 'run: expected a function, got nothing.'],
    [
      () => defineChunkedJob({ chunks: () => [], process: () => 1 } as never),
      'start: expected the first checkpoint, got nothing.',
    ],
    [
      () => defineJob({ run: () => 1, isolation: 'process' }),
      'module: expected the file of an isolated job, got nothing.',
    ],
    [
      () => defineJob({ run: () => 1, isolation: 'thread' }),
      'module: expected the file of an isolated job, got nothing.',
    ],
    [
      () => defineJob({ run: () => 1, module: 'a.ts', isolation: 'thread', memoryLimitMb: 100 }),
      "memoryLimitMb: expected a job with isolation 'process', got one with 'thread'. A thread shares the memory of its host.",
    ],
    [
      () => defineJob({ run: () => 1, module: 'a.ts', reuse: 1 as never }),
      'reuse: expected true or false, got 1.',
    ],
    [
      () => defineJob({ run: () => 1, isolation: 'vm' as never }),
      "isolation: expected 'process', 'thread' or 'inline', got \"vm\".",
    ],
  ])('%#', (define, message) => {
    expect(define).toThrow(message);
  });
});

describe('a submission is refused, and nothing stored', () => {
  const circle: { self?: unknown } = {};
  circle.self = circle;
  test.each([
    [{ a: [1, () => 1] }, 'input.a[1]: expected JSON, got a function.'],
    [{ big: 1n }, 'input.big: expected JSON, got a bigint.'],
    [{ map: new Map() }, 'input.map: expected JSON, got a Map.'],
    [{ n: Number.NaN }, 'input.n: expected JSON, got NaN.'],
    [[undefined], 'input[0]: expected JSON, got undefined.'],
    [circle, 'input.self: expected JSON, got a circle.'],
    ['x'.repeat(11_000_000), 'input: expected at most 10485760 bytes of JSON, got 11000002.'],
  ])('%#', async (input, message) => {
    const error = await processor.submit('any', input).catch((reason) => reason);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toContain(message);
    expect(await processor.jobQueue.size()).toBe(0);
  });

  test('by its schema, with the path', async () => {
    await expect(processor.submit('checked', { n: 'x' } as never)).rejects.toThrow(
      'input.n: expected a number, got string.',
    );
    expect(await (await processor.submit('checked', { n: 1 })).result()).toBe(2);
  });

  test.each([
    ['nobody', {}, 'name: expected a job of the registry (any, checked), got "nobody".'],
    ['any', { priority: Number.NaN }, 'priority: expected a number between -1e9 and 1e9, got NaN.'],
    ['any', { startAfter: 'tomorrow' }, 'startAfter: expected a valid Date, got "tomorrow".'],
    ['any', { idempotencyKey: '' }, 'idempotencyKey: expected a string that is not empty, got "".'],
    [
      'any',
      { memoryLimitMb: 64 },
      "memoryLimitMb: expected a job with isolation 'process', got one with 'inline'.",
    ],
    ['any', { delay: 5 }, 'delay: expected a known option, got an unknown one.'],
    ['any', { deadlineSeconds: 0 }, 'deadlineSeconds: expected seconds above 0, or Infinity for off, got 0.'],
  ])('%s %o', async (name, wrong, message) => {
    await expect(processor.submit(name as 'any', null, wrong as never)).rejects.toThrow(message);
  });

  test('with a known idempotency key and another input', async () => {
    const first = await processor.submit('any', { a: 1 }, { idempotencyKey: 'k' });
    expect((await processor.submit('any', { a: 1 }, { idempotencyKey: 'k' })).id).toBe(first.id);
    await expect(processor.submit('any', { a: 2 }, { idempotencyKey: 'k' })).rejects.toThrow(
      'expected the input of job',
    );
  });
});

test('a cancel with a reason that is no string is refused, and nothing done', async () => {
  const job = await processor.submit('any', 1, { startAfter: new Date(Date.now() + 3_600_000) });
  await expect(job.cancel(new Error('shutdown') as never)).rejects.toThrow(
    'reason: expected a string, got an object.',
  );
  expect((await job.status()).state).toBe('queued');
});

test('who asks for a job that is not there is told', async () => {
  await expect(processor.get('nobody')).rejects.toThrow(
    'job nobody: expected a job of this engine, found none.',
  );
});

test('updates give the latest and end with the final state; list is newest first', async () => {
  const job = await processor.submit('any', 1);
  const seen = [];
  for await (const { state } of job.updates()) seen.push(state);
  expect(seen.at(-1)).toBe('completed');
  const second = await processor.submit('any', 2);
  await second.result();
  const listed = [];
  for await (const { id } of processor.list({ state: 'completed' })) listed.push(id);
  expect(listed).toEqual([second.id, job.id]);
});

test('many are submitted at once, all or none, and bad input is named by its place', async () => {
  const submitted = await processor.submitMany('checked', [{ n: 1 }, { n: 2 }, { n: 3 }]);
  expect(await Promise.all(submitted.map((job) => job.result()))).toEqual([2, 3, 4]);
  const before = await processor.counts();
  await expect(processor.submitMany('checked', [{ n: 1 }, {} as { n: number }])).rejects.toThrow(
    'inputs[1].n: expected a number, got undefined.',
  );
  await expect(processor.submitMany('checked', { n: 1 } as never)).rejects.toThrow(
    'inputs: expected an array',
  );
  await expect(processor.submitMany('any', [1], { idempotencyKey: 'k' } as never)).rejects.toThrow(
    'idempotencyKey: expected submit(), for one job, got submitMany().',
  );
  expect(await processor.counts()).toEqual(before);
  expect(await processor.submitMany('any', [])).toEqual([]);
});

test('a list goes on behind a job, and covers a stretch of time', async () => {
  const began = new Date();
  const ids = [];
  for (const job of await processor.submitMany('any', [1, 2, 3, 4, 5])) ids.unshift(job.id);
  const listed = async (query: Parameters<typeof processor.list>[0]) => {
    const found = [];
    for await (const { id } of processor.list(query)) found.push(id);
    return found;
  };
  expect(await listed({ limit: 2 })).toEqual(ids.slice(0, 2));
  expect(await listed({ limit: 2, after: ids[1] as string })).toEqual(ids.slice(2, 4));
  expect(await listed({ from: began })).toEqual(ids);
  expect(await listed({ before: began })).toEqual([]);
});

test('a job is found by its idempotency key, which its status tells', async () => {
  const job = await processor.submit('any', 1, { idempotencyKey: 'invoice 7' });
  await processor.submit('any', 1, { idempotencyKey: 'invoice 8' });
  const found = [];
  for await (const { id, idempotencyKey } of processor.list({ key: 'invoice 7' }))
    found.push({ id, idempotencyKey });
  expect(found).toEqual([{ id: job.id, idempotencyKey: 'invoice 7' }]);
  await job.result();
  const repeated = await processor.retry(job.id);
  expect((await repeated.status()).idempotencyKey).toBeNull();
});

test.each([
  [{ state: 'done' }, 'state: expected one of queued, running, stopping'],
  [{ limit: 0 }, 'limit: expected a whole number, 1 or more, or Infinity, got 0.'],
  [{ from: '2026' }, 'from: expected a valid Date, got "2026".'],
  [{ after: 7 }, 'after: expected a string, got 7.'],
  [{ key: 7 }, 'key: expected a string, got 7.'],
  [{ after: 'nobody' }, 'job nobody: expected a job of this engine, found none.'],
  [{ page: 2 }, 'page: expected one of state, name, key, from, before, after, limit, got an unknown field.'],
])('a list refuses %j', async (query, message) => {
  const listed = processor.list(query as never)[Symbol.asyncIterator]();
  await expect(listed.next()).rejects.toThrow(message);
});

test('who waits for a job when the processor stops is told, and who asks later too', async () => {
  const waiting = await processor.submit('any', 1, { startAfter: new Date(Date.now() + 3_600_000) });
  const result = waiting.result();
  const stopped = 'the processor is stopped';
  const told = expect(result).rejects.toThrow(stopped);
  await Promise.all([processor.stop(), processor.stop()]);
  await told;
  await expect(processor.submit('any', 1)).rejects.toThrow(stopped);
  await expect(processor.start()).rejects.toThrow('expected a new processor, got a stopped one');
});

test('a listener that throws harms no job, and is logged', async () => {
  processor.on('running', () => {
    throw new Error('of the app');
  });
  expect(await (await processor.submit('any', 3)).result()).toBe(3);
});

test('a job that changes its checkpoint in place does not change the next job, nor does what it throws harm the host', async () => {
  const own = new JobProcessor({
    engine: 'memory',
    logger,
    jobs: {
      mutates: defineChunkedJob({
        start: { n: 0 },
        *chunks(_: null) {
          yield [1];
        },
        process(_chunk, { checkpoint }) {
          checkpoint.n += 1;
          return checkpoint;
        },
      }),
      throws: defineJob({
        run: (_: null) => {
          throw Object.create(null);
        },
      }),
      appendsLate: defineChunkedJob({
        start: 0,
        *chunks(_: null, { append }) {
          yield [1];
          append({ late: true });
        },
        process: () => 1,
      }),
    },
  });
  await own.start();
  for (let round = 0; round < 3; round += 1) {
    const counted: { n: number } = await (await own.submit('mutates', null)).result();
    expect(counted).toEqual({ n: 1 });
  }
  await expect((await own.submit('throws', null)).result()).rejects.toThrow(
    'a value was thrown that cannot be shown',
  );
  await expect((await own.submit('appendsLate', null)).result()).rejects.toThrow(
    'append: expected rows in process()',
  );
  await own.stop();
});

// Types: these lines compile, and the ones marked would not without their mark.
test('inputs and results are typed by the registry', async () => {
  const typed = new JobProcessor({
    engine: 'memory',
    logger,
    jobs: { none: defineJob({ run: () => 'x' }), plus: defineJob({ run: (input: number) => input + 1 }) },
  });
  await typed.start();
  const text: string = await (await typed.submit('none')).result();
  const sum: number = await (await typed.submit('plus', 1)).result();
  // @ts-expect-error: a number, not a text
  const wrong: string = await (await typed.submit('plus', 1)).result();
  // @ts-expect-error: the input is missing
  await (await typed.submit('plus')).result();
  expect([text, sum, wrong]).toEqual(['x', 2, 2]);
  await typed.stop();
});

test('who stops reading updates while none comes is let go at once', async () => {
  const waiting = await processor.submit('any', 1, { startAfter: new Date(Date.now() + 3_600_000) });
  const updates = waiting.updates()[Symbol.asyncIterator]();
  expect((await updates.next()).value).toMatchObject({ state: 'queued' });
  const next = updates.next();
  await updates.return?.();
  expect(await next).toEqual({ done: true, value: undefined });
  const told = waiting.updates()[Symbol.asyncIterator]();
  await told.next();
  const pending = expect(told.next()).rejects.toThrow('the processor is stopped');
  await processor.stop();
  await pending;
});
