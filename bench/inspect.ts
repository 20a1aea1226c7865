// What the inspector costs the jobs: without it, with it served and nobody looking, with a page open that is told everything,
// and with a state-chart inspector attached. They take turns in one process; what is held to a bar is the median of the ratios within a round.

import { get } from 'node:http';
import { pino } from 'pino';
import { defineJob, JobProcessor } from '../src/index.ts';
import { atMost, type Benchmark, median } from './benchmark.ts';

const kinds = ['without', 'served, nobody looks', 'a page is open', 'a state-chart inspector'] as const;
type Kind = (typeof kinds)[number];
const jobsARound = 2000;

export const inspect: Benchmark = {
  about: 'what the inspector costs the jobs: served, and looked at',
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
    const ratio = (index: number) => {
      const ratios = (costs[index] as number[]).map((cost, round) => cost / (costs[0]?.[round] as number));
      return Math.round(median(ratios) * 1000) / 1000;
    };
    const rows = kinds.map((inspector, index) => ({
      inspector,
      microsecondsAJob: Math.round(median(costs[index] as number[]) * 10) / 10,
      asPartOfWithout: ratio(index),
      rounds,
    }));
    return {
      rows,
      // A short run says no more than that nothing is badly wrong.
      bars: [
        atMost('cost of a job with nobody looking / without the inspector', ratio(1), quick ? 1.25 : 1.02),
      ],
    };
  },
};

async function open(kind: Kind) {
  const processor = await new JobProcessor({
    engine: 'memory',
    jobs: { noop: defineJob({ run: (input: number) => input }) },
    // A line a job, as in production, but for the writing.
    logger: pino({}, { write() {} }),
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
  if (kind === 'a state-chart inspector') {
    const client = new WebSocket(new URL('xstate', String(inspector?.url).replace('http', 'ws')));
    await new Promise<void>((resolve) => {
      client.onopen = () => client.send('{"type":"xstate.inspecting"}');
      client.onmessage = () => resolve();
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
