// How long each rung of the stop ladder waits, and all of them together: the stop budget that the guarantees name.

import { expect, test } from 'vitest';
import { ladderDelays, stopBudgetMs } from '../../src/machines/ladder.ts';

test.each([
  ['the default grace', 5000, { ask: 1000, grace: 5000, terminate: 1000, kill: 5000 }, 12_000],
  [
    'a short grace shortens the rungs beside it',
    200,
    { ask: 200, grace: 200, terminate: 200, kill: 5000 },
    5600,
  ],
  ['a grace of nothing goes straight to the kill', 0, { ask: 0, grace: 0, terminate: 0, kill: 5000 }, 5000],
])('%s', (_, graceMs, delays, budgetMs) => {
  expect(ladderDelays(graceMs)).toEqual(delays);
  expect(stopBudgetMs(graceMs)).toBe(budgetMs);
});
