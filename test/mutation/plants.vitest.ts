// How the tests of planted faults are run: as in `npm test`, without its groups and its count.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Code that hangs takes a core: nothing is run beside it.
    maxWorkers: 1,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxConcurrency: 10,
  },
});
