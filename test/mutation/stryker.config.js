// How Stryker mutates the charts and the actors, and is answered by their tests: `npm run stryker`. Which: mutatedFiles.ts.

import { tmpdir } from 'node:os';
import { join } from 'node:path';

export default {
  testRunner: 'vitest',
  vitest: { configFile: 'test/mutation/stryker.vitest.ts', related: false },
  // TypeScript 7 has no programme that Stryker could ask to rewrite it; it extends nothing, so nothing is to be rewritten.
  tsconfigFile: 'none',
  // A chart is a value that is made when its file is loaded: all of it would be passed over.
  ignoreStatic: false,
  coverageAnalysis: 'perTest',
  concurrency: 2,
  // Not in the checkout, where a second copy of its configuration would stop the linter.
  tempDirName: join(tmpdir(), 'unstuck-stryker'),
  // A mutant that waits for ever is found; one that a busy machine slows down is not taken for it.
  timeoutMS: 10_000,
  ignorePatterns: ['docs', 'dist', 'bench', 'reconciled', 'coverage'],
  // Types are checked by `npm run types`; a mutant that would not compile is a mutant all the same.
  disableTypeChecks: false,
  reporters: ['json', 'progress-append-only'],
  jsonReporter: { fileName: 'node_modules/.cache/stryker/mutants.json' },
};
