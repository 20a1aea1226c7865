// The tests that Stryker asks about a file of src/machines: those of its name. Not test/model, which walks
// every path: each of the mutants that are made when a chart is loaded would take 10 s, and what they see the tables see too.

import { defineConfig } from 'vitest/config';

/** Set by survivors.ts. */
const mutated = process.env.UNSTUCK_MUTATED ?? '*';
const more = mutated === 'verdict' ? ['test/machines/backoff.test.ts'] : [];

export default defineConfig({
  test: {
    include: [`test/machines/${mutated}*.test.ts`, ...more],
    testTimeout: 20_000,
  },
});
