// Whole histories, each from its seed: in none of them is a promise broken.

import { describe, expect, test } from 'vitest';
import { simulateRange } from './range.ts';

const together = 50;
/** The SQL is the real one, and takes its time. */
const ofSqlite = 20;
const parts = [
  ...[1, 51, 101, 151].map((from) => ({ engine: 'memory', from, count: together }) as const),
  ...[1, 21].map((from) => ({ engine: 'sqlite', from, count: ofSqlite }) as const),
];

describe('processors, an engine, and what goes wrong between them', () => {
  // The time is that of many histories, not of anything in them.
  test.each(parts)(
    'keep every promise on $engine in $count histories from seed $from on',
    { timeout: 300_000 },
    async ({ engine, from, count }) => {
      const range = { from, to: from + count, stride: 1, engine };
      const { failures, faults, steps } = await simulateRange(range, () => true);
      expect(failures).toEqual([]);
      // That something did happen.
      expect(steps).toBeGreaterThan(count * 100);
      for (const fault of ['crash', 'partition', 'block', 'request lost', 'answer lost', 'call doubled'])
        expect(faults[fault], fault).toBeGreaterThan(0);
    },
  );
});
