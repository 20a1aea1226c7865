// Who watches the witness: faults are planted, one for each promise, and each must be found, by the invariant that speaks of it.

import { describe, expect, test } from 'vitest';
import { planOf } from './plan.ts';
import { plantedFaults } from './plantedFaults.ts';
import { shrink } from './shrink.ts';
import { simulate } from './simulation.ts';

/** Some need a rare meeting: a zombie that writes when its job has another owner, say. */
const mostSeeds = 500;

describe('a planted fault is found', () => {
  test.each(plantedFaults)('where $fault', { timeout: 300_000 }, async ({ found, altered }) => {
    for (let seed = 1; seed <= mostSeeds; seed += 1) {
      const { violation } = await simulate(planOf(seed), altered());
      if (violation !== null && found.includes(violation.invariant)) return;
    }
    expect.fail(`not found within ${mostSeeds} seeds`);
  });
});

describe('a history that fails', () => {
  test('is shrunk to the little that it needs', { timeout: 300_000 }, async () => {
    const { altered } = plantedFaults.find(({ fault }) => fault.startsWith('rows')) ?? {
      altered: () => ({}),
    };
    const plan = planOf(14);
    const first = await simulate(plan, altered());
    expect(first.violation?.invariant).toBe('what is appended is there once and in order');
    const { plan: short, outcome } = await shrink(plan, first, altered);
    expect(outcome.violation?.invariant).toBe(first.violation?.invariant);
    expect(short).toMatchObject({ faults: [], acts: [], nodes: [{ index: 0 }], jobs: [{ trouble: 0 }] });
    expect(outcome.history.length).toBeLessThan(first.history.length);
  });
});
