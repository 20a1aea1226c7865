// The page that shows the job's chart is the chart.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { lifecyclePage } from '../../scripts/drawLifecycle.ts';

test('docs/lifecycle.md is what the chart says today (else: npm run lifecycle)', () => {
  expect(readFileSync(new URL('../../docs/lifecycle.md', import.meta.url), 'utf8')).toBe(lifecyclePage);
});
