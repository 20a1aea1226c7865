// A million queued jobs cost no more than a thousand: no statement of the SQLite engine looks at every job, and none
// that runs over and over sorts them. What SQLite itself says it will do is asked of each statement that is prepared.

import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { ControlStore } from '../../src/engines/sqlite/controlStore.ts';
import { type JobQueries, queueFirst } from '../../src/engines/sqlite/jobQueries.ts';
import { JobStore } from '../../src/engines/sqlite/jobStore.ts';
import { NodeStore } from '../../src/engines/sqlite/nodeStore.ts';
import { migrate } from '../../src/engines/sqlite/schema.ts';
import { plainJob, verdict } from './contract.ts';

const database = new DatabaseSync(':memory:');
migrate(database, ':memory:');
const prepared: string[] = [];
const recording = {
  prepare(sql: string) {
    prepared.push(sql.replace(/\s+/g, ' '));
    return database.prepare(sql);
  },
} as DatabaseSync;

const at = { now: 1000, monotonic: 1000 };
const here = { boot: 'b', holder: 'h', isAlive: () => false, now: () => 0 };
const store = new JobStore(recording, here, () => {});
const nodes = new NodeStore(recording, here);
const { queries } = store;
const controls = new ControlStore(recording, store, () => {});
const job = {
  name: 'x',
  input: '1',
  ...plainJob,
};

function useAll(): void {
  store.submit(at, [
    { ...job, id: 'a', idempotencyKey: 'k' },
    { ...job, id: 'b', idempotencyKey: null },
    { ...job, id: 'c', idempotencyKey: null },
    { ...job, id: 'd', idempotencyKey: null, concurrencyKey: 'k' },
    { ...job, id: 'e', idempotencyKey: null, concurrencyKey: 'k' },
    { ...job, id: 'f', name: 'y', idempotencyKey: null },
  ]);
  const claim = () => store.claim(at, { owner: 'o', limit: 1, ahead: 0, names: ['x'], leaseMs: 10 });
  const [first] = claim();
  const token = first?.token as string;
  store.beat(at, [{ id: 'a', token, heartbeatAt: 1, total: 1 }], 10);
  store.checkpoint(at, { id: 'a', token, chunk: 1, checkpoint: '1', rows: ['1'], items: 1, total: null });
  store.lapsed({ now: 2000, monotonic: 2000 });
  const adopted = store.adopt(at, 'a', token, 'p', 10);
  store.recordIntent(at, 'a', null, { kind: 'handBack' });
  store.settle(at, 'a', adopted, verdict('queued', { crashed: true }));
  const [again] = claim();
  store.settle(at, again?.id as string, again?.token as string, verdict('completed', { result: '1' }));
  store.promote(at, 'b');
  store.promote(at, 'e');
  const limits = { y: { concurrency: 2, rate: { starts: 1, ms: 1 } } };
  store.claim(at, { owner: 'o', limit: 1, ahead: 0, names: ['y'], leaseMs: 10, limits });
  store.submit(at, [{ ...job, id: 'g', name: 'y', idempotencyKey: null }]);
  store.nextStartAt(at, limits);
  queries.get(at, 'b');
  for (const query of [
    {},
    { states: ['queued'] as const },
    { name: 'x' },
    { key: 'k' },
    { key: 'k', name: 'x', states: ['queued'] as const, from: 1, before: 2 },
    { from: 1, before: 2 },
    { after: 'b' },
  ])
    for (const last of [null, { submittedAt: 1000, seq: 3 }]) queries.listPage(at, query, last);
  for (let from = queueFirst as Parameters<JobQueries['queuePage']>[1] | null; from !== null; )
    from = queries.queuePage(at, from).next;
  queries.count(at, ['queued']);
  queries.count(at, ['queued'], 'x');
  queries.countEnded(at, 'completed', 0);
  queries.countEnded(at, 'timedOut', 0, 'job');
  queries.oldestWaiting(at);
  queries.openJobs(at);
  queries.rowsPage(at, 'a', 0);
  queries.due(at);
  queries.nextDueAt(at);
  nodes.nodes(at);
  store.publish([['a', 'queued']]);
  store.newsSince(0);
  store.prune(at, ['completed'], 5000);
  const schedule = { key: 'k', revision: '1', cron: '', timeZone: '', overlap: 'skip' } as const;
  const ticks = { nextTickAt: 1, countedFrom: 1, lastTickAt: null, lastJobId: null, lastSkipAt: null };
  controls.storeSchedule(at, { ...schedule, ...ticks, job: { ...job, idempotencyKey: null } }, null, []);
  controls.schedules(at, { key: 'k' });
  controls.schedules(at, { names: ['x'], dueBy: 2 });
  controls.removeSchedule(at, 'k');
  for (const isPaused of [true, false]) controls.setPaused(at, 'x', isPaused);
  controls.claim(at, { owner: 'o', limit: 1, ahead: 0, names: ['x'], leaseMs: 10 });
}

useAll();

test('no statement scans the jobs', () => {
  expect(prepared.length).toBeGreaterThan(30);
  for (const sql of prepared) {
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all() as { detail: string }[];
    for (const { detail } of plan) {
      // Of an index is fine only where it was asked for the whole of it: the live jobs, the jobs of a page.
      const isWhole = /^SCAN (jobs|output|schedules)(?! USING)/.test(detail);
      expect({ sql, detail, isWhole }).toMatchObject({ isWhole: false });
      // At most one job of each name has a key: to sort them is nothing.
      const areFew =
        sql.includes('DISTINCT holder') ||
        sql.includes('GROUP BY owner') ||
        sql.includes('INDEXED BY jobs_by_key');
      const sorts = detail.includes('TEMP B-TREE') && !areFew;
      expect({ sql, detail, sorts }).toMatchObject({ sorts: false });
    }
  }
});

test('a list by key looks at the jobs with that key, and at no others', () => {
  const lists = prepared.filter((sql) => sql.includes('INDEXED BY jobs_by_key'));
  expect(lists.length).toBeGreaterThan(1);
  for (const sql of lists) {
    const [{ detail }] = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all() as [{ detail: string }];
    expect(detail).toMatch(/^SEARCH jobs USING INDEX jobs_by_key \(idempotencyKey=\?/);
  }
});

test('jobs are counted without a look at them, and the one that is to start next is one step in an index', () => {
  const counts = prepared.filter((sql) => sql.includes('FROM tally'));
  expect(counts.length).toBeGreaterThan(2);
  for (const sql of counts) expect(sql).not.toContain('jobs');
  const [next] = prepared.filter((sql) => sql.includes('max(restedAt'));
  const plan = database.prepare(`EXPLAIN QUERY PLAN ${next}`).all() as { detail: string }[];
  expect(plan.map(({ detail }) => detail)).toEqual(['SEARCH jobs USING INDEX jobs_ready (name=?)']);
});
