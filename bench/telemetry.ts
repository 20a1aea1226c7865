// What telemetry costs the jobs: with none, and with metrics that a real SDK keeps and Prometheus' exporter is scraped for once a
// second. They take turns in one process; what is held to a bar is the median of the ratios within a round.

import { serveMetrics } from '../src/inspector/metricsServer.ts';
import { openPrometheus } from '../src/runtime/telemetry/prometheus.ts';
import { atMost, type Benchmark } from './benchmark.ts';
import { compare, openNoops, type Side, sideOf } from './noopSides.ts';

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
    const compared = await compare(sides, { rounds, warmUp: 10, progress });
    const ratio = (index: number) => compared[index]?.ratio as number;
    const rows = names.map((name, index) => ({
      telemetry: name,
      microsecondsAJob: compared[index]?.microsecondsAJob as number,
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

async function open(kind: keyof typeof kinds): Promise<Side> {
  const { telemetry, close } = await kinds[kind]();
  const processor = await openNoops({ telemetry });
  return sideOf(processor, async () => {
    await processor.stop();
    await close();
  });
}
