// The simulation on a real PostgreSQL server: few histories, for each call is answered by it. `npm run simulate -- --engine postgres` runs more.

import { afterAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../src/engines/engine.ts';
import { isPostgresThere, onServer, postgresUrl } from '../engines/postgresServer.ts';
import { planOf } from './plan.ts';
import { simulate } from './simulation.ts';

/** With faults of each kind between them, and short. */
const seeds = [66, 245, 132];

/** An engine of which one call is another. */
const altering =
  <M extends keyof Engine>(method: M, alter: (engine: Engine) => Engine[M]) =>
  (engine: Engine): Engine =>
    new Proxy(engine, {
      get(target, name) {
        if (name === method) return alter(target);
        const value = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });

describe.skipIf(!(await isPostgresThere()))(`histories on ${postgresUrl}`, () => {
  afterAll(async () => {
    const { rows } = await onServer((client) =>
      client.query('SELECT nspname FROM pg_namespace WHERE nspname LIKE $1', [
        `unstuck_simulation_${process.pid}_%`,
      ]),
    );
    expect(rows).toEqual([]);
  });

  // The time is that of the server.
  test('keep every promise', { timeout: 120_000 }, async () => {
    const faults: Record<string, number> = {};
    for (const seed of seeds) {
      const outcome = await simulate(planOf(seed, 'postgres'));
      expect({ seed, violation: outcome.violation }).toEqual({ seed, violation: null });
      expect(outcome.steps).toBeGreaterThan(100);
      for (const [kind, count] of Object.entries(outcome.faults)) faults[kind] = (faults[kind] ?? 0) + count;
    }
    for (const fault of ['crash', 'request lost', 'answer lost'])
      expect(faults[fault], fault).toBeGreaterThan(0);
  });

  test('are the same each time, to the letter', { timeout: 120_000 }, async () => {
    const [seed = 0] = seeds;
    const first = await simulate(planOf(seed, 'postgres'));
    const second = await simulate(planOf(seed, 'postgres'));
    expect(first.history.length).toBeGreaterThan(20);
    expect(second).toEqual(first);
  });

  test.each([
    [
      'what is appended is there once and in order',
      altering('checkpoint', (engine) => (write) => {
        return engine.checkpoint({ ...write, rows: [...write.rows, ...write.rows] });
      }),
    ],
    [
      'the concurrency of a key holds',
      altering('submit', (engine) => (jobs) => {
        return engine.submit(jobs.map((job) => ({ ...job, keyLimit: job.keyLimit + 1 })));
      }),
    ],
  ])('a planted fault is found: %s', { timeout: 120_000 }, async (invariant, engine) => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const { violation } = await simulate(planOf(seed, 'postgres'), { engine });
      if (violation?.invariant === invariant) return;
    }
    expect.fail('not found');
  });
});
