// The tests that Stryker asks. Quick ones first: of a mutant, the first test that fails is enough.

import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

class QuickFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const slow = /jobPaths|supervisor/;
    return files.sort((a, b) => Number(slow.test(a.moduleId)) - Number(slow.test(b.moduleId)));
  }
}

export default defineConfig({
  test: { include: ['test/machines/*.test.ts'], pool: 'forks', sequence: { sequencer: QuickFirst } },
});
