// What a job that does nothing costs in each isolation, from submit to result: with a child started for it, with
// one that was started ahead, and with one that ran the last attempt. They take turns in one process.

import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { JobProcessor } from '../src/index.ts';
import { atMost, type Bar, type Benchmark, median } from './benchmark.ts';
import noop from './noop.ts';

const isolations = ['process', 'thread', 'inline'] as const;
const children = ['started for it', 'spare', 'reused'] as const;
/** Long enough for the next spare to be ready. */
const pauseMs = 400;

interface Side {
  isolation: string;
  child: string;
  processor: JobProcessor<{ noop: typeof noop }>;
  ms: number[];
}

export const start: Benchmark = {
  about: 'what it costs a job to begin and end in each isolation, its child new, spare or reused',
  async run({ quick, progress }) {
    const rounds = quick ? 7 : 31;
    const sides: Side[] = [];
    for (const isolation of isolations) {
      for (const child of isolation === 'inline' ? (['none'] as const) : children) {
        const processor = await new JobProcessor({
          engine: 'memory',
          jobs: { noop: { ...noop, isolation, reuse: child === 'reused' } },
          spares: child === 'spare' ? 1 : 0,
          logger: pino({ level: 'silent' }),
        }).start();
        sides.push({ isolation, child, processor, ms: [] as number[] });
      }
    }
    for (let round = 0; round < rounds; round += 1) {
      for (const { processor, ms } of sides) {
        await sleep(round === 0 ? 0 : pauseMs / sides.length);
        const began = performance.now();
        await (await processor.submit('noop', round)).result();
        ms.push(performance.now() - began);
      }
      progress(`round ${round + 1} of ${rounds}`);
    }
    for (const { processor } of sides) await processor.stop();
    // The first of each side pays for what all later ones share.
    for (const { ms } of sides) ms.shift();
    const of = (isolation: string, child: string) =>
      median(sides.find((side) => side.isolation === isolation && side.child === child)?.ms ?? []);
    const bars: Bar[] = (['process', 'thread'] as const).map((isolation) =>
      atMost(
        `${isolation}: a spare / one started for it`,
        Number((of(isolation, 'spare') / of(isolation, 'started for it')).toFixed(3)),
        0.8,
      ),
    );
    const rows = sides.map(({ isolation, child, ms }) => ({
      isolation,
      child,
      medianMs: Number(median(ms).toFixed(1)),
      worstMs: Number(Math.max(...ms).toFixed(1)),
      rounds: ms.length,
    }));
    return { rows, bars };
  },
};
