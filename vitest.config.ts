import { defineConfig } from 'vitest/config';

/** Code that hangs takes a core, ten cells at a time: nothing else runs beside them, nor beside the demo. */
const alone = ['test/faults/**/*.test.ts', 'test/runtime/{isolation,processes}.test.ts'];

const common = { pool: 'forks', maxConcurrency: 10, testTimeout: 60_000, hookTimeout: 60_000 } as const;

export default defineConfig({
  test: {
    reporters: ['default', './test/support/countingReporter.ts'],
    projects: [
      {
        // They mostly wait: three files at a time.
        test: {
          ...common,
          name: 'together',
          include: ['test/**/*.test.ts'],
          exclude: alone,
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: { ...common, name: 'alone', include: alone, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
