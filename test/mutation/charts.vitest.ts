// The tests that Stryker asks about the charts. Not those that explore every path: each of the mutants that are made
// when the chart is loaded would take 10 s, and what only they see is seen by a row of the table too.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/machines/*.test.ts'],
    exclude: ['test/machines/jobPaths.test.ts'],
    testTimeout: 20_000,
  },
});
