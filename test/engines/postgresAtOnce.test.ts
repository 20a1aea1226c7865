// Several processes on one database at once, each an engine with connections of its own, over random lives of random jobs: no limit of a
// name, key or rate is ever passed, no job is with two of them, and none is left behind. What is looked at is the database
// itself, one snapshot after the other, and what each of them was given. Real time: the database's clock is the subject too.

import fc from 'fast-check';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/actors/systemClock.ts';
import type { NameLimits, NewJob, StoredJob } from '../../src/engines/engine.ts';
import { claim } from '../../src/engines/postgres/claims.ts';
import { Connections } from '../../src/engines/postgres/connections.ts';
import { PostgresEngine } from '../../src/engines/postgres/postgres.ts';
import { type Query, Transaction } from '../../src/engines/postgres/transaction.ts';
import { plainJob, verdict } from './contract.ts';
import { isPostgresThere, onServer, postgresUrl, removeSchemas, schemaOfItsOwn } from './postgresServer.ts';

const limits: Record<string, NameLimits> = {
  limited: { concurrency: 3, rate: null },
  rated: { concurrency: Infinity, rate: { starts: 4, ms: 300 } },
};
const names = ['free', 'limited', 'rated'];

type Step =
  | { do: 'submit'; name: string; key: string | null; priority: number; delay: number }
  | { do: 'claim'; limit: number }
  | { do: 'settle'; which: number; state: 'completed' | 'queued' | 'retrying' }
  | { do: 'cancel' | 'promote' | 'stop'; which: number };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('submit' as const),
      name: fc.constantFrom(...names),
      key: fc.constantFrom(null, 'a', 'b', 'in order'),
      priority: fc.constantFrom(0, 0, 1, -2),
      delay: fc.constantFrom(0, 0, 20),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('claim' as const), limit: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('settle' as const),
      which: fc.nat(99),
      state: fc.constantFrom('completed' as const, 'queued' as const, 'retrying' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('cancel' as const, 'promote' as const, 'stop' as const),
      which: fc.nat(99),
    }),
  },
);

const keyLimitOf = (key: string | null) => (key === 'b' ? 2 : 1);

/** What all of them have done. */
class Trial {
  readonly submitted: string[] = [];
  /** With whom a job is, from the answer of its claim to the call that settles it. */
  readonly held = new Map<string, StoredJob>();
  readonly starts: number[] = [];
  #ids = 0;

  async take(engine: PostgresEngine, mine: StoredJob[], step: Step): Promise<void> {
    // A refusal is what a race ends with for one of two: what it must not do is told by the snapshots.
    const tried = (act: Promise<unknown>) =>
      act.catch((error) => {
        if ((error as { code?: string }).code !== 'ERR_UNSTUCK_STALE_ATTEMPT') throw error;
      });
    const some = (which: number) => this.submitted[which % this.submitted.length];
    if (step.do === 'submit') {
      const { name, key, priority, delay } = step;
      this.#ids += 1;
      const id = `job-${this.#ids}`;
      const job: NewJob = {
        ...plainJob,
        ...{ id, name, input: '1', priority, idempotencyKey: null, concurrencyKey: key },
        keyLimit: keyLimitOf(key),
        inOrder: key === 'in order',
        notBefore: delay === 0 ? null : Date.now() + delay,
      };
      await engine.submit([job]);
      this.submitted.push(id);
    } else if (step.do === 'claim') {
      for (const job of await engine.claim({
        owner: 'me',
        limit: step.limit,
        ahead: 0,
        names,
        leaseMs: 60_000,
        limits,
      }))
        this.#begin(job, mine);
    } else if (step.do === 'settle') {
      const [job] = mine.splice(step.which % Math.max(1, mine.length), 1);
      if (job !== undefined) await this.settle(engine, job, step.state);
    } else {
      const id = some(step.which);
      if (id === undefined) return;
      if (step.do === 'cancel') await tried(engine.settle(id, null, verdict('cancelled')));
      else if (step.do === 'promote') await engine.promote(id);
      else await tried(engine.recordIntent(id, null, { kind: 'handBack' }));
    }
  }

  #begin(job: StoredJob, mine: StoredJob[]): void {
    expect(this.held.has(job.id), `${job.id} is with two`).toBe(false);
    this.held.set(job.id, job);
    mine.push(job);
    if (job.name === 'rated') this.starts.push(job.startedAt as number);
    const others = [...this.held.values()];
    expect(others.filter(({ name }) => name === 'limited').length).toBeLessThanOrEqual(3);
    const ofKey = others.filter((o) => o.name === job.name && o.concurrencyKey === job.concurrencyKey);
    if (job.concurrencyKey !== null) expect(ofKey.length).toBeLessThanOrEqual(job.keyLimit);
  }

  async settle(engine: PostgresEngine, job: StoredJob, state: 'completed' | 'queued' | 'retrying') {
    this.held.delete(job.id);
    const notBefore = state === 'retrying' ? Date.now() + 15 : null;
    await engine.settle(job.id, job.token, verdict(state, { notBefore }));
  }
}

