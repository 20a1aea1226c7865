import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // They mostly wait, so do the cells of the fault matrix: one file at a time needs 6 minutes.
    maxWorkers: 2,
    maxConcurrency: 10,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ['default', './test/support/countingReporter.ts'],
  },
});
