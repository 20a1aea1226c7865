// Attempts that only seem to run in processes are judged and ended as real ones are.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { defineChunkedJob, type Job, JobProcessor } from '../../src/index.ts';
import { placesOption } from '../../src/runtime/processorOptions.ts';
import type { Hang, Point, SimulatedAttempt } from '../../src/testing/simulatedAttempt.ts';
import { SimulatedClock } from '../../src/testing/simulatedClock.ts';
import { SimulatedPlaces } from '../../src/testing/simulatedPlaces.ts';
import { capturedLog } from '../support/capturedLog.ts';

const jobs = {
  sums: defineChunkedJob({
    module: import.meta.url,
    start: 0,
    *chunks(input: number, { checkpoint }) {
      for (let n = checkpoint; n < input; n += 1) yield [n];
    },
    process: ([n = 0], { append }) => {
      append({ n });
      return n + 1;
    },
  }),
};

let clock: SimulatedClock;
let places: SimulatedPlaces;
let processor: JobProcessor<typeof jobs>;
let reached: (attempt: SimulatedAttempt, point: Point) => void | Promise<void>;

beforeEach(async () => {
  clock = new SimulatedClock();
  reached = () => {};
  places = new SimulatedPlaces({ clock, reached: (attempt, point) => reached(attempt, point) });
  processor = new JobProcessor({
    engine: 'memory',
    jobs,
    clock,
    logger: capturedLog().logger,
    [placesOption]: places,
    heartbeatTimeoutSeconds: 60,
    jobTimeoutSeconds: 600,
    retry: { maxAttempts: 2, on: ['timedOut', 'failed'], backoff: { kind: 'fixed', seconds: 1 } },
  });
  await processor.start();
});

afterEach(async () => {
  const stopped = processor.stop();
  await clock.advance(60);
  await stopped;
  expect(clock.pending).toBe(0);
});

/** In its first attempt, at the second chunk. */
const onceAtTheSecondChunk = (act: (attempt: SimulatedAttempt) => void) => {
  reached = (attempt, point) => {
    if (attempt.spec.start.attempt === 1 && attempt.chunk === 2 && point === 'chunk') act(attempt);
  };
};
const rowsOf = async (job: Job) => {
  const rows: unknown[] = [];
  for await (const row of job.rows()) rows.push(row);
  return rows;
};
const rungs: [Hang, 'job' | 'heartbeat', string][] = [
  ['await', 'job', 'terminate'],
  ['loop', 'heartbeat', 'terminate'],
  ['deaf', 'heartbeat', 'kill'],
];

describe('a simulated process', () => {
  test.each(rungs)(
    'that hangs (%s) ends by its %s timeout, on the rung %s, and goes on from its checkpoint',
    async (hang, timeout, rung) => {
      onceAtTheSecondChunk((attempt) => attempt.hang(hang));
      const job = await processor.submit('sums', 3);
      await clock.advance(700);
      const status = await job.status();
      expect(status.state).toBe('completed');
      expect(status.history.find(({ state }) => state === 'retrying')).toMatchObject({
        timeout,
        stop: { confirmed: true, rung },
      });
      expect(await rowsOf(job)).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }]);
      expect(places.alive.size).toBe(0);
    },
  );

  test('that nothing can end holds its retry, until it is gone after all', async () => {
    onceAtTheSecondChunk((attempt) => attempt.hang('unkillable'));
    const job = await processor.submit('sums', 3);
    await clock.advance(200);
    expect(await job.status()).toMatchObject({ state: 'stopping', attempt: 1, stop: { confirmed: false } });
    expect((await processor.health()).status).toBe('degraded');
    const [attempt] = places.alive;
    attempt?.hang('loop');
    attempt?.kill();
    await clock.advance(10);
    expect(await job.status()).toMatchObject({ state: 'completed', attempt: 2 });
  });

  test('that crashes has failed, with the signal', async () => {
    onceAtTheSecondChunk((attempt) => attempt.end({ signal: 'SIGSEGV' }));
    const job = await processor.submit('sums', 3, { retry: { maxAttempts: 1 } });
    await clock.advance(10);
    expect(await job.status()).toMatchObject({
      state: 'failed',
      failure: { code: 'ERR_UNSTUCK_JOB_EXIT', message: expect.stringContaining('SIGSEGV') },
    });
  });
});
