// The tests that Stryker asks about a file of src/machines: those of its name. Not those that explore every path: each of the
// mutants that are made when a chart is loaded would take 10 s, and what they see the table is to see too.

import { defineConfig } from 'vitest/config';

/** Set by survivors.ts. */
const mutated = process.env.UNSTUCK_MUTATED ?? '*';
const more = mutated === 'verdict' ? ['test/machines/backoff.test.ts'] : [];

export default defineConfig({
  test: {
    include: [`test/machines/${mutated}*.test.ts`, ...more],
    exclude: ['test/machines/jobPaths.test.ts'],
    testTimeout: 20_000,
  },
});
