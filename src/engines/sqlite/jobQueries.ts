// What is asked of the jobs in SQLite, call by call and without waiting. It changes nothing, but that what may start by now
// waits for a slot.

import type { FinalState, JobState, TimeoutKind } from '../../machines/states.ts';
import { EngineError, type JobQuery, type OpenJobs } from '../engine.ts';
import type { JobRow } from './jobRow.ts';
import type { Instant } from './jobStore.ts';
import type { LimitStore } from './limitStore.ts';
import type { Statements } from './statements.ts';

/** Where a page of the queue begins: behind this job. First those that wait for a slot, then for their key, then for their time. */
export interface QueuePlace {
  readonly stage: 'slot' | 'itsKey' | 'notBefore';
  /** Its rank, or its time. */
  readonly at: number;
  readonly seq: number;
}

export const queueFirst: QueuePlace = { stage: 'slot', at: -Infinity, seq: -1 };

/** Of a page: rows, and characters of what they hold. */
const pageRows = 500;
export const pageLength = 4_000_000;

export class JobQueries {
  readonly #statements: Statements;
  readonly #limits: LimitStore;

  constructor(statements: Statements, limits: LimitStore) {
    this.#statements = statements;
    this.#limits = limits;
  }

  get(_: Instant | null, id: string): JobRow | null {
    return this.#statements.get<JobRow>('SELECT * FROM jobs WHERE id = :id', { id }) ?? null;
  }

  /** A page of jobs, newest first, of those behind `last`; from the newest on where that is null. Empty: no more are there. */
  listPage(_: Instant, query: JobQuery, last: Pick<JobRow, 'submittedAt' | 'seq'> | null): JobRow[] {
    const { states, name, key, from, before, after, limit = Infinity } = query;
    const wanted = states?.map((_, index) => `:state${index}`).join();
    const behind = last ?? (after === undefined ? null : this.#row(after));
    const where = [
      ...(behind === null ? [] : ['(submittedAt, seq) < (:behindAt, :behindSeq)']),
      ...(wanted === undefined ? [] : [`state IN (${wanted})`]),
      ...(name === undefined ? [] : ['name = :name']),
      ...(key === undefined ? [] : ['idempotencyKey = :key']),
      ...(from === undefined ? [] : ['submittedAt >= :from']),
      ...(before === undefined ? [] : ['submittedAt < :before']),
    ];
    const found = this.#statements.iterate<JobRow>(
      `SELECT * FROM jobs ${key === undefined ? '' : 'INDEXED BY jobs_by_key'} ${where.length === 0 ? '' : `WHERE ${where.join(' AND ')}`}
       ORDER BY submittedAt DESC, seq DESC LIMIT :limit`,
      {
        behindAt: behind?.submittedAt,
        behindSeq: behind?.seq,
        name,
        key,
        from,
        before,
        limit: Math.min(limit, pageRows),
        ...Object.fromEntries((states ?? []).map((state, index) => [`state${index}`, state])),
      },
    );
    return page(found, textsOf);
  }

  /** Ids of a page of the queue, in the order in which they will start, and where the next page begins. */
  queuePage(at: Instant, from: QueuePlace): { ids: string[]; next: QueuePlace | null } {
    this.#limits.ripen(at);
    const found = this.#queued(from);
    const next: QueuePlace | null =
      found.length === pageRows
        ? { stage: from.stage, ...(found.at(-1) as { at: number; seq: number }) }
        : {
            slot: { ...queueFirst, stage: 'itsKey' as const },
            itsKey: { ...queueFirst, stage: 'notBefore' as const },
            notBefore: null,
          }[from.stage];
    return { ids: found.map(({ id }) => id), next };
  }

