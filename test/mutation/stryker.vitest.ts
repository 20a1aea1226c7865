// The tests that Stryker asks about a file: see mutatedFiles.ts. Set by survivors.ts.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: (process.env.UNSTUCK_MUTANT_TESTS ?? 'test/machines/*.test.ts').split(','),
    // What waits for ever is found soon; nothing here takes a second, also on a busy machine.
    testTimeout: 5000,
  },
});
