// Whole histories, each from its seed: in none of them is a promise broken.

import { describe, expect, test } from 'vitest';
import { simulateRange } from './range.ts';

const seeds = 200;
const together = 50;
const firsts = Array.from({ length: seeds / together }, (_, part) => 1 + part * together);

describe('processors, an engine, and what goes wrong between them', () => {
  // The time is that of 50 histories, not of anything in them.
  test.each(firsts)(
    'keep every promise in the histories from seed %i on',
    { timeout: 300_000 },
    async (from) => {
      const { failures, faults, steps } = await simulateRange(
        { from, to: from + together, stride: 1 },
        () => true,
      );
      expect(failures).toEqual([]);
      // That something did happen.
      expect(steps).toBeGreaterThan(together * 100);
      for (const fault of ['crash', 'partition', 'block', 'request lost', 'answer lost', 'call doubled'])
        expect(faults[fault], fault).toBeGreaterThan(0);
    },
  );
});
