// Runs one chunk of a matching pass. As with buckets, what it finds and the mark that it is done are one transaction.
// Each chunk looks for the candidates of a block of rows; the last one of a pass decides between them, so that what
// is matched does not depend on where the blocks were cut.

import type { Staging } from '../staging.ts';
import { findCandidates } from './candidates.ts';
import { matchEqual } from './equalRows.ts';
import { matchNearest } from './nearest.ts';
import { closePasses, openPass, openRows } from './openRows.ts';
import type { PlannedPass } from './plannedPass.ts';
import { matchSimilar } from './similar.ts';
import { matchSums } from './sums.ts';

/** Which chunk of which pass a step after the buckets is. A pass has as many chunks as there are buckets. */
export function passStep({ buckets }: Staging, step: number): { pass: number; block: number } {
  const after = step - buckets;
  return { pass: Math.floor(after / buckets), block: after % buckets };
}

export async function runPassChunk(staging: Staging, step: number): Promise<void> {
  const { database, plan, buckets } = staging;
  const { pass: index, block } = passStep(staging, step);
  const pass = plan.passes[index]!;
  await database.transaction(async () => {
    if (step === buckets) await openRows(staging);
    if (block === 0) await openPass(staging, pass);
    const before = await matchesSoFar(staging);
    const bounded = await look(staging, pass, index, block);
    const undecided = block === buckets - 1 ? await decide(staging, pass, index) : 0;
    const after = await matchesSoFar(staging);
    if (index === plan.passes.length - 1 && block === buckets - 1) await closePasses(staging);
    const updated = await database.run(
      `UPDATE chunks SET runs = runs + 1, done = true,
         pass_matches = $2, pass_left = $3, pass_right = $4, pass_bounded = $5 WHERE bucket = $1 AND NOT done`,
      [
        step,
        after.matches - before.matches,
        after.left - before.left,
        after.right - before.right,
        bounded + undecided,
      ],
    );
    if (updated !== 1) throw new Error(`chunk ${step} was already done: refusing to count it twice`);
  });
}

/** Answers with how many rows had more candidates than are looked at. */
async function look(staging: Staging, pass: PlannedPass, index: number, block: number): Promise<number> {
  if (pass.match === 'exact') {
    await matchEqual(staging, pass, index, block);
    return 0;
  }
  const ofLeft = await findCandidates(staging, pass, 'left', block);
  return pass.match === 'sum' ? ofLeft + (await findCandidates(staging, pass, 'right', block)) : ofLeft;
}

async function decide(staging: Staging, pass: PlannedPass, index: number): Promise<number> {
  switch (pass.match) {
    case 'exact':
      return 0;
    case 'near':
      await matchNearest(staging, index);
      return 0;
    case 'similar':
      await matchSimilar(staging, index);
      return 0;
    case 'sum':
      return matchSums(staging, pass.sum!, index);
  }
}

async function matchesSoFar({
  database,
}: Staging): Promise<{ matches: number; left: number; right: number }> {
  const [row] = await database.rows(
    `SELECT (coalesce(max(match) + 1, 0))::DOUBLE AS matches, count_if(side = 'left')::DOUBLE AS "left",
       count_if(side = 'right')::DOUBLE AS "right" FROM pass_rows`,
  );
  return row as unknown as { matches: number; left: number; right: number };
}
