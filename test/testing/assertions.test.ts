// What is asked of a job's path is answered with what was expected beside what was, a line for each step.

import { describe, expect, test } from 'vitest';
import type { JobStatus } from '../../src/index.ts';
import { assertEnd, assertGone, assertProvenStopped, pathOf } from '../../src/testing/index.ts';
import '../../src/testing/vitest.ts';

const at = new Date(0);
const stop = { confirmed: true, rung: 'kill', tookSeconds: 7 } as const;
const status = {
  id: 'j1',
  name: 'sums',
  state: 'timedOut',
  timeout: 'job',
  attempt: 2,
  reason: null,
  failure: { name: 'Error', message: 'no more paper' },
  history: [
    { state: 'queued', at, attempt: 0 },
    { state: 'running', at, attempt: 1 },
    { state: 'stopping', at, attempt: 1, timeout: 'heartbeat' },
    { state: 'retrying', at, attempt: 1, timeout: 'heartbeat', stop },
    { state: 'running', at, attempt: 2 },
    { state: 'stopping', at, attempt: 2, timeout: 'job' },
    { state: 'timedOut', at, attempt: 2, timeout: 'job', stop },
  ],
} as unknown as JobStatus;
const job = { status: async () => status };
const path =
  'queued → running → stopping (heartbeat) → retrying → running → stopping (job) → timedOut' as const;

test('a path is its states, with why each stop was asked for', () => {
  expect(pathOf(status)).toBe(path);
});

test('a timeout at rest, and a stop that could not be proven, stand with their state', () => {
  const [queued] = status.history;
  const timedOut = { state: 'timedOut', at, attempt: 0, timeout: 'queue' } as const;
  expect(pathOf({ history: [queued as (typeof status.history)[0], timedOut] })).toBe(
    'queued → timedOut (queue)',
  );
  const unproven = { ...timedOut, timeout: 'job', stop: { ...stop, confirmed: false } } as const;
  expect(pathOf({ history: [...status.history.slice(0, 3), unproven] })).toBe(
    'queued → running → stopping (heartbeat) → timedOut (unconfirmed)',
  );
});

describe('toHaveGone', () => {
  test('takes a path as text, its steps one by one, with why or without, of a job or a status', async () => {
    await expect(job).toHaveGone(path);
    await expect(status).toHaveGone(path);
    await expect(job).toHaveGone(
      ...(['queued', 'running', 'stopping', 'retrying', 'running', 'stopping (job)', 'timedOut'] as const),
    );
    await expect(job).not.toHaveGone('queued → running → completed');
    await assertGone(job, path);
  });

  test('says which step was another, and what is missing', async () => {
    const failing = assertGone(job, 'queued → running → stopping (cancel) → cancelled');
    await expect(failing).rejects.toThrow(
      [
        'job j1 (sums) went another way',
        '  expected                 went',
        '  queued                   queued',
        '  running                  running',
        '✗ stopping (cancel)        stopping (heartbeat)',
        '✗ cancelled                retrying',
        '✗ (nothing)                running',
        '✗ (nothing)                stopping (job)',
        '✗ (nothing)                timedOut',
      ].join('\n'),
    );
  });

  test('is refused for what is no job', async () => {
    await expect(assertGone(null as never, 'queued')).rejects.toThrow(
      'expected a job, or its status, got null',
    );
    await expect(assertGone({} as never, 'queued')).rejects.toThrow(
      'expected a job, or its status, got object',
    );
  });
});

describe('toEndAs', () => {
  test('looks at what is named alone', async () => {
    await expect(job).toEndAs('timedOut');
    await expect(job).toEndAs('timedOut', { timeout: 'job', attempt: 2, reason: null, failure: 'paper' });
    await expect(job).not.toEndAs('timedOut', { timeout: 'heartbeat' });
  });

  test('says each fact that was another, and the path', async () => {
    await expect(assertEnd(job, 'failed', { timeout: null, failure: 'ink' })).rejects.toThrow(
      [
        'job j1 (sums) ended otherwise',
        '  state: expected failed, got timedOut',
        '  timeout: expected null, got job',
        '  failure: expected ink, got no more paper',
        `  went: ${path}`,
      ].join('\n'),
    );
  });
});

describe('toHaveBeenProvenStopped', () => {
  test('asks for a stop, and for the proof of each', async () => {
    await expect(job).toHaveBeenProvenStopped();
    await expect(job).toHaveBeenProvenStopped({ rung: 'kill' });
    await expect(job).not.toHaveBeenProvenStopped({ rung: 'ask' });
    await expect(assertProvenStopped(job, { rung: 'ask' })).rejects.toThrow(
      'expected a proven stop on the rung ask, got proven on the rung kill, proven on the rung kill',
    );
  });

  test('is not so where nothing was stopped, or one stop was not proven', async () => {
    const never = { ...status, history: status.history.slice(0, 2) };
    await expect(assertProvenStopped(never)).rejects.toThrow('expected a proven stop, got no stop');
    const [first, ...others] = status.history.map((entry) => ({ ...entry }));
    const unproven = [first, ...others].map((entry) =>
      entry?.stop === undefined || entry.attempt === 2
        ? entry
        : { ...entry, stop: { ...stop, confirmed: false } },
    );
    await expect({ ...status, history: unproven } as JobStatus).not.toHaveBeenProvenStopped();
  });
});
