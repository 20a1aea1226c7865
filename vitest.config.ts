import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Cells of the fault matrix mostly wait.
    maxConcurrency: 10,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ['default', './test/support/countingReporter.ts'],
  },
});
