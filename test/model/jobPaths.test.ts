// All simple paths of the job's chart (jobModel.ts), walked by real processors on each engine (jobWalk.ts).

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Isolation } from '../../src/actors/attempt.ts';
import { type EventName, graphFrom, keyOf, type Path, simplePaths, startOf } from './jobModel.ts';
import { JobWalk } from './jobWalk.ts';
import { whyUndriven } from './undriven.ts';
import { engineNames, World } from './world.ts';

interface Variant {
  readonly isolation: Isolation;
  readonly attempt: 0 | 1;
  readonly paths: readonly Path[];
  /** By reason: steps of the chart that nothing makes happen. */
  readonly undriven: Record<string, number>;
}

function variant(isolation: Isolation, attempt: 0 | 1): Variant {
  const graph = graphFrom(startOf(attempt, isolation !== 'inline'));
  const undriven: Record<string, number> = {};
  const driven = new Map(
    [...graph].map(([key, { snapshot, edges }]) => {
      const possible = edges.flatMap(({ to, events }) => {
        const reasons = events.map((name) => [name, whyUndriven(name, snapshot, isolation)] as const);
        const can = reasons.filter(([, reason]) => reason === null).map(([name]) => name);
        if (can.length > 0) return [{ to, events: can }];
        const why = [...new Set(reasons.map(([, reason]) => reason))].join('; ');
        undriven[why] = (undriven[why] ?? 0) + 1;
        return [];
      });
      return [key, { snapshot, edges: possible }];
    }),
  );
  return { isolation, attempt, paths: simplePaths(driven), undriven };
}

const variants = [variant('process', 0), variant('process', 1), variant('inline', 0), variant('inline', 1)];

/** In a world of its own: an engine with more and more jobs would make each path slower. */
const pathsAWorld = 100;

describe.each(engineNames)('on %s', (engine) => {
  test.each(variants)('$isolation, before attempt $attempt', async ({ isolation, attempt, paths }) => {
    const walks = new Walks(isolation, attempt);
    // Unless all are asked for, in a file as many as take each event of each step.
    const todo = engine === 'memory' || process.env.PATHS === 'all' ? [...paths] : walks.untaken(paths);
    while (todo.length > 0) {
      const world = await new World(engine).open();
      for (const path of todo.splice(0, pathsAWorld)) await walks.walk(world, path);
      await world.close();
      // Each event of each step, not only one of those that lead the same way.
      if (todo.length === 0) todo.push(...walks.untaken(paths));
    }
  });
});

test('what nothing makes happen is known, with its reasons', () => {
  expect(
    Object.fromEntries(
      variants.map(({ isolation, attempt, undriven }) => [`${isolation} ${attempt}`, undriven]),
    ),
  ).toMatchInlineSnapshot(`
      {
        "inline 0": {
          "at rest no attempt can be late, and queue and deadline are found by the timer of the rows; only a process has a watchdog": 1,
          "only a process has a watchdog": 1,
          "the engine overrules no verdict that ends the job": 6,
          "whoever has the job now is told, and not an attempt whose lease is lost": 1,
          "whoever has the job now is told, and not an attempt whose lease is lost; the monitor leaves a stop that is under way to its ladder": 1,
        },
        "inline 1": {
          "at rest no attempt can be late, and queue and deadline are found by the timer of the rows; only a process has a watchdog": 2,
          "at rest there is no actor: the row stays retrying until its time has come and it is claimed": 1,
          "only a process has a watchdog": 1,
          "the engine overrules no verdict that ends the job": 7,
          "whoever has the job now is told, and not an attempt whose lease is lost": 1,
          "whoever has the job now is told, and not an attempt whose lease is lost; the monitor leaves a stop that is under way to its ladder": 1,
        },
        "process 0": {
          "at rest no attempt can be late, and queue and deadline are found by the timer of the rows; a watchdog lives in its attempt": 1,
          "the engine overrules no verdict that ends the job": 6,
          "whoever has the job now is told, and not an attempt whose lease is lost": 1,
          "whoever has the job now is told, and not an attempt whose lease is lost; the monitor leaves a stop that is under way to its ladder": 1,
        },
        "process 1": {
          "at rest no attempt can be late, and queue and deadline are found by the timer of the rows; a watchdog lives in its attempt": 2,
          "at rest there is no actor: the row stays retrying until its time has come and it is claimed": 1,
          "the engine overrules no verdict that ends the job": 7,
          "whoever has the job now is told, and not an attempt whose lease is lost": 1,
          "whoever has the job now is told, and not an attempt whose lease is lost; the monitor leaves a stop that is under way to its ladder": 1,
        },
      }
    `);
});

test('docs/reliability.md tells how many paths there are', () => {
  const page = readFileSync(new URL('../../docs/reliability.md', import.meta.url), 'utf8').replaceAll(
    '\n',
    ' ',
  );
  const sum = (paths: readonly Path[]) => paths.reduce((steps, path) => steps + path.length, 0);
  const paths = variants.flatMap((each) => each.paths);
  expect(page).toContain(`${paths.length} simple paths, ${sum(paths)} steps`);
});

class Walks {
  readonly #isolation: Isolation;
  readonly #attempt: 0 | 1;
  readonly #start: string;
  /** States in which everything was done that moves nothing. */
  readonly #stayed = new Set<string>();
  /** By state and event: how often. */
  readonly #taken = new Map<string, number>();
  #count = 0;

  constructor(isolation: Isolation, attempt: 0 | 1) {
    this.#isolation = isolation;
    this.#attempt = attempt;
    this.#start = keyOf(startOf(attempt, isolation !== 'inline'));
  }

  async walk(world: World, path: Path): Promise<void> {
    this.#count += 1;
    const told: string[] = [];
    try {
      await this.#walk(world, path, told);
    } catch (error) {
      throw new Error(`path ${this.#count} (${told.join(', ')}): ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  async #walk(world: World, path: Path, told: string[]): Promise<void> {
    const isKillable = this.#isolation !== 'inline';
    const job = new JobWalk(world, `path-${this.#count}`, this.#isolation, startOf(0, isKillable));
    await job.begin();
    if (this.#attempt === 1) {
      for (const event of ['start', 'fails', 'stored'] as const) await job.take(event);
      await job.goOnFrom(startOf(1, isKillable));
    }
    let at = this.#start;
    for (const step of path) {
      const event = this.#next(at, step);
      told.push(event);
      at = await job.take(event);
      expect(at).toBe(step.to);
      if (this.#stayed.has(at)) continue;
      this.#stayed.add(at);
      told.push('(stays)');
      await job.stay();
    }
    await job.end();
  }

  /** Of the events that lead on, the one that was taken least. */
  #next(from: string, { events }: Path[number]): EventName {
    const times = (name: EventName) => this.#taken.get(`${from}|${name}`) ?? 0;
    const next = events.reduce((a, b) => (times(b) < times(a) ? b : a));
    this.#taken.set(`${from}|${next}`, times(next) + 1);
    return next;
  }

  /** For each event that was never taken, a path on which it can be. */
  untaken(paths: readonly Path[]): Path[] {
    const found = new Map<string, Path>();
    for (const path of paths) {
      let from = this.#start;
      for (const { to, events } of path) {
        for (const name of events) {
          const key = `${from}|${name}`;
          if (!this.#taken.has(key) && !found.has(key)) found.set(key, path);
        }
        from = to;
      }
    }
    return [...new Set(found.values())];
  }
}
