// What the live page costs the jobs: without it, with it served and nobody looking, and with a page open that is told
// everything. The three take turns in one process; what is held to a bar is the median of the ratios within a round.

import { get } from 'node:http';
import { pino } from 'pino';
import { defineJob, JobProcessor } from '../src/index.ts';
import { atMost, type Benchmark, median } from './benchmark.ts';

const kinds = ['without', 'served, nobody looks', 'a page is open'] as const;
type Kind = (typeof kinds)[number];
const jobsARound = 2000;

export const inspect: Benchmark = {
  about: 'what the live page costs the jobs: served, and looked at',
  async run({ quick, progress }) {
    const rounds = quick ? 21 : 81;
    const sides = await Promise.all(kinds.map(open));
    const costs: number[][] = kinds.map(() => []);
    const warmUp = 5;
    for (let round = -warmUp; round < rounds; round += 1) {
      for (const turn of kinds.keys()) {
        // Another one is first each time.
        const index = (turn + round + warmUp) % kinds.length;
        const cost = await sides[index]?.round();
        if (round >= 0) costs[index]?.push(cost as number);
      }
      progress(`round ${round + 1} of ${rounds}`);
    }
    for (const side of sides) await side.close();
    const rows = kinds.map((kind, index) => ({
      page: kind,
      microsecondsAJob: onePlace(median(costs[index] as number[])),
      rounds,
    }));
    const ratio = (index: number) =>
      median((costs[index] as number[]).map((cost, round) => cost / (costs[0]?.[round] as number)));
    const nobody = Math.round(ratio(1) * 1000) / 1000;
    return {
      rows: [...rows, { page: 'a page is open', asPartOfWithout: Math.round(ratio(2) * 1000) / 1000 }],
      // A short run says no more than that nothing is badly wrong.
      bars: [atMost('cost of a job with nobody looking / without the page', nobody, quick ? 1.1 : 1.02)],
    };
  },
};

async function open(kind: Kind) {
  const processor = await new JobProcessor({
    engine: 'memory',
    jobs: { noop: defineJob({ run: (input: number) => input }) },
    logger: pino({ level: 'silent' }),
    keepCompletedSeconds: 1,
    monitorIntervalSeconds: 1,
  }).start();
  const inspector = kind === 'without' ? null : await processor.inspect();
  if (kind === 'a page is open') {
    await new Promise<void>((resolve) => {
      get(new URL('events', inspector?.url as string), (response) => {
        response.on('data', () => resolve());
        response.on('error', () => {});
      }).on('error', () => {});
    });
  }
  const inputs = Array.from({ length: jobsARound }, (_, index) => index);
  return {
    /** Microseconds a job. */
    async round(): Promise<number> {
      const began = performance.now();
      const jobs = await processor.submitMany('noop', inputs);
      // They run in the order of submission.
      await jobs.at(-1)?.result();
      return ((performance.now() - began) / jobsARound) * 1000;
    },
    async close() {
      await inspector?.close();
      await processor.stop();
    },
  };
}

function onePlace(value: number): number {
  return Math.round(value * 10) / 10;
}
