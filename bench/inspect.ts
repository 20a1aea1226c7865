// What the inspector costs the jobs: without it, with it served and nobody looking, with a page open that is told everything,
// and with a state-chart inspector attached. They take turns in one process; what is held to a bar is the median of the ratios within a round.

import { get } from 'node:http';
import { atMost, type Benchmark } from './benchmark.ts';
import { compare, openNoops, type Side, sideOf } from './noopSides.ts';

const kinds = ['without', 'served, nobody looks', 'a page is open', 'a state-chart inspector'] as const;
type Kind = (typeof kinds)[number];

export const inspect: Benchmark = {
  about: 'what the inspector costs the jobs: served, and looked at',
  async run({ quick, progress }) {
    const rounds = quick ? 21 : 81;
    const sides = await Promise.all(kinds.map(open));
    const compared = await compare(sides, { rounds, warmUp: 5, progress });
    const rows = kinds.map((inspector, index) => ({
      inspector,
      microsecondsAJob: compared[index]?.microsecondsAJob as number,
      asPartOfWithout: compared[index]?.ratio as number,
      rounds,
    }));
    return {
      rows,
      // A short run says no more than that nothing is badly wrong.
      bars: [
        atMost(
          'cost of a job with nobody looking / without the inspector',
          compared[1]?.ratio as number,
          quick ? 1.25 : 1.02,
        ),
      ],
    };
  },
};

async function open(kind: Kind): Promise<Side> {
  const processor = await openNoops();
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
  return sideOf(processor, async () => {
    await inspector?.close();
    await processor.stop();
  });
}
