// All faults that `npm run mutate` plants, in the order in which it does.

import type { Plant } from './plant.ts';
import { charts } from './plants/charts.ts';
import { fences } from './plants/fences.ts';
import { leasePlants } from './plants/leases.ts';
import { realWorld } from './plants/processes.ts';
import { queues } from './plants/queues.ts';

export const plants: readonly Plant[] = [...fences, ...queues, ...charts, ...leasePlants, ...realWorld];
