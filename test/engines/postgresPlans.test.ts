// A million queued jobs cost no more than a thousand: no statement of the PostgreSQL engine looks at every job, whether the server
// has statistics of the table or not yet; and a claim reads as much of a long queue as of a short one. The server's own
// plans are asked.

import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/actors/systemClock.ts';
import { adopt, promote, prune, setTimeouts } from '../../src/engines/postgres/acts.ts';
import { beat, checkpoint, recordIntent, settle } from '../../src/engines/postgres/attempts.ts';
import { claim } from '../../src/engines/postgres/claims.ts';
import { planning } from '../../src/engines/postgres/connections.ts';
import { JobQueries, queueFirst } from '../../src/engines/postgres/jobQueries.ts';
import { nextStartIn, ripening } from '../../src/engines/postgres/limits.ts';
import { nodes } from '../../src/engines/postgres/nodes.ts';
import { PostgresEngine } from '../../src/engines/postgres/postgres.ts';
import { submit } from '../../src/engines/postgres/submissions.ts';
import { type Query, Transaction } from '../../src/engines/postgres/transaction.ts';
import { plainJob, verdict } from './contract.ts';
import { isPostgresThere, onServer, postgresUrl, removeSchemas, schemaOfItsOwn } from './postgresServer.ts';

interface Plan {
  'Node Type': string;
  'Relation Name'?: string;
  'Shared Hit Blocks'?: number;
  'Shared Read Blocks'?: number;
  Plans?: Plan[];
}

const job = { ...plainJob, name: 'x', input: '1', idempotencyKey: null };
const many = (n: number, from: string) =>
  Array.from({ length: n }, (_, index) => ({ ...job, id: `${from}-${index}` }));

async function explained(
  client: pg.Client,
  options: string,
  sql: string,
  values: readonly unknown[],
): Promise<Plan> {
  const { rows } = await client.query(`EXPLAIN (${options}FORMAT JSON) ${sql}`, [...values]);
  return rows[0]['QUERY PLAN'][0].Plan;
}

function* nodesOf(plan: Plan): Generator<Plan> {
  yield plan;
  for (const child of plan.Plans ?? []) yield* nodesOf(child);
}