  #queued({ stage, at, seq }: QueuePlace): { id: string; at: number; seq: number }[] {
    const select = (column: string, index: string, where: string, name?: string) =>
      this.#statements.all<{ id: string; at: number; seq: number }>(
        `SELECT id, ${column} AS at, seq FROM jobs INDEXED BY ${index}
         WHERE ${where} AND (${column}, seq) > (:at, :seq) ORDER BY ${column}, seq LIMIT :limit`,
        { at, seq, name, limit: pageRows },
      );
    if (stage === 'itsKey') return select('rank', 'jobs_behind', 'stage = 2');
    if (stage === 'notBefore') return select('notBefore', 'jobs_waiting', 'stage = 0');
    return this.#readyNames()
      .flatMap((name) => select('rank', 'jobs_ready', 'stage = 1 AND name = :name', name))
      .sort((a, b) => a.at - b.at || a.seq - b.seq)
      .slice(0, pageRows);
  }

  /** Each found by a step in the index, however many jobs have it. */
  #readyNames(): string[] {
    const names: string[] = [];
    for (;;) {
      const { name } = this.#statements.get<{ name: string | null }>(
        'SELECT min(name) AS name FROM jobs INDEXED BY jobs_ready WHERE stage = 1 AND name > :last',
        { last: names.at(-1) ?? '' },
      ) as { name: string | null };
      if (name === null) return names;
      names.push(name);
    }
  }

  count(_: Instant, states: readonly JobState[], name?: string): number {
    let count = 0;
    for (const state of states) {
      const sql = `SELECT sum(n) AS n FROM tally WHERE state = :state ${name === undefined ? '' : 'AND name = :name'}`;
      count += this.#statements.get<{ n: number | null }>(sql, { state, name })?.n ?? 0;
    }
    return count;
  }

  countEnded(_: Instant, state: FinalState, since: number, timeout?: TimeoutKind): number {
    const sql = `SELECT count(*) AS n FROM jobs WHERE state = :state AND endedAt >= :since ${timeout === undefined ? '' : 'AND timeout = :timeout'}`;
    return this.#statements.get<{ n: number }>(sql, { state, since, timeout })?.n ?? 0;
  }

  oldestWaiting({ now }: Instant): number | null {
    const sql = `SELECT submittedAt FROM jobs WHERE state = 'queued' AND (notBefore IS NULL OR notBefore <= :now)
       ORDER BY submittedAt LIMIT 1`;
    return this.#statements.get<{ submittedAt: number }>(sql, { now })?.submittedAt ?? null;
  }

  openJobs(at: Instant): OpenJobs[] {
    this.#limits.ripen(at);
    const found = new Map<string, Record<string, number>>();
    for (const { name, state, n } of this.#statements.all<{ name: string; state: JobState; n: number }>(
      'SELECT name, state, n FROM tally',
      {},
    ))
      found.set(name, { ...found.get(name), [state]: n });
    return [...found].map(([name, { queued = 0, running = 0, stopping = 0, retrying = 0 }]) => ({
      name,
      counts: { queued, running, stopping, retrying },
      waitingSince: queued + retrying === 0 ? null : this.#waitingSince(name),
    }));
  }

  #waitingSince(name: string): number | null {
    const sql = `SELECT max(restedAt, ifnull(notBefore, 0)) AS at FROM jobs INDEXED BY jobs_ready
       WHERE name = :name AND stage = 1 ORDER BY rank, seq LIMIT 1`;
    return this.#statements.get<{ at: number }>(sql, { name })?.at ?? null;
  }

  /** Rows behind the `after`th. Empty: no more are there. */
  rowsPage(_: Instant, id: string, after: number): { rows: string[]; last: number } {
    const found = page(
      this.#statements.iterate<{ n: number; row: string }>(
        'SELECT n, row FROM output WHERE job = :job AND n > :after ORDER BY n LIMIT :limit',
        { job: this.#row(id).seq, after, limit: pageRows },
      ),
      ({ row }) => [row],
    );
    return { rows: found.map(({ row }) => row), last: found.at(-1)?.n ?? after };
  }

  due(at: Instant): JobRow[] {
    const due = 'SELECT * FROM jobs WHERE dueAt <= :now ORDER BY dueAt LIMIT 100';
    return page(this.#statements.iterate<JobRow>(due, { now: at.now }), textsOf);
  }

  nextDueAt(at: Instant): number | null {
    this.#limits.ripen(at);
    const due = this.#statements.get<{ at: number | null }>(
      'SELECT min(dueAt) AS at FROM jobs WHERE dueAt IS NOT NULL',
      {},
    );
    const starts = this.#statements.get<{ at: number | null }>(
      'SELECT min(notBefore) AS at FROM jobs WHERE stage = 0',
      {},
    );
    const next = Math.min(due?.at ?? Infinity, starts?.at ?? Infinity);
    return next === Infinity ? null : next;
  }

  #row(id: string): JobRow {
    const row = this.get(null, id);
    if (row === null) throw new EngineError(`job ${id}: not in this engine`);
    return row;
  }
}

export function textsOf({ input, checkpoint, result, history }: JobRow) {
  return [input, checkpoint, result, history];
}

/** As much as is sent at a time. */
export function page<Row>(rows: Iterable<Row>, texts: (row: Row) => readonly (string | null)[]): Row[] {
  const found: Row[] = [];
  let size = 0;
  for (const row of rows) {
    found.push(row);
    for (const text of texts(row)) size += text?.length ?? 0;
    if (size > pageLength) break;
  }
  return found;
}