describe.skipIf(!(await isPostgresThere()))(`processes at once on ${postgresUrl}`, () => {
  afterAll(removeSchemas);

  test('an attempt begins after the one whose place it has, also where its claim was under way by then', async () => {
    const schema = schemaOfItsOwn();
    const engine = new PostgresEngine({ url: postgresUrl, schema });
    onTestFinished(() => engine.close());
    await engine.open(systemClock);
    const keyed = {
      ...plainJob,
      name: 'free',
      input: '1',
      idempotencyKey: null,
      concurrencyKey: 'a',
      keyLimit: 1,
    };
    await engine.submit([
      { ...keyed, id: 'first' },
      { ...keyed, id: 'next' },
    ]);
    const of = { owner: 'me', limit: 1, ahead: 0, names: ['free'], leaseMs: 60_000 };
    const [first] = await engine.claim(of);
    const next = await onServer(async (client) => {
      const { rows } = await client.query(
        'SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS now',
      );
      const query: Query = async (text, values = []) =>
        (await client.query(text, [...values])).rows as never[];
      const underWay = new Transaction(query, `"${schema}"`, rows[0].now);
      await engine.settle('first', first?.token as string, verdict('completed'));
      return (await claim(underWay, of))[0];
    });
    const ended = (await engine.get('first'))?.endedAt as number;
    expect(next).toMatchObject({ id: 'next', state: 'running' });
    expect(next?.startedAt).toBeGreaterThan(ended);
    expect((await engine.get('next'))?.startedAt).toBe(next?.startedAt);
  });

  test('of what a process hears of the time that which came the fastest counts: nothing is written as before it', async () => {
    const options = {
      url: postgresUrl,
      schema: schemaOfItsOwn(),
      maxConnections: 1,
      durability: 'full' as const,
    };
    const connections = new Connections({ ...options, now: null });
    onTestFinished(() => connections.close());
    await connections.open();
    const now = async () => (await connections.transact({ statements: [] }, async (tx) => tx.now)).value;
    const read = await now();
    connections.heard(read + 500);
    connections.heard(read + 100);
    expect(await now()).toBeGreaterThanOrEqual(read + 500);
    // What is read in this transaction came later, and says less.
    expect(await now()).toBeGreaterThanOrEqual(read + 500);
  });

  test('pass no limit, share no job and leave none behind', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(anyStep, { minLength: 25, maxLength: 40 }), { minLength: 4, maxLength: 4 }),
        async (lives) => {
          const schema = schemaOfItsOwn();
          const engines = lives.map(
            () => new PostgresEngine({ url: postgresUrl, schema, maxConnections: 3 }),
          );
          for (const engine of engines) await engine.open(systemClock);
          const trial = new Trial();
          let isOver = false;
          const watching = onServer(async (client) => {
            let snapshots = 0;
            for (; !isOver; snapshots += 1) {
              const { rows } = await client.query(`
                SELECT name, NULL AS key, count(*)::int AS alive, 0 AS heads FROM ${schema}.jobs
                  WHERE token IS NOT NULL AND name = 'limited' GROUP BY name
                UNION ALL SELECT name, concurrency_key, count(*) FILTER (WHERE token IS NOT NULL)::int,
                  count(*) FILTER (WHERE stage = 1 OR (stage = 0 AND in_order AND state = 'retrying'))::int FROM ${schema}.jobs
                  WHERE concurrency_key IS NOT NULL GROUP BY name, concurrency_key`);
              for (const { key, alive, heads } of rows as {
                key: string | null;
                alive: number;
                heads: number;
              }[]) {
                if (key === null) expect(alive).toBeLessThanOrEqual(3);
                else
                  expect(alive + heads, `alive and next of key ${key}`).toBeLessThanOrEqual(keyLimitOf(key));
              }
            }
            return snapshots;
          });
          const held = engines.map((): StoredJob[] => []);
          try {
            await Promise.all(
              engines.map(async (engine, n) => {
                for (const step of lives[n] ?? []) await trial.take(engine, held[n] as StoredJob[], step);
              }),
            );
            // Whatever they left comes to its end.
            const until = Date.now() + 30_000;
            for (;;) {
              await Promise.all(
                engines.map(async (engine, n) => {
                  const mine = held[n] as StoredJob[];
                  for (const job of mine.splice(0)) await trial.settle(engine, job, 'completed');
                  await trial.take(engine, mine, { do: 'claim', limit: 9 });
                }),
              );
              if ((await engines[0]?.count(['queued', 'retrying', 'running', 'stopping'])) === 0) break;
              expect(Date.now(), 'jobs are left behind').toBeLessThan(until);
            }
          } finally {
            isOver = true;
            for (const engine of engines) await engine.close();
            expect(await watching).toBeGreaterThan(10);
          }
          const starts = trial.starts.sort((a, b) => a - b);
          for (const [n, start] of starts.entries()) {
            const fifth = starts[n + 4];
            if (fifth !== undefined) expect(fifth - start).toBeGreaterThanOrEqual(300);
          }
        },
      ),
      // A race that was lost once may be won the next time: nothing to shrink.
      { numRuns: Number(process.env.POSTGRES_RUNS ?? 4), endOnFailure: true },
    );
  }, 180_000);
});
