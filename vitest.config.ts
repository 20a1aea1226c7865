import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** Code that hangs takes a core, ten cells at a time: nothing else runs beside them, nor beside what is measured. */
const alone = [
  'test/faults/**/*.test.ts',
  'test/runtime/{isolation,processes}.test.ts',
  'test/engines/sqliteContention.test.ts',
  'test/inspector/load.test.ts',
];

/** Most of the work of a process that tests start is the compiling of our sources: kept from one to the next. */
const env = { NODE_COMPILE_CACHE: fileURLToPath(new URL('node_modules/.cache/compile', import.meta.url)) };

const source = (path: string) => fileURLToPath(new URL(`src/${path}`, import.meta.url));
const sources = [
  { find: /^unstuck$/, replacement: source('index.ts') },
  { find: /^unstuck\/postgres$/, replacement: source('postgres/index.ts') },
  { find: /^unstuck\/testing$/, replacement: source('testing/index.ts') },
  { find: /^unstuck\/testing\/vitest$/, replacement: source('testing/vitest.ts') },
];

/** What is measured runs as Node runs it, without the transforms of the test runner. */
const isMeasured = process.env.NODE_V8_COVERAGE !== undefined;

const common = {
  ...(isMeasured
    ? {
        experimental: { viteModuleRunner: false, nodeLoader: false },
        setupFiles: './test/coverage/lastLook.ts',
      }
    : {}),
  pool: 'forks',
  maxConcurrency: 10,
  testTimeout: 60_000,
  hookTimeout: 60_000,
  env,
} as const;

export default defineConfig({
  test: {
    reporters: ['default', './test/support/countingReporter.ts'],
    globalSetup: './test/support/postgresForAll.ts',
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
        // They say what an app says: `unstuck` is the sources there.
        resolve: { alias: sources },
        test: {
          ...common,
          name: 'examples',
          include: ['examples/**/*.test.ts'],
          // Without the test runner's transforms Node's own resolution is told.
          ...(isMeasured ? { execArgv: ['--import', source('../examples/embedding/source.js')] } : {}),
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
