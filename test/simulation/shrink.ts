// From a history in which something breaks to a short one in which the same breaks: faults, acts, jobs, processors and troubled
// code are taken out, many at a time and then one by one, as long as it still fails.

import type { Alterations } from './host.ts';
import type { Plan } from './plan.ts';
import { type Outcome, simulate } from './simulation.ts';

export interface Shrunk {
  readonly plan: Plan;
  readonly outcome: Outcome;
  readonly runs: number;
}

/** `isStopped`: enough; the shortest so far is the answer. */
export async function shrink(
  plan: Plan,
  first: Outcome,
  altered: () => Alterations = () => ({}),
  isStopped: () => boolean = () => false,
): Promise<Shrunk> {
  let [best, outcome, runs] = [plan, first, 0];
  const isSmaller = async (smaller: Plan): Promise<boolean> => {
    if (isStopped()) return false;
    runs += 1;
    const tried = await simulate(smaller, altered());
    if (tried.violation?.invariant !== first.violation?.invariant) return false;
    [best, outcome] = [smaller, tried];
    return true;
  };
  for (let before = -1; before !== sizeOf(best); ) {
    before = sizeOf(best);
    await without(
      () => best.faults,
      (faults) => isSmaller({ ...best, faults }),
    );
    await without(
      () => best.acts,
      (acts) => isSmaller({ ...best, acts }),
    );
    await without(
      () => best.jobs,
      (jobs) => isSmaller({ ...best, jobs }),
    );
    for (const job of best.jobs)
      if (job.trouble > 0)
        await isSmaller({
          ...best,
          jobs: best.jobs.map((each) => (each.label === job.label ? { ...each, trouble: 0 } : each)),
        });
    while (best.nodes.length > 1 && (await isSmaller(withoutLastNode(best))));
  }
  return { plan: best, outcome, runs };
}

/** Halves, quarters, … and at last single ones are left out. */
async function without<T>(
  all: () => readonly T[],
  isEnough: (left: readonly T[]) => Promise<boolean>,
): Promise<void> {
  for (let size = Math.ceil(all().length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < all().length; ) {
      const items = all();
      const left = items.filter((_, index) => index < from || index >= from + size);
      if (!(await isEnough(left))) from += size;
    }
  }
}

function withoutLastNode(plan: Plan): Plan {
  const nodes = plan.nodes.slice(0, -1);
  const isThere = (part: object) => !('node' in part) || (part.node as number) < nodes.length;
  return {
    ...plan,
    nodes,
    jobs: plan.jobs.map((job) => ({ ...job, node: job.node % nodes.length })),
    acts: plan.acts.map((act) => ({ ...act, node: act.node % nodes.length })),
    faults: plan.faults.filter(isThere),
  };
}

function sizeOf({ nodes, jobs, acts, faults }: Plan): number {
  const troubled = jobs.filter(({ trouble }) => trouble > 0).length;
  return nodes.length + jobs.length + acts.length + faults.length + troubled;
}
