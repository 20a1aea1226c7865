// What goes wrong around the jobs. Which trouble is fair is decided here:
//
// - A host crashes (`kill -9`), is told to stop (SIGTERM), has its event loop blocked, or is stopped as a whole (SIGSTOP).
// - Between a host and the engine: requests and answers are lost, late or, where the engine's contract makes a call safe to
//   repeat, doubled (link.ts). A host that gets no answer is told so after some seconds, as a driver would.
// - SQLite's thread in a host ends, and is started again.
// - The engine's disk is slow, or full: it refuses every write and has done nothing.
// - The wall clock of the machine is set, forward or back. Its monotonic clock never is, and all processes of a machine see
//   the same clocks: the engines here are of one machine, so skew between them is no fault that can be.

import type { EngineName } from './plan.ts';
import { Random } from './random.ts';

export type FaultPlan = { readonly at: number; readonly ms: number } & (
  | { readonly kind: 'crash' | 'stop' | 'block' | 'freeze' | 'threadEnd'; readonly node: number }
  | {
      readonly kind: 'partition';
      readonly node: number;
      readonly loses: 'requests' | 'answers' | 'both';
      /** At once, rather than after the patience of the driver. */
      readonly isRefused: boolean;
    }
  | { readonly kind: 'lossy' | 'late' | 'doubling'; readonly node: number; readonly rate: number }
  | { readonly kind: 'slowDisk'; readonly commitMs: number }
  | { readonly kind: 'fullDisk' }
  | { readonly kind: 'clockSet'; readonly byMs: number }
);

export type FaultKind = FaultPlan['kind'];

const kinds: readonly FaultKind[] = [
  'crash',
  'crash',
  'stop',
  'block',
  'block',
  'freeze',
  'partition',
  'partition',
  'lossy',
  'lossy',
  'late',
  'doubling',
  'slowDisk',
  'fullDisk',
  'clockSet',
];

const kindsOn: Readonly<Record<EngineName, readonly FaultKind[]>> = {
  memory: kinds,
  sqlite: [...kinds, 'threadEnd'],
  // Its leases count on the clock of the server, which nobody sets back and forth.
  postgres: kinds.filter((kind) => kind !== 'clockSet'),
};

export function planFaults(seed: number, engine: EngineName, seconds: number, nodes: number): FaultPlan[] {
  const random = new Random(seed, 'faults');
  const count = random.pick([0, 2, 4, 8, 16]);
  // A few kinds at a time: together they go further than all of them a little.
  const all = kindsOn[engine];
  const some = all.filter(() => random.chance(0.4));
  const chosen = some.length === 0 ? all : some;
  return Array.from({ length: count }, (_, index) =>
    planFault(new Random(seed, `fault ${index}`), chosen, seconds, nodes),
  );
}

function planFault(own: Random, kinds: readonly FaultKind[], seconds: number, nodes: number): FaultPlan {
  const at = own.between(0, seconds * 1000);
  const node = own.whole(0, nodes - 1);
  // For a moment, or for longer than a lease.
  const lasts = own.chance(0.5) ? own.long(100, 5000) : own.long(5000, 60_000);
  const ms = Math.round(Math.min(lasts, seconds * 1000 - at));
  const when = { at, ms };
  const kind = own.pick(kinds);
  switch (kind) {
    case 'partition':
      return {
        ...when,
        kind,
        node,
        loses: own.pick(['requests', 'answers', 'both']),
        isRefused: own.chance(0.4),
      };
    case 'lossy':
    case 'late':
    case 'doubling':
      return { ...when, kind, node, rate: own.pick([0.05, 0.3, 0.8]) };
    case 'slowDisk':
      return { ...when, kind, commitMs: Math.round(own.long(20, 6000)) };
    case 'fullDisk':
      return { ...when, kind };
    case 'clockSet':
      return { ...when, kind, byMs: Math.round((own.chance(0.5) ? 1 : -1) * own.long(500, 7_200_000)) };
    default:
      return { ...when, kind, node };
  }
}
