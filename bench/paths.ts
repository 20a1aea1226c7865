// How many paths of a job's life `unstuck/testing` takes it along in a second: a job that does nothing, so that what is measured
// is the runtime, its simulated machine, and the checks of each path.

import { defineChunkedJob, defineJob } from '../src/index.ts';
import { type JobPath, jobPaths } from '../src/testing/index.ts';
import { type Benchmark, median } from './benchmark.ts';

const least = 1000;

const one = defineJob({ module: import.meta.url, run: () => null });

/** Four chunks, so that each stage of a path is one of its own. */
const chunked = defineChunkedJob({
  module: import.meta.url,
  start: 0,
  *chunks(_: null, { checkpoint }) {
    for (let n = checkpoint; n < 4; n += 1) yield [n];
  },
  process: ([n = 0]) => n + 1,
});

export const paths: Benchmark = {
  about: 'paths a second of a job that does nothing, with unstuck/testing',
  async run({ quick, progress }) {
    const rounds = quick ? 9 : 31;
    const jobs: Record<string, JobPath[]> = {
      'a job of one function': jobPaths(one, undefined),
      'a job of four chunks': jobPaths(chunked, null),
    };
    const rates: Record<string, number[]> = Object.fromEntries(Object.keys(jobs).map((name) => [name, []]));
    for (let round = 0; round <= rounds; round += 1) {
      for (const [name, all] of Object.entries(jobs)) {
        const rate = await pathsASecond(all);
        // The first one warms up.
        if (round > 0) rates[name]!.push(rate);
      }
      progress(`round ${round} of ${rounds}`);
    }
    const rows = Object.entries(rates).map(([what, measured]) => ({
      what,
      paths: jobs[what]!.length,
      pathsASecond: Math.round(median(measured)),
      lowest: Math.round(Math.min(...measured)),
      highest: Math.round(Math.max(...measured)),
      rounds,
    }));
    const value = rows[0]!.pathsASecond;
    const bar = {
      what: 'paths a second of a no-op job, at least',
      value,
      limit: least,
      holds: value >= least,
    };
    return { rows, bars: [bar] };
  },
};

async function pathsASecond(paths: readonly JobPath[]): Promise<number> {
  const start = performance.now();
  for (const path of paths) await path.run();
  return (paths.length / (performance.now() - start)) * 1000;
}
