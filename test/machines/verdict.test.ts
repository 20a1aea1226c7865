// What becomes of a job, as a table: what is known of it, how its attempt ended, and the whole verdict.

import { describe, expect, test } from 'vitest';
import type { StopRecord } from '../../src/machines/ladder.ts';
import {
  type AttemptOutcome,
  handedBack,
  isRetried,
  mayRetry,
  notBegun,
  type RetryFacts,
  type StopIntent,
  type Verdict,
  verdictOfCrash,
  verdictOfEnd,
  verdictOfStop,
} from '../../src/machines/verdict.ts';

const at = 50_000;
const facts: RetryFacts = {
  attempt: 1,
  maxAttempts: 2,
  retryOn: ['failed', 'timedOut'],
  backoff: { kind: 'fixed', ms: 1000, maxMs: Infinity, jitter: 0 },
  chance: 0,
  deadlineAt: null,
};
const nothing: Verdict = {
  state: 'failed',
  timeout: null,
  reason: null,
  failure: null,
  result: undefined,
  stop: null,
  notBefore: null,
  crashed: false,
  neverBegan: false,
};
const failure = { name: 'RangeError', message: 'too far' };
const pointless = { ...failure, retryable: false } as const;
const completed: AttemptOutcome = { kind: 'completed', result: '7' };
const failed: AttemptOutcome = { kind: 'failed', failure };
const stopped: AttemptOutcome = { kind: 'stopped' };

describe('an attempt that ended by itself', () => {
  const table: [string, Partial<RetryFacts>, AttemptOutcome, Partial<Verdict>][] = [
    ['completed', {}, completed, { state: 'completed', result: '7' }],
    ['is retried where it failed', {}, failed, { state: 'retrying', failure, notBefore: at + 1000 }],
    ['failed at its last', { attempt: 2 }, failed, { failure }],
    ['failed where failures are not retried', { retryOn: ['timedOut'] }, failed, { failure }],
    [
      'failed where it said that another is pointless',
      {},
      { kind: 'failed', failure: pointless },
      { failure: pointless, reason: 'not to be retried: too far' },
    ],
    [
      'failed where it said nothing at all',
      { attempt: 2 },
      stopped,
      { failure: { name: 'Error', message: 'the attempt ended without an outcome' } },
    ],
  ];
  test.each(table)('%s', (_, given, outcome, expected) => {
    expect(verdictOfEnd({ ...facts, ...given }, outcome, at)).toEqual({ ...nothing, ...expected });
  });
});

describe('an attempt that was stopped', () => {
  const stop: StopRecord = { confirmed: true, rung: 'grace', tookSeconds: 0.1 };
  const timeout = (timeout: 'job' | 'queue' | 'deadline', by: 'timer' | 'hand' = 'timer'): StopIntent => ({
    ...{ kind: 'timeout', timeout, by },
  });
  const cancel: StopIntent = { kind: 'cancel', reason: 'not needed' };
  const timedOut = { state: 'timedOut', timeout: 'job' } as const;
  const table: [string, Partial<RetryFacts>, StopIntent, AttemptOutcome, Partial<Verdict>][] = [
    ['by a cancel', {}, cancel, stopped, { state: 'cancelled', reason: 'not needed' }],
    [
      'by a cancel, and had completed',
      {},
      cancel,
      completed,
      { state: 'completed', result: '7', reason: 'completed while it was being stopped (cancel)' },
    ],
    [
      'by a timeout, and had completed',
      {},
      timeout('job'),
      completed,
      { state: 'completed', result: '7', reason: 'completed while it was being stopped (job timeout)' },
    ],
    ['by a hand-back', {}, { kind: 'handBack' }, failed, { state: 'queued', reason: 'handed back' }],
    [
      'by a timeout, with a retry left',
      {},
      timeout('job'),
      failed,
      { state: 'retrying', timeout: 'job', notBefore: at + 1000 },
    ],
    ['by a timeout at its last', { attempt: 2 }, timeout('job'), failed, timedOut],
    ['by a timeout where those are not retried', { retryOn: ['failed'] }, timeout('job'), failed, timedOut],
    [
      'by a timeout, and said that another is pointless',
      {},
      timeout('job'),
      { kind: 'failed', failure: pointless },
      { ...timedOut, reason: 'not to be retried: too far' },
    ],
    ['by hand', {}, timeout('job', 'hand'), stopped, { ...timedOut, reason: 'timed out by hand' }],
    [
      'by hand, and said that another is pointless',
      {},
      timeout('job', 'hand'),
      { kind: 'failed', failure: pointless },
      { ...timedOut, reason: 'timed out by hand' },
    ],
    ['by its deadline', {}, timeout('deadline'), stopped, { state: 'timedOut', timeout: 'deadline' }],
    ['by its queue timeout', {}, timeout('queue'), stopped, { state: 'timedOut', timeout: 'queue' }],
  ];
  test.each(table)('%s', (_, given, intent, outcome, expected) => {
    expect(verdictOfStop({ ...facts, ...given }, stop, intent, outcome, at)).toEqual({
      ...nothing,
      stop,
      ...expected,
    });
  });
});

test('a retry is made only where its pause is over before the deadline, and not with it', () => {
  for (const [deadlineAt, expected] of [
    [at + 1001, true],
    [at + 1000, false],
  ] as const) {
    expect(mayRetry({ ...facts, deadlineAt }, 'failed', at)).toBe(expected);
  }
});

test('only timeouts of one attempt are retried', () => {
  const by = (timeout: 'job' | 'heartbeat' | 'progress' | 'queue' | 'deadline') =>
    isRetried({ kind: 'timeout', timeout, by: 'monitor' });
  expect([by('job'), by('heartbeat'), by('progress'), by('queue'), by('deadline')]).toEqual([
    ...[true, true, true],
    ...[false, false],
  ]);
  expect(isRetried({ kind: 'cancel', reason: null })).toBe(false);
  expect(isRetried({ kind: 'handBack' })).toBe(false);
});

test('who is handed back has used up nothing; whose code did not run is as it was', () => {
  expect(handedBack).toEqual({ ...nothing, state: 'queued', reason: 'handed back' });
  expect(notBegun).toEqual({ ...handedBack, neverBegan: true });
});

describe('an attempt whose host ended with it', () => {
  test.each([
    [
      'in a process of its own is not blamed',
      null,
      { state: 'queued', reason: 'its owner is gone', crashed: false },
    ],
    ['goes back to the queue, counted', 2, { state: 'queued', reason: 'its owner is gone', crashed: true }],
    [
      'has failed, once too often',
      3,
      {
        state: 'failed',
        crashed: true,
        failure: {
          name: 'HostCrashError',
          message:
            'its host ended 3 times while it ran, with no checkpoint between: not tried again (maxCrashes)',
          code: 'ERR_UNSTUCK_HOST_CRASH',
        },
      },
    ],
  ] as const)('%s', (_, crashes, expected) => {
    expect(verdictOfCrash(crashes, 3)).toEqual({ ...nothing, ...expected });
  });

  test('in a process of its own is not blamed where no crash is allowed either', () => {
    expect(verdictOfCrash(null, 0).state).toBe('queued');
    expect(verdictOfCrash(1, 0).state).toBe('failed');
  });
});
