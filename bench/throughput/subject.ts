// One job system in a process of its own: node subject.ts MODULE SPACE VARIANT. It does what it is told by message, answers
// with { value } or { error }, and removes what it stored when it is told to, or when who asks is gone.

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';

export interface System {
  addMany(inputs: number[]): Promise<unknown>;
  addOne(input: number): Promise<unknown>;
  /** Begins to run jobs. */
  work(concurrency: number): Promise<void>;
  /** Jobs whose completion is stored. */
  counted(): number | Promise<number>;
  /** Transactions so far, where it knows. */
  commits?(): number;
  /** Ms from a submit to the start of its job, of jobs that come one by one at an even pace to a worker that waits. */
  startsAfter?(perSecond: number, ms: number): Promise<number[]>;
  remove(): Promise<unknown>;
}

const [module = '', space = '', variant = ''] = process.argv.slice(2);
const system: Promise<System> = import(module).then(({ open }) => open(space, variant));

/** As many jobs wait as a worker with much to do has. */
const backlog = 3000;
const batch = 500;
const callers = 100;

const tasks = {
  /** Jobs a second from submit to completed, while a backlog is kept. */
  async throughput({ concurrency, warmUpMs, ms }: { concurrency: number; warmUpMs: number; ms: number }) {
    const { addMany, work, counted, commits } = await system;
    let added = 0;
    let isOver = false;
    const add = async () => {
      await addMany(Array.from({ length: batch }, () => added++));
    };
    for (let n = 0; n < backlog; n += batch) await add();
    await work(concurrency);
    const adding = (async () => {
      for (; !isOver; await pause(1)) while (!isOver && added - (await counted()) < backlog) await add();
    })();
    await pause(warmUpMs);
    const [before, commitsBefore] = [await counted(), commits?.() ?? 0];
    const began = performance.now();
    await pause(ms);
    const [after, commitsAfter] = [await counted(), commits?.() ?? 0];
    const seconds = (performance.now() - began) / 1000;
    isOver = true;
    await adding;
    return { jobs: (after - before) / seconds, commits: (commitsAfter - commitsBefore) / seconds };
  },
  /** Submits a second, in batches and one by one. */
  async submits({ ms }: { ms: number }) {
    const { addMany, addOne } = await system;
    let added = 0;
    const many = async () => {
      await addMany(Array.from({ length: batch }, () => added++));
    };
    await many();
    const batches = await rate(ms, 1, many, () => added);
    added = 0;
    const one = async () => {
      await addOne(added++);
    };
    return { batches, single: await rate(ms, callers, one, () => added) };
  },
  async latency({ perSecond, ms }: { perSecond: number; ms: number }) {
    const found = (await (await system).startsAfter?.(perSecond, ms)) ?? [];
    const sorted = found.sort((a, b) => a - b);
    const at = (part: number) => sorted[Math.floor(sorted.length * part)] ?? 0;
    return { median: at(0.5), p99: at(0.99) };
  },
  /** How late the host's event loop is, 99th percentile in ms, while jobs come one by one at an even pace. */
  async loopDelay({ perSecond, ms }: { perSecond: number; ms: number }) {
    const { addOne, work, counted } = await system;
    await work(10);
    let due = 0;
    const began = performance.now();
    let histogram = null as ReturnType<typeof monitorEventLoopDelay> | null;
    const adding: Promise<unknown>[] = [];
    for (let now = began; now - began < ms; now = performance.now()) {
      // The first second warms up.
      if (histogram === null && now - began > 1000) {
        histogram = monitorEventLoopDelay({ resolution: 1 });
        histogram.enable();
      }
      for (; due < ((now - began) / 1000) * perSecond; due += 1) adding.push(addOne(due));
      await pause(1);
    }
    histogram?.disable();
    await Promise.all(adding);
    const seconds = (performance.now() - began) / 1000;
    // The histogram counts from timer to timer: what is above its resolution is the delay.
    return { p99: (histogram?.percentile(99) ?? 0) / 1e6 - 1, jobs: (await counted()) / seconds };
  },
};

async function rate(ms: number, callers: number, act: () => Promise<void>, count: () => number) {
  const began = performance.now();
  const before = count();
  const call = async () => {
    while (performance.now() - began < ms) await act();
  };
  await Promise.all(Array.from({ length: callers }, call));
  return ((count() - before) / (performance.now() - began)) * 1000;
}

process.on('disconnect', async () => {
  await (await system).remove();
  process.exit();
});
process.on('message', async ([name, value]: [keyof typeof tasks | 'remove', never]) => {
  // What still runs of it may find its tables gone: no matter any more.
  if (name === 'remove') process.on('uncaughtException', () => {}).on('unhandledRejection', () => {});
  try {
    const answer = name === 'remove' ? await (await system).remove() : await tasks[name](value);
    process.send?.({ value: name === 'remove' ? null : answer });
  } catch (error) {
    process.send?.({ error: (error as Error).message });
  }
});
await system;
process.send?.('ready');
