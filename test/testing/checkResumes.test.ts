// A job that does not go on rightly from a checkpoint is found, with the chunk and what differs.

import { describe, expect, test } from 'vitest';
import { defineChunkedJob, defineJob } from '../../src/index.ts';
import { checkResumes } from '../../src/testing/index.ts';
import forgetful from '../fixtures/forgetful.ts';

const sums = defineChunkedJob({
  start: { at: 0, sum: 0 },
  *chunks(input: number[], { checkpoint, chunkSize }) {
    for (let at = checkpoint.at; at < input.length; at += chunkSize) yield input.slice(at, at + chunkSize);
  },
  process(chunk, { checkpoint, append, attempt }) {
    append(...chunk.map((n) => ({ n, attempt })));
    return { at: checkpoint.at + chunk.length, sum: chunk.reduce((a, b) => a + b, checkpoint.sum) };
  },
  result: ({ sum }) => ({ sum }),
});
const input = [1, 2, 3, 4, 5, 6, 7];
const withoutAttempt = ({ n }: { n: number }) => n;

test('a job that resumes rightly is killed before and after each checkpoint, and once with its result', async () => {
  const report = await checkResumes(sums, input, { submit: { chunkSize: 2 }, row: withoutAttempt });
  expect(report).toEqual({ chunks: 4, kills: 9 });
});

test('what was put into a job is what runs: its file is not imported anew unasked', async () => {
  const seen: number[] = [];
  const spied = defineChunkedJob({
    ...forgetful,
    process: (chunk: number[], context) => {
      seen.push(...chunk);
      return forgetful.process(chunk, context);
    },
  });
  await checkResumes(spied, input).catch(() => {});
  expect(seen.length).toBeGreaterThan(0);
});

test('a job of one function is killed once, and begins anew', async () => {
  expect(await checkResumes(defineJob({ run: (n: number) => n + 1 }), 1)).toEqual({ chunks: 0, kills: 1 });
});

describe('is found, with the chunk:', () => {
  test('a row that is another in a second attempt', async () => {
    await expect(checkResumes(sums, input, { submit: { chunkSize: 2 } })).rejects.toThrow(
      'killed after chunk 1, before its checkpoint was acknowledged, and resumed: rows: at [0].attempt expected 1, got 2',
    );
  });

  test('what is kept in a variable of the module, which no other process has', async () => {
    await expect(checkResumes(forgetful, input, { freshModules: true })).rejects.toThrow(
      'killed after chunk 1 was acknowledged, and resumed: result: expected 28, got 27',
    );
  });

  test('a job that skips what it had begun', async () => {
    let from = 0;
    const skips = defineChunkedJob({
      ...sums,
      *chunks(numbers: number[], { checkpoint, attempt }) {
        if (attempt === 1) from = 0;
        for (from = Math.max(from, checkpoint.at); from < numbers.length; ) yield numbers.slice(from, ++from);
      },
    });
    await expect(checkResumes(skips, input, { row: withoutAttempt })).rejects.toThrow(
      /^killed after chunk 1, before its checkpoint was acknowledged, and resumed: result: at sum expected 28, got 27/,
    );
  });

  test('an error that only a resumed attempt meets', async () => {
    const fails = defineChunkedJob({
      ...sums,
      process(chunk, context) {
        if (context.attempt > 1 && context.checkpoint.at > 2) throw new Error('no such file');
        return sums.process(chunk, context);
      },
    });
    await expect(
      checkResumes(fails, input, { submit: { chunkSize: 2 }, row: withoutAttempt }),
    ).rejects.toThrow(
      /expected it to complete, it went queued → running → retrying → running → failed: no such file/,
    );
  });
});
