// The pause before a retry, as a function of what is known: nothing is drawn here.

import { expect, test } from 'vitest';
import { backoffMs, mayRetry, type RetryFacts } from '../../src/machines/verdict.ts';

const facts = (attempt: number, backoff: Partial<RetryFacts['backoff']>, chance = 0): RetryFacts => ({
  attempt,
  maxAttempts: 9999,
  retryOn: ['failed'],
  backoff: { kind: 'exponential', ms: 1000, maxMs: Infinity, jitter: 0, ...backoff },
  chance,
  deadlineAt: null,
});

test.each([
  ['fixed is the same each time', [1, 2, 9], { kind: 'fixed' as const }, [1000, 1000, 1000]],
  ['exponential doubles', [1, 2, 3, 6], {}, [1000, 2000, 4000, 32_000]],
  ['and stops at its most', [1, 4, 5, 5000], { maxMs: 10_000 }, [1000, 8000, 10_000, 10_000]],
  ['nothing stays nothing, however often it is doubled', [1, 5000], { ms: 0 }, [0, 0]],
])('%s', (_, attempts, backoff, pauses) => {
  expect(attempts.map((attempt) => backoffMs(facts(attempt, backoff)))).toEqual(pauses);
});

test('jitter takes its part of the pause by chance, from the most a pause may be too', () => {
  const pauses = (jitter: number) =>
    [0, 0.5, 1].map((chance) => backoffMs(facts(9, { maxMs: 8000, jitter }, chance)));
  expect(pauses(0)).toEqual([8000, 8000, 8000]);
  expect(pauses(0.5)).toEqual([8000, 6000, 4000]);
  expect(pauses(1)).toEqual([8000, 4000, 0]);
});

test('whether a retry comes before the deadline is asked of the pause that it will have', () => {
  const near = { ...facts(1, { jitter: 0.5 }, 1), deadlineAt: 800 };
  expect(mayRetry(near, 'failed', 0)).toBe(true);
  expect(mayRetry({ ...near, chance: 0 }, 'failed', 0)).toBe(false);
});
