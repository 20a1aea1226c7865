// The cost of a no-op job in memory, with something beside it and without: each side is a processor, they take turns in one
// process, and what is compared is the ratio within a round.

import { pino } from 'pino';
import { defineJob, JobProcessor, type Jobs, type ProcessorOptions } from '../src/index.ts';
import { median } from './benchmark.ts';

const jobsARound = 2000;

export interface Side {
  /** Microseconds a job. */
  round(): Promise<number>;
  close(): Promise<void>;
}

/** A line a job, as in production, but for the writing. */
export function openNoops(options: Pick<ProcessorOptions<Jobs>, 'telemetry'> = {}) {
  return new JobProcessor({
    engine: 'memory',
    jobs: { noop: defineJob({ run: (input: number) => input }) },
    logger: pino({}, { write() {} }),
    keepCompletedSeconds: 1,
    monitorIntervalSeconds: 1,
    ...options,
  }).start();
}

export function sideOf(processor: Awaited<ReturnType<typeof openNoops>>, close: () => Promise<void>): Side {
  const inputs = Array.from({ length: jobsARound }, (_, index) => index);
  return {
    async round() {
      const began = performance.now();
      const jobs = await processor.submitMany('noop', inputs);
      // They run in the order of submission.
      await jobs.at(-1)?.result();
      return ((performance.now() - began) / jobsARound) * 1000;
    },
    close,
  };
}

/** Of each side, and in their order: its median, and the median of its ratios to the first side. Closes them. */
export async function compare(
  sides: readonly Side[],
  { rounds, warmUp, progress }: { rounds: number; warmUp: number; progress(text: string): void },
): Promise<{ microsecondsAJob: number; ratio: number }[]> {
  const costs: number[][] = sides.map(() => []);
  for (let round = -warmUp; round < rounds; round += 1) {
    for (const turn of sides.keys()) {
      // Another one is first each time.
      const index = (turn + round + warmUp) % sides.length;
      const cost = await sides[index]?.round();
      if (round >= 0) costs[index]?.push(cost as number);
    }
    progress(`round ${round + 1} of ${rounds}`);
  }
  for (const side of sides) await side.close();
  return costs.map((found) => {
    const ratios = found.map((cost, round) => cost / (costs[0]?.[round] as number));
    return {
      microsecondsAJob: Math.round(median(found) * 10) / 10,
      ratio: Math.round(median(ratios) * 1000) / 1000,
    };
  });
}
