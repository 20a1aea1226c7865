// The words for where a job is: all of them, and what each means for an attempt.

import { expect, test } from 'vitest';
import { isAtRest, isFinal, jobStates } from '../../src/machines/states.ts';

test('the states are told in the order of a life; the first of each kind are at rest or alive, the last final', () => {
  expect(jobStates.map((state) => [state, isAtRest(state), isFinal(state)])).toEqual([
    ['queued', true, false],
    ['running', false, false],
    ['stopping', false, false],
    ['retrying', true, false],
    ['completed', false, true],
    ['failed', false, true],
    ['timedOut', false, true],
    ['cancelled', false, true],
  ]);
});
