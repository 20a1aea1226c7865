// The registry of chaos on PostgreSQL.

import { setTimeout as sleep } from 'node:timers/promises';
import { defineJob } from '../../../src/index.ts';
import steps, { stepsLimits } from './stepsJob.ts';

const shortLimits = { concurrency: 3, concurrencyPerKey: 1 };
/** By name. */
export const limits = { steps: stepsLimits, short: shortLimits };

export const jobs = {
  steps,
  short: defineJob({
    limits: shortLimits,
    retry: { maxAttempts: 1000 },
    // Its host is killed again and again, and it is not to blame.
    maxCrashes: 1000,
    run: ({ ms }: { key: string; ms: number }) => sleep(ms, ms),
  }),
  tick: defineJob({ maxCrashes: 1000, run: () => 'ticked' }),
};
