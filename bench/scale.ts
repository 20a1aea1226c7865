// The cost of a job's whole life (submit, claim, run, settle, result) while 10 or 10 000 others are alive. The
// two take turns in one process, so that a noisy machine meets both; the medians of the rounds are compared.

import { pino } from 'pino';
import { createActor, fromCallback } from 'xstate';
import { systemClock } from '../src/actors/systemClock.ts';
import { defineJob, JobProcessor } from '../src/index.ts';
import { claimedJobMachine } from '../src/machines/job.ts';
import type { JobChartInput } from '../src/machines/jobMessages.ts';
import { atMost, type Benchmark, median } from './benchmark.ts';

const few = 10;
const many = 10_000;

export const scale: Benchmark = {
  about: "cost of a job's whole life with 10 and with 10 000 others alive",
  async run({ quick, progress }) {
    const jobsARound = 1000;
    const rounds = quick ? 15 : 41;
    const sides = [await withOthers(few), await withOthers(many)] as const;
    for (const side of sides) await side.round(jobsARound);
    const costs: [number[], number[]] = [[], []];
    for (let round = 0; round < rounds; round += 1) {
      // Who goes first changes, so that neither always pays for the other's garbage.
      const order = round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const);
      for (const side of order) costs[side].push(await sides[side].round(jobsARound));
      progress(`round ${round + 1} of ${rounds}`);
    }
    for (const side of sides) await side.stop();
    const medians = costs.map(median) as [number, number];
    const rows = sides.map(({ others }, side) => ({
      othersAlive: others,
      microsecondsAJob: round(medians[side]!, 1),
      lowest: round(Math.min(...costs[side]!), 1),
      highest: round(Math.max(...costs[side]!), 1),
      rounds,
    }));
    const ratio = round(medians[1] / medians[0], 3);
    const alone = await chartAlone(quick ? 5 : 15);
    const chart = { what: 'of it the chart alone', microsecondsAJob: round(median(alone), 1) };
    return {
      rows: [...rows, chart],
      bars: [atMost(`cost with ${many} others alive / with ${few}`, ratio, 1.3)],
    };
  },
};

async function withOthers(others: number) {
  const processor = new JobProcessor({
    engine: 'memory',
    logger: pino({ level: 'silent' }),
    maxConcurrentJobs: others + 1,
    graceSeconds: 0,
    jobs: {
      other: defineJob({ run: (_: null, { signal }) => until(signal) }),
      short: defineJob({ run: (input: number) => input }),
    },
  });
  await processor.start();
  for (let index = 0; index < others; index += 1) await processor.submit('other', null);
  while (processor.activeJobs.size < others) await new Promise(setImmediate);
  return {
    others: processor.activeJobs.size,
    /** Microseconds a job, one after the other. */
    async round(jobs: number): Promise<number> {
      const start = performance.now();
      for (let index = 0; index < jobs; index += 1) await (await processor.submit('short', index)).result();
      return ((performance.now() - start) / jobs) * 1000;
    },
    stop: () => processor.stop(),
  };
}

/** Microseconds a job: its actor from the claim to `completed`, with an attempt and an engine that do nothing. */
async function chartAlone(rounds: number): Promise<number[]> {
  const machine = claimedJobMachine.provide({
    actors: { processChunks: fromCallback(({ sendBack }) => sendBack(ended)) },
    actions: { storeVerdict: ({ self }) => queueMicrotask(() => self.send({ type: 'verdict.stored' })) },
  });
  const lives = 5000;
  const costs: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const start = performance.now();
    for (let life = 0; life < lives; life += 1) {
      const over = Promise.withResolvers<void>();
      const actor = createActor(machine, { input: chartInput, clock: systemClock });
      actor.subscribe({ complete: () => over.resolve() });
      actor.start();
      await over.promise;
    }
    costs.push(((performance.now() - start) / lives) * 1000);
  }
  return costs;
}

const ended = {
  type: 'attempt.ended',
  outcome: { kind: 'completed', result: '1' },
  at: 0,
  stopSeconds: null,
};

const chartInput: JobChartInput = {
  jobId: 'job',
  token: 'token',
  attempt: 1,
  maxAttempts: 1,
  retryOn: [],
  backoff: { kind: 'fixed', ms: 0, maxMs: 0, jitter: 0 },
  chance: 0,
  jobTimeoutMs: 7_200_000,
  heartbeatTimeoutMs: Infinity,
  progressTimeoutMs: Infinity,
  graceMs: 5000,
  isKillable: false,
  queueDueAt: null,
  deadlineAt: null,
  now: 0,
};

function until(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
