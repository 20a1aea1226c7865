// The job of an owner that fell silent goes on elsewhere, once nothing of its attempt runs on this machine any more. On
// simulated time, with processes that only seem to be some.

import { expect, test } from 'vitest';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { defineChunkedJob, JobProcessor } from '../../src/index.ts';
import { placesOption } from '../../src/runtime/processorOptions.ts';
import { SimulatedClock } from '../../src/testing/simulatedClock.ts';
import { SimulatedPlaces, SimulatedProcesses } from '../../src/testing/simulatedPlaces.ts';
import { capturedLog } from '../support/capturedLog.ts';

const jobs = {
  sums: defineChunkedJob({
    module: import.meta.url,
    start: 0,
    *chunks(input: number, { checkpoint }) {
      for (let n = checkpoint; n < input; n += 1) yield [n];
    },
    process: ([n = 0]) => n + 1,
  }),
};

test('the attempt of a silent owner is proven ended before another takes its job', async () => {
  const clock = new SimulatedClock();
  /** The owner's: it stands still, as that of a process that is stopped. Its attempt does not. */
  const still = new SimulatedClock();
  const engine = new MemoryEngine();
  await engine.open(clock);
  engine.open = async () => {};
  const processes = new SimulatedProcesses();
  const shared = { engine, jobs, logger: capturedLog().logger };
  const held = new SimulatedPlaces({
    clock,
    processes,
    reached: (attempt, point) => {
      if (point === 'chunk' && attempt.chunk === 2) attempt.hang('await');
    },
  });
  const aliveAtStart: number[] = [];
  const free = new SimulatedPlaces({
    clock,
    processes,
    reached: (_, point) => {
      if (point === 'start') aliveAtStart.push(held.alive.size);
    },
  });
  const owner = await new JobProcessor({ ...shared, clock: still, [placesOption]: held }).start();
  const job = await owner.submit('sums', 3);
  await clock.advance(1);
  expect(held.alive.size).toBe(1);
  // Its slot comes free when its attempt is ended: the job is not to go back to it.
  const drained = owner.drain({ graceSeconds: 3600 });
  const other = await new JobProcessor({ ...shared, clock, [placesOption]: free }).start();
  await clock.advance(60);
  expect(aliveAtStart).toEqual([0]);
  expect(await (await other.get(job.id)).status()).toMatchObject({
    state: 'completed',
    attempt: 1,
    progress: { chunks: 3 },
  });
  const stopping = Promise.all([drained, owner.stop(), other.stop()]);
  await still.advance(30);
  await clock.advance(30);
  await stopping;
});
