// How late timeouts fire while 10 000 and 50 000 jobs are alive at once, beside as many bare timers with the same
// due times. Every due time lies in one stretch that begins after the last job has started, so that only the
// timeouts themselves are measured.
//
// The clock of a job starts somewhere between its submit and the first line of its code, and nobody outside can
// say where. A due time here is the moment before the submit plus the timeout: the earliest it can be. So a
// lateness is never flattered (it is too high by `errorMs` at most, in 99 of 100), and a job that counts as
// early was early. One that fires early by less than `errorMs` can go unseen.

import { pino } from 'pino';
import { defineJob, JobProcessor } from '../src/index.ts';
import { atMost, type Benchmark, median } from './benchmark.ts';

export const lateness: Benchmark = {
  about: 'how late timeouts fire with 10 000 and 50 000 jobs alive',
  async run({ quick, progress }) {
    const spreadMs = quick ? 9_000 : 60_000;
    const rows: Figures[] = [];
    for (const live of quick ? [2_000, 10_000] : [10_000, 50_000]) {
      progress(`${live} bare timers over ${spreadMs / 1000} s`);
      const beside = await bare(live, spreadMs);
      progress(`${live} jobs, their timeouts over ${spreadMs / 1000} s`);
      rows.push(await unstuck(live, spreadMs), beside);
    }
    const ours = rows.filter(({ kind }) => kind === 'unstuck');
    const bars = ours.map(({ live, early }) => atMost(`timeouts fired early, of ${live}`, early, 0));
    return { rows, bars };
  },
};

type Figures = ReturnType<typeof figures>;

/** Jobs that are started and timed out beforehand, to learn what a start costs on this machine today. */
const trials = 1000;

async function unstuck(live: number, spreadMs: number) {
  const startedAt = new Float64Array(live + trials);
  const firedAt = new Float64Array(live + trials);
  const submittedAt = new Float64Array(live + trials);
  await using processor = new JobProcessor({
    engine: 'memory',
    logger: pino({ level: 'silent' }),
    maxConcurrentJobs: live,
    graceSeconds: 0.5,
    jobs: {
      waiting: defineJob({
        run(index: number, { signal }) {
          startedAt[index] = performance.now();
          return new Promise<void>((resolve) => {
            signal.addEventListener('abort', () => {
              firedAt[index] = performance.now();
              resolve();
            });
          });
        },
      }),
    },
  });
  await processor.start();
  const start = async (index: number, ms: number) => {
    submittedAt[index] = performance.now();
    await processor.submit('waiting', index, { jobTimeoutSeconds: ms / 1000 });
    // One at a time: what waited for others to be claimed would not know when its clock started.
    while (startedAt[index] === 0) await new Promise(setImmediate);
  };
  const allEnded = async () => {
    while (processor.activeJobs.size > 0) await new Promise((resolve) => setTimeout(resolve, 100));
  };
  for (let index = live; index < live + trials; index += 1) await start(index, 1);
  await allEnded();
  const costMs = median([...submittedAt.subarray(live)].map((at, index) => startedAt[live + index]! - at));
  const timeoutMs = await inOneStretch(live, 200 + 4 * costMs * live, spreadMs, start);
  await allEnded();
  return figures(
    'unstuck',
    timeoutMs.map((ms, index) => submittedAt[index]! + ms),
    firedAt.subarray(0, live),
    timeoutMs.map((_, index) => startedAt[index]! - submittedAt[index]!),
  );
}

async function bare(live: number, spreadMs: number) {
  const setAt = new Float64Array(live);
  const firedAt = new Float64Array(live);
  let left = live;
  const { promise: all, resolve } = Promise.withResolvers<void>();
  const timeoutMs = await inOneStretch(live, 200, spreadMs, async (index, ms) => {
    setAt[index] = performance.now();
    setTimeout(() => {
      firedAt[index] = performance.now();
      left -= 1;
      if (left === 0) resolve();
    }, ms);
  });
  await all;
  return figures(
    'bare setTimeout',
    setAt.map((at, index) => at + timeoutMs[index]!),
    firedAt,
    setAt.map(() => 0),
  );
}

/**
 * Starts all with whole milliseconds to go, the last of them before the first is due. Answers with the
 * milliseconds that each was given.
 */
async function inOneStretch(
  live: number,
  headMs: number,
  spreadMs: number,
  start: (index: number, ms: number) => Promise<void>,
): Promise<Float64Array> {
  const timeouts = new Float64Array(live);
  const from = performance.now() + headMs;
  for (let index = 0; index < live; index += 1) {
    const dueAt = from + (index / live) * spreadMs;
    timeouts[index] = Math.round(dueAt - performance.now());
    await start(index, timeouts[index]!);
  }
  if (performance.now() > from) throw new Error(`${live} could not be started before the first was due`);
  return timeouts;
}

function figures(kind: string, dueAt: Float64Array, firedAt: Float64Array, error: Float64Array) {
  const late = firedAt.map((at, index) => at - dueAt[index]!).sort();
  const at = (sorted: Float64Array, part: number) => ms(sorted[Math.floor((sorted.length - 1) * part)]!);
  return {
    kind,
    live: late.length,
    medianMs: ms(median([...late])),
    p99Ms: at(late, 0.99),
    worstMs: at(late, 1),
    early: late.filter((value) => value < 0).length,
    errorMs: at(error.sort(), 0.99),
  };
}

function ms(value: number): number {
  return Number(value.toFixed(2));
}
