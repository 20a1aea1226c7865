// The fold over chunks: what it makes of what a job's author wrote, and how it says what is wrong with it.

import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { type AttemptHost, type AttemptStart, foldChunks } from '../../src/actors/foldChunks.ts';
import type { ChunkedJobCode, JobContext } from '../../src/actors/jobCode.ts';

const start: AttemptStart = {
  jobId: 'job',
  name: 'sum',
  attempt: 1,
  token: 'token',
  input: '[[1,2],[],[3]]',
  checkpoint: null,
  chunksDone: 3,
  chunkSize: 2,
  trace: null,
};

function host() {
  const told: unknown[] = [];
  const aborter = new AbortController();
  const attempt: AttemptHost = {
    signal: aborter.signal,
    log: pino({ enabled: false }),
    heartbeat: () => told.push('heartbeat'),
    total: (items) => told.push({ items }),
    saveCheckpoint: async (checkpoint, rows, items) => void told.push({ checkpoint, rows, items }),
  };
  return { told, aborter, attempt };
}

const sum: ChunkedJobCode<number[][], number, number, number> = {
  start: 0,
  chunks: (input) => input,
  process(chunk, { checkpoint, append }) {
    append({ last: chunk.at(-1) });
    return chunk.reduce((total, item) => total + item, checkpoint);
  },
};

test('each chunk is a checkpoint with its rows, an empty one a sign of life; the last checkpoint is the result', async () => {
  const { told, attempt } = host();
  expect(await foldChunks({ ...sum, total: (input) => input.flat().length }, start, attempt)).toBe('6');
  expect(told).toEqual([
    { items: 3 },
    { checkpoint: '3', rows: ['{"last":2}'], items: 2 },
    'heartbeat',
    { checkpoint: '6', rows: ['{"last":3}'], items: 1 },
  ]);
});

test('a retry goes on from the stored checkpoint', async () => {
  const { told, attempt } = host();
  expect(await foldChunks(sum, { ...start, checkpoint: '10' }, attempt)).toBe('16');
  expect(told[0]).toEqual({ checkpoint: '13', rows: ['{"last":2}'], items: 2 });
});

test('its code is told which attempt of which job it is, and what a chunk should hold', async () => {
  const { attempt } = host();
  const seen: unknown[] = [];
  const code: ChunkedJobCode<number[][], number, number, null> = {
    ...sum,
    chunks(_, { jobId, attempt, token, chunkSize, signal, ...context }) {
      seen.push({ jobId, attempt, token, chunkSize }, signal, context.input);
      return [];
    },
    result: () => null,
  };
  await foldChunks(code, start, attempt);
  const { jobId, attempt: number, token, chunkSize, input } = start;
  expect(seen).toEqual([{ jobId, attempt: number, token, chunkSize }, attempt.signal, JSON.parse(input)]);
});

test('what a job makes of its last checkpoint is its result', async () => {
  const { attempt } = host();
  const code = { ...sum, result: (checkpoint: number) => ({ mean: checkpoint / 3 }) };
  expect(await foldChunks(code, start, attempt)).toBe('{"mean":2}');
});

test('a sign of life by hand reaches the host', async () => {
  const { told, attempt } = host();
  await foldChunks({ run: (_: unknown, { heartbeat }: JobContext) => heartbeat() }, start, attempt);
  expect(told).toEqual(['heartbeat']);
});

test('a job of our own sees what its host gave it, others see nothing of it', async () => {
  const code = { run: (_: unknown, context: object) => Object.keys(context).includes('given') };
  expect(await foldChunks(code, { ...start, given: 7 }, host().attempt)).toBe('true');
  expect(await foldChunks(code, start, host().attempt)).toBe('false');
});

test('an attempt that was asked to stop before it began does not begin', async () => {
  const { told, aborter, attempt } = host();
  aborter.abort(new Error('enough'));
  await expect(foldChunks(sum, start, attempt)).rejects.toThrow('enough');
  expect(told).toEqual([]);
});

test('one function is not begun either', async () => {
  const { aborter, attempt } = host();
  aborter.abort(new Error('enough'));
  await expect(foldChunks({ run: () => expect.unreachable() }, start, attempt)).rejects.toThrow('enough');
});

test('asked to stop while it looks for the next chunk, it does not process that', async () => {
  const { told, aborter, attempt } = host();
  const code = {
    ...sum,
    *chunks() {
      yield [1];
      aborter.abort(new Error('enough'));
      yield [2];
    },
  };
  await expect(foldChunks(code, start, attempt)).rejects.toThrow('enough');
  expect(told).toEqual([{ checkpoint: '1', rows: ['{"last":1}'], items: 1 }]);
});

test('asked to stop, and out of chunks for that, it is not done', async () => {
  const { aborter, attempt } = host();
  const code = {
    ...sum,
    *chunks() {
      yield [1];
      // As a query that was interrupted: it ends as if there were no more.
      aborter.abort(new Error('enough'));
    },
  };
  await expect(foldChunks(code, start, attempt)).rejects.toThrow('enough');
});

describe('what cannot be stored is named', () => {
  test.each([
    ['start: expected JSON, got NaN.', { ...sum, start: Number.NaN }],
    ['checkpoint: expected JSON, got NaN.', { ...sum, process: () => Number.NaN }],
    ['result: expected JSON, got NaN.', { ...sum, result: () => Number.NaN }],
    ['result: expected JSON, got NaN.', { run: () => Number.NaN }],
    [
      'row.last: expected JSON, got NaN.',
      {
        ...sum,
        process(_: number[], { append }: { append(row: object): void }) {
          append({ last: Number.NaN });
        },
      },
    ],
  ])('%s', async (message, code) => {
    await expect(foldChunks(code as never, start, host().attempt)).rejects.toThrow(message);
  });
});

describe('the author is told', () => {
  test.each([
    ['of a total that is none', { total: () => Number.NaN }, 'total: expected a number of items, got NaN.'],
    ['of a chunk that is none', { chunks: () => ['ab'] }, 'chunk: expected an array of items'],
    [
      'of a checkpoint that is missing',
      { process: () => undefined },
      'expected process() to return the next one',
    ],
    [
      'of rows that no checkpoint stores',
      {
        *chunks(input: number[][], { append }: { append(row: object): void }) {
          yield input[0];
          append({ late: true });
        },
      },
      'append: expected rows in process(), got some after the last chunk.',
    ],
  ])('%s', async (_, wrong, message) => {
    await expect(foldChunks({ ...sum, ...wrong } as never, start, host().attempt)).rejects.toThrow(message);
  });
});