describe.skipIf(!(await isPostgresThere()))(`plans of ${postgresUrl}`, () => {
  afterAll(removeSchemas);
  const schema = schemaOfItsOwn();
  const engine = new PostgresEngine({ url: postgresUrl, schema });

  beforeAll(async () => {
    await engine.open(systemClock);
    for (let batch = 0; batch < 10; batch += 1) {
      await engine.submit(many(900, `old-${batch}`).map((old) => ({ ...old, name: `name-${batch}` })));
      for (let n = 0; n < 900; n += 100)
        await Promise.all(
          Array.from({ length: 100 }, (_, index) =>
            engine.settle(`old-${batch}-${n + index}`, null, verdict('cancelled')),
          ),
        );
      await engine.submit(many(900, `waiting-${batch}`));
    }
  });
  afterAll(() => engine.close());

  for (const statistics of ['before the server has looked at it', 'with statistics'])
    test(`no statement scans the jobs, ${statistics}`, async () => {
      await onServer(async (client) => {
        if (statistics === 'with statistics') await client.query(`ANALYZE ${schema}.jobs`);
        let looked = 0;
        const looking =
          (): Query =>
          async <Row>(sql: string, values: readonly unknown[] = []) => {
            for (const node of nodesOf(await explained(client, '', sql, values))) {
              const scanned = node['Node Type'] === 'Seq Scan' ? node['Relation Name'] : undefined;
              expect({ sql, scanned }).not.toMatchObject({
                scanned: expect.stringMatching(/^(jobs|output)$/),
              });
            }
            looked += 1;
            return (await client.query(sql, [...values])).rows as Row[];
          };
        await client.query(['BEGIN', ...planning].join(';'));
        const query = looking();
        const tx = new Transaction(query, `"${schema}"`, Date.now());
        await submit(tx, [
          { ...job, id: 'a', concurrencyKey: 'k', idempotencyKey: 'i' },
          { ...job, id: 'b' },
        ]);
        await submit(tx, [{ ...job, id: 'c', idempotencyKey: 'i' }]);
        await query(ripening(`"${schema}"`, '1'));
        const limits = { x: { concurrency: 50, rate: { starts: 5, ms: 1000 } } };
        const [first, second] = await claim(tx, {
          owner: 'o',
          limit: 2,
          ahead: 1,
          names: ['x', 'y'],
          leaseMs: 9,
          limits,
        });
        const of = (which: typeof first) => ({ id: which?.id as string, token: which?.token as string });
        await checkpoint(tx, [
          { ...of(first), chunk: 1, checkpoint: '1', rows: ['1'], items: 1, total: null },
        ]);
        await recordIntent(tx, [{ ...of(first), intent: { kind: 'handBack' } }]);
        await settle(tx, [{ ...of(first), verdict: verdict('queued'), followUps: [] }]);
        await settle(tx, [{ ...of(second), token: 'stale', verdict: verdict('queued'), followUps: [] }]);
        await adopt(tx, of(second).id, of(second).token, 'p', 9);
        await promote(tx, 'a');
        await setTimeouts(tx, 'b', { deadlineSeconds: 5 });
        await beat(query, `"${schema}"`, null, [{ ...of(second), heartbeatAt: 1, total: null, leaseMs: 9 }]);
        await prune(tx, ['cancelled', 'failed'], Date.now());
        await Promise.all(await tx.finish());
        const queries = new JobQueries(query, `"${schema}"`);
        await queries.get('b');
        for (const which of [
          {},
          { states: ['queued'] as const },
          { name: 'x' },
          { key: 'i' },
          { key: 'i', name: 'x', states: ['queued'] as const, from: 1, before: 2 },
          { from: 1, before: 2 },
          { after: 'waiting-1-2' },
        ])
          for (const last of [null, { submitted_at: Date.now(), seq: 3 }])
            await queries.listPage({ limit: 50, ...which }, last);
        for (let from: typeof queueFirst | null = queueFirst; from !== null && looked < 300; )
          from = (await queries.queuePage(from)).next;
        await queries.countEnded('completed', Date.now());
        await queries.oldestWaiting(null);
        await queries.openJobs();
        await queries.rowsPage(1, 0);
        await queries.due(null);
        await queries.nextDueAt(null);
        await queries.lapsed(null);
        await queries.isAnyRipe(null);
        await nextStartIn(query, `"${schema}"`, null, limits);
        await nodes(query, `"${schema}"`, null);
        await client.query('ROLLBACK');
        expect(looked).toBeGreaterThan(50);
      });
    });

  test('a claim reads as many pages of a queue of 50 000 as of one of 9 000', async () => {
    const pagesOfAClaim = () =>
      onServer(async (client) => {
        let pages = 0;
        await client.query(['BEGIN', ...planning].join(';'));
        const query: Query = async (sql, values = []) => {
          const plan = await explained(client, 'ANALYZE, BUFFERS, ', sql, values);
          pages += (plan['Shared Hit Blocks'] ?? 0) + (plan['Shared Read Blocks'] ?? 0);
          return [];
        };
        await claim(new Transaction(query, `"${schema}"`, Date.now()), {
          ...{ owner: 'o', limit: 10, ahead: 0, names: ['x', 'y'], leaseMs: 9 },
        });
        await client.query('ROLLBACK');
        return pages;
      });
    await pagesOfAClaim();
    const short = await pagesOfAClaim();
    for (let batch = 0; batch < 9; batch += 1) await engine.submit(many(4500, `more-${batch}`));
    const long = await pagesOfAClaim();
    expect(short).toBeGreaterThan(10);
    expect(long).toBeLessThan(short * 1.5);
  });
});
