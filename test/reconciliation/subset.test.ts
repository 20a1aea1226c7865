// Sums: the fewest, the first; exact beyond what a number holds; bounded, for one and for all.

import { expect, test } from 'vitest';
import { findSubset } from '../../src/reconciliation/passes/subset.ts';

const unbounded = () => ({ each: Infinity, all: Infinity });

test.each([
  ['two that add up', [5n, 3n, 4n], 7n, 0n, [1, 2]],
  ['the fewest, not the first', [1n, 2n, 4n, 3n], 7n, 0n, [2, 3]],
  ['three', [1n, 2n, 3n, 10n], 6n, 0n, [0, 1, 2]],
  ['with signs', [10n, -4n, 1n], 6n, 0n, [0, 1]],
  ['of negative ones', [-1n, -2n, -3n], -5n, 0n, [1, 2]],
  ['within the drift', [100n, 200n], 302n, 2n, [0, 1]],
  ['not beyond it', [100n, 200n], 303n, 2n, null],
  ['in the same place as amounts that are too large', [900n, 1n, 900n, 2n], 3n, 0n, [1, 3]],
  ['one is no sum', [7n, 9n], 7n, 0n, null],
] as const)('%s', (_, amounts, target, drift, expected) => {
  expect(findSubset(amounts, target, drift, 5, unbounded())).toEqual(expected);
});

test('beyond what a number holds it stays exact', () => {
  const large = 10n ** 36n;
  expect(findSubset([large + 1n, large, large + 2n], 2n * large + 2n, 0n, 2, unbounded())).toEqual([1, 2]);
  expect(findSubset([large + 1n, large], 2n * large, 0n, 2, unbounded())).toBeNull();
});

test('a search ends at its bound, and what all searches took counts', () => {
  const amounts = Array.from({ length: 60 }, () => 2n);
  const budget = { each: 1000, all: 2500 };
  for (const left of [1500, 500, 0, 0]) {
    expect(findSubset(amounts, 1001n, 0n, 10, budget)).toBe('bounded');
    expect(budget.all).toBe(left);
  }
});
