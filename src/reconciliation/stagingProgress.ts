// How far the staging is, from bytes: those that were unpacked, converted or exported, and those that DuckDB has read. Its own
// percentage is not to be trusted; where the system does not count what a process reads, a side is done all at once.

import { readFile } from 'node:fs/promises';

/** 0 to 1. */
export type Report = (done: number) => void;

/** A part of `report`'s whole. */
export function part(report: Report, from: number, to: number): Report {
  return (done) => report(from + Math.min(1, done) * (to - from));
}

/**
 * DuckDB reads on all threads, then sorts and writes on one: of 4.1 s for 88 MB of CSV 1.1 s were the reading. What follows has
 * no measure but that pace.
 */
const readingPart = 0.25;
const lookMs = 100;

/** Reports on `work` by the bytes that this process reads meanwhile, of `bytes` in all. */
export async function reportReading<T>(bytes: number, report: Report, work: () => Promise<T>): Promise<T> {
  const before = await bytesRead();
  const startedAt = performance.now();
  let readAfterMs: number | null = null;
  const look = async () => {
    const now = await bytesRead();
    if (before === null || now === null) return;
    const passedMs = performance.now() - startedAt;
    const read = (now - before) / bytes;
    if (read < 1) report(read * readingPart);
    else {
      readAfterMs ??= passedMs;
      const wholeMs = readAfterMs / readingPart;
      report(Math.min(0.95, readingPart + (passedMs - readAfterMs) / wholeMs));
    }
  };
  const timer = before === null || bytes === 0 ? undefined : setInterval(() => void look(), lookMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    report(1);
  }
}

async function bytesRead(): Promise<number | null> {
  try {
    return Number(/^rchar: (\d+)$/m.exec(await readFile('/proc/self/io', 'utf8'))?.[1] ?? Number.NaN);
  } catch {
    return null;
  }
}

/**
 * Yields how many more of `count` steps `work` has passed, as it passes them; those that are left when it is over are not
 * yielded. Throws what it throws.
 */
export async function* passedSteps(
  count: number,
  work: (report: Report) => Promise<unknown>,
): AsyncGenerator<number, void> {
  let reached = 0;
  let isOver = false;
  let news = Promise.withResolvers<void>();
  const running = work((done) => {
    const step = Math.min(count - 1, Math.floor(done * count));
    if (step <= reached) return;
    reached = step;
    news.resolve();
  }).finally(() => {
    isOver = true;
    news.resolve();
  });
  // Awaited below, or by whoever ends this before.
  running.catch(() => undefined);
  let told = 0;
  while (!isOver) {
    await news.promise;
    news = Promise.withResolvers();
    if (!isOver && reached > told) {
      yield reached - told;
      told = reached;
    }
  }
  await running;
}
