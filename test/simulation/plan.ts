// What is to be simulated, drawn from a seed: processors, jobs, what people do, and what goes wrong. A plan is plain data, each
// part of it with chances of its own, so that parts can be taken out of it and the rest stays as it was (shrink.ts).

import type { JobSettings } from '../../src/index.ts';
import { type FaultPlan, planFaults } from './planFaults.ts';
import { type JobPlan, planJobs } from './planJobs.ts';
import { type NamePlan, planNames } from './planNames.ts';
import { Random } from './random.ts';

export interface NodePlan {
  readonly index: number;
  readonly maxConcurrentJobs: number;
  readonly monitorIntervalSeconds: number;
}

interface When {
  readonly at: number;
  readonly node: number;
}

/** What people do to a job. `job`: its label. */
export type JobActPlan = When & { readonly job: string } & (
    | { readonly kind: 'cancel' | 'timeOut' | 'promote' | 'retry' }
    | { readonly kind: 'setTimeouts'; readonly timeouts: JobSettings }
  );

/** The same to all jobs of a name, or to a schedule. */
export type NameActPlan = When &
  (
    | { readonly kind: 'pause' | 'resume'; readonly name: string }
    | {
        readonly kind: 'schedule';
        readonly key: string;
        readonly name: string;
        readonly everySeconds: number;
        readonly overlap: 'skip' | 'allow';
      }
    | { readonly kind: 'unschedule'; readonly key: string }
  );

export type ActPlan = JobActPlan | NameActPlan;

export const engineNames = ['memory', 'sqlite', 'postgres'] as const;
export type EngineName = (typeof engineNames)[number];

export interface Plan {
  readonly seed: number;
  readonly engine: EngineName;
  /** Each processor on a machine of its own: none can end what runs on another. */
  readonly spansMachines: boolean;
  /** How long things go wrong, s. After that all goes well, and all must end. */
  readonly seconds: number;
  readonly nodes: readonly NodePlan[];
  readonly names: readonly NamePlan[];
  readonly jobs: readonly JobPlan[];
  readonly acts: readonly ActPlan[];
  readonly faults: readonly FaultPlan[];
}

export function planOf(seed: number, engine: EngineName = 'memory'): Plan {
  const random = new Random(seed, 'plan');
  const seconds = Math.round(random.long(20, 150));
  const nodes = Array.from({ length: random.pick([1, 2, 2, 3, 4]) }, (_, index): NodePlan => {
    const own = new Random(seed, `node ${index}`);
    return {
      index,
      maxConcurrentJobs: own.whole(1, 4),
      monitorIntervalSeconds: own.pick([2, 5, 10, 30, 60]),
    };
  });
  const names = planNames(seed);
  const jobs = planJobs(seed, names, seconds, nodes.length);
  return {
    seed,
    engine,
    spansMachines: engine === 'memory' && new Random(seed, 'machines').chance(0.5),
    seconds,
    nodes,
    names,
    jobs,
    acts: planActs(seed, jobs, names, seconds, nodes.length),
    faults: planFaults(seed, engine, seconds, nodes.length),
  };
}

function planActs(
  seed: number,
  jobs: readonly JobPlan[],
  names: readonly NamePlan[],
  seconds: number,
  nodes: number,
): ActPlan[] {
  const acts: ActPlan[] = [];
  const random = new Random(seed, 'acts');
  const count = random.pick([0, 2, 5, 12]);
  const unkeyed = names.filter(({ keyed }) => !keyed);
  for (let index = 0; index < count; index += 1) {
    const own = new Random(seed, `act ${index}`);
    const at = own.between(0, seconds) * 1000;
    const node = own.whole(0, nodes - 1);
    const job = own.pick(jobs).label;
    const name = own.pick(names).name;
    const chance = own.next();
    if (chance < 0.3) acts.push({ at, node, kind: 'cancel', job });
    else if (chance < 0.42) acts.push({ at, node, kind: 'timeOut', job });
    else if (chance < 0.52) acts.push({ at, node, kind: 'promote', job });
    else if (chance < 0.6) acts.push({ at, node, kind: 'retry', job });
    else if (chance < 0.75)
      acts.push({
        ...{ at, node, kind: 'setTimeouts', job },
        timeouts: {
          ...(own.chance(0.5) ? { jobTimeoutSeconds: Math.round(own.long(3, 60)) } : {}),
          ...(own.chance(0.5) ? { heartbeatTimeoutSeconds: Math.round(own.long(2, 20)) } : {}),
          deadlineSeconds: Math.round(own.long(20, 300)),
        },
      });
    else if (chance < 0.88) {
      acts.push({ at, node, kind: 'pause', name });
      if (own.chance(0.8))
        acts.push({ at: at + own.long(500, 60_000), node: own.whole(0, nodes - 1), kind: 'resume', name });
    } else if (unkeyed.length > 0) {
      const key = `schedule${index}`;
      acts.push({
        ...{ at, node, kind: 'schedule', key, name: own.pick(unkeyed).name },
        everySeconds: own.pick([5, 10, 20, 30]),
        overlap: own.pick(['skip', 'allow']),
      });
      if (own.chance(0.5))
        acts.push({
          ...{ at: at + own.long(5000, 100_000), node: own.whole(0, nodes - 1), kind: 'unschedule', key },
        });
    }
  }
  return acts;
}
