// At the end of a simulation: as many jobs as there are slots, all of which must be alive at the same time. A slot that was not given
// back is found so, whatever has become of its job.

import { defineJob } from '../../src/index.ts';
import type { Host } from './host.ts';

const workMs = 10_000;

let wait: (ms: number) => Promise<void> = async () => {};
let alive = 0;
let most = 0;

const probe = defineJob({
  run: async (_: object) => {
    alive += 1;
    most = Math.max(most, alive);
    await wait(workMs);
    alive -= 1;
  },
});

export const slotProbe = {
  definitions: { 'slot probe': probe },
  /** How long it takes, s. */
  seconds: 60,
  send(hosts: readonly Host[], total: number): { most(): number } {
    alive = 0;
    most = 0;
    const [host] = hosts;
    if (host === undefined) return { most: () => most };
    wait = (ms) => new Promise((resolve) => host.loop.clock.setTimeout(resolve, ms));
    const inputs = Array.from({ length: total }, () => ({ label: 'probe', chunks: 0 }));
    host.processor.submitMany('slot probe' as never, inputs as never).catch(() => {});
    return { most: () => most };
  },
};
