// What telemetry costs the jobs: with none, and with metrics that a real SDK keeps and Prometheus' exporter is scraped for once a
// second. They take turns in one process; what is held to a bar is the median of the ratios within a round.

import { pino } from 'pino';
import { defineJob, JobProcessor } from '../src/index.ts';
import { serveMetrics } from '../src/inspector/metricsServer.ts';
import { openPrometheus } from '../src/runtime/telemetry/prometheus.ts';
import { atMost, type Benchmark, median } from './benchmark.ts';

const jobsARound = 2000;
/** Prometheus asks every 15 s or so. */
const scrapeMs = 1000;

/** What is set up for it, and how that ends. */
const kinds = {
  async off() {
    return { telemetry: false as const, close: async () => {} };
  },
  async metrics() {
    const prometheus = await openPrometheus('telemetry');
    const server = await serveMetrics(prometheus, { host: '127.0.0.1', port: 0 });
    const timer = setInterval(async () => (await fetch(server.url)).text(), scrapeMs);
    return {
      telemetry: { meterProvider: prometheus.meterProvider },
      close: async () => {
        clearInterval(timer);
        await server.close();
        await prometheus.close();
      },
    };
  },
};

export const telemetry: Benchmark = {
  about: 'what metrics cost the jobs',
  async run({ quick, progress }) {
    const rounds = quick ? 21 : 121;
    const names = Object.keys(kinds) as (keyof typeof kinds)[];
    const sides = await Promise.all(names.map(open));
    const costs: number[][] = names.map(() => []);
    const warmUp = 10;
    for (let round = -warmUp; round < rounds; round += 1) {
      for (const turn of names.keys()) {
        // Another one is first each time.
        const index = (turn + round + warmUp) % names.length;
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
    const rows = names.map((name, index) => ({
      telemetry: name,
      microsecondsAJob: Math.round(median(costs[index] as number[]) * 10) / 10,
      asPartOfOff: ratio(index),
      rounds,
    }));
    // A short run says no more than that nothing is badly wrong.
    const bars = names
      .slice(1)
      .map((name, index) =>
        atMost(`cost of a job with ${name} / with telemetry off`, ratio(index + 1), quick ? 1.25 : 1.05),
      );
    return { rows, bars };
  },
};

async function open(kind: keyof typeof kinds) {
  const { telemetry, close } = await kinds[kind]();
  const processor = await new JobProcessor({
    engine: 'memory',
    jobs: { noop: defineJob({ run: (input: number) => input }) },
    // A line a job, as in production, but for the writing.
    logger: pino({}, { write() {} }),
    keepCompletedSeconds: 1,
    monitorIntervalSeconds: 1,
    telemetry,
  }).start();
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
      await processor.stop();
      await close();
    },
  };
}
