// What is asked of the jobs: each question one statement by itself, that changes nothing and waits for nobody.

import { type FinalState, type JobState, jobStates, type TimeoutKind } from '../../machines/states.ts';
import { EngineError, type JobQuery, type OpenJobs } from '../engine.ts';
import type { JobRow } from './jobRow.ts';
import type { Query } from './transaction.ts';

/** Where a page of the queue begins: behind this job. First those that wait for a slot, then for their key, then for their time. */
export interface QueuePlace {
  readonly stage: 1 | 2 | 0;
  /** Its rank, or its time. */
  readonly at: number;
  readonly seq: number;
}

export const queueFirst: QueuePlace = { stage: 1, at: -Infinity, seq: -1 };

const pageRows = 500;
/** Of a page, in bytes of what its jobs hold. */
const pageBytes = 4_000_000;
/** An owner that lives has said so by then, after the server was started anew, ms. */
const afterStartMs = 5000;

/** Wall ms: the parameter, or where that is null the clock of the database. */
export function instant(parameter: string): string {
  return `coalesce(${parameter}::float8, extract(epoch FROM statement_timestamp())::float8 * 1000)`;
}

/** The rows of a statement up to a page's size, in its own order, which is by `order`. */
function paged(select: string, order: string): string {
  return `SELECT p.* FROM (
      SELECT found.*, sum(octet_length(input) + coalesce(octet_length(checkpoint), 0) + coalesce(octet_length(result), 0)
        + octet_length(history)) OVER (ORDER BY ${order} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
      FROM (${select}) AS found) AS p
    WHERE coalesce(before, 0) <= ${pageBytes} ORDER BY ${order}`;
}

export class JobQueries {
  readonly #query: Query;
  readonly #schema: string;

  constructor(query: Query, schema: string) {
    this.#query = query;
    this.#schema = schema;
  }

  async get(id: string): Promise<JobRow | null> {
    const [row] = await this.#query<JobRow>(`SELECT * FROM ${this.#schema}.jobs WHERE id = $1`, [id]);
    return row ?? null;
  }

  /** A page of jobs, newest first, of those behind `last`; from the newest on where that is null. Empty: no more are there. */
  async listPage(query: JobQuery, last: Pick<JobRow, 'submitted_at' | 'seq'> | null): Promise<JobRow[]> {
    const { states, name, key, from, before, after, limit = Infinity } = query;
    const behind = last ?? (after === undefined ? null : await this.#row(after));
    const values: unknown[] = [];
    const value = (of: unknown) => `$${values.push(of)}`;
    const where = [
      ...(behind === null
        ? []
        : [`(submitted_at, seq) < (${value(behind.submitted_at)}, ${value(behind.seq)})`]),
      ...(name === undefined ? [] : [`name = ${value(name)}`]),
      ...(key === undefined ? [] : [`idempotency_key = ${value(key)}`]),
      ...(from === undefined ? [] : [`submitted_at >= ${value(from)}`]),
      ...(before === undefined ? [] : [`submitted_at < ${value(before)}`]),
    ];
    const select = (more: string) =>
      `(SELECT * FROM ${this.#schema}.jobs ${[...where, more].filter((part) => part !== '').length === 0 ? '' : `WHERE ${[...where, more].filter((part) => part !== '').join(' AND ')}`}
        ORDER BY submitted_at DESC, seq DESC LIMIT ${value(Math.min(limit, pageRows))})`;
    // The newest of each state are found by an index, and merged. Of a name, or a key, there is another index.
    const found =
      states === undefined && (name !== undefined || key !== undefined)
        ? select('')
        : states?.length === 0
          ? select('false')
          : (states ?? jobStates).map((state) => select(`state = ${value(state)}`)).join(' UNION ALL ');
    return this.#query<JobRow>(
      paged(
        `SELECT * FROM (${found}) AS merged ORDER BY submitted_at DESC, seq DESC LIMIT ${value(Math.min(limit, pageRows))}`,
        'submitted_at DESC, seq DESC',
      ),
      values,
    );
  }

  /** Ids of a page of the queue, in the order in which they will start, and where the next page begins. */
  async queuePage({ stage, at, seq }: QueuePlace): Promise<{ ids: string[]; next: QueuePlace | null }> {
    const behind = (column: string, more = '') =>
      `SELECT j.id, j.${column} AS at, j.seq FROM ${this.#schema}.jobs j
       WHERE j.stage = ${stage} ${more} AND (j.${column}, j.seq) > ($1::float8, $2::bigint) ORDER BY j.${column}, j.seq LIMIT ${pageRows}`;
    const sql =
      stage === 1
        ? `${this.#readyNames()} SELECT q.* FROM names CROSS JOIN LATERAL (${behind('rank', 'AND j.name = names.name')}) AS q
           ORDER BY q.at, q.seq LIMIT ${pageRows}`
        : behind(stage === 2 ? 'rank' : 'not_before');
    const found = await this.#query<{ id: string; at: number; seq: number }>(sql, [at, seq]);
    const last = found.at(-1);
    const nextStage = { 1: 2, 2: 0, 0: null }[stage] as 2 | 0 | null;
    return {
      ids: found.map(({ id }) => id),
      next:
        last !== undefined && found.length === pageRows
          ? { stage, at: last.at, seq: last.seq }
          : nextStage === null
            ? null
            : { ...queueFirst, stage: nextStage },
    };
  }

  /** The names that have jobs which wait for a slot: each found by a step in the index, however many jobs have it. */
  #readyNames(): string {
    const next = (more: string) =>
      `SELECT j.name FROM ${this.#schema}.jobs j WHERE j.stage = 1 ${more} ORDER BY j.name LIMIT 1`;
    return `WITH RECURSIVE steps AS ((${next('')}) UNION ALL
        SELECT (${next('AND j.name > steps.name')}) FROM steps WHERE steps.name IS NOT NULL),
      names AS (SELECT name FROM steps WHERE name IS NOT NULL)`;
  }

  async count(states: readonly JobState[], name?: string): Promise<number> {
    const [found] = await this.#query<{ n: number }>(
      `SELECT coalesce(sum(n), 0)::bigint AS n FROM ${this.#schema}.tally WHERE state = ANY($1) AND ($2::text IS NULL OR name = $2)`,
      [states, name ?? null],
    );
    return found?.n ?? 0;
  }

  async countEnded(state: FinalState, since: number, timeout?: TimeoutKind): Promise<number> {
    const [found] = await this.#query<{ n: number }>(
      `SELECT count(*) AS n FROM ${this.#schema}.jobs WHERE state = $1 AND ended_at >= $2 AND ($3::text IS NULL OR timeout = $3)`,
      [state, since, timeout ?? null],
    );
    return found?.n ?? 0;
  }

  async oldestWaiting(now: number | null): Promise<number | null> {
    const [found] = await this.#query<{ at: number }>(
      `SELECT submitted_at AS at FROM ${this.#schema}.jobs WHERE state = 'queued' AND (not_before IS NULL OR not_before <= ${instant('$1')})
       ORDER BY submitted_at LIMIT 1`,
      [now],
    );
    return found?.at ?? null;
  }

  async openJobs(): Promise<OpenJobs[]> {
    const counted = await this.#query<{ name: string; state: JobState; n: number }>(
      `SELECT name, state, sum(n)::bigint AS n FROM ${this.#schema}.tally GROUP BY name, state`,
    );
    const waiting = await this.#query<{ name: string; at: number }>(
      `${this.#readyNames()} SELECT names.name, first.at FROM names CROSS JOIN LATERAL (
         SELECT greatest(j.rested_at, coalesce(j.not_before, 0)) AS at FROM ${this.#schema}.jobs j
         WHERE j.stage = 1 AND j.name = names.name ORDER BY j.rank, j.seq LIMIT 1) AS first`,
    );
    const since = new Map(waiting.map(({ name, at }) => [name, at]));
    const found = new Map<string, Record<string, number>>();
    for (const { name, state, n } of counted) found.set(name, { ...found.get(name), [state]: n });
    return [...found].map(([name, { queued = 0, running = 0, stopping = 0, retrying = 0 }]) => ({
      name,
      counts: { queued, running, stopping, retrying },
      waitingSince: since.get(name) ?? null,
    }));
  }

  /** Rows behind the `after`th. Empty: no more are there. */
  async rowsPage(job: number, after: number): Promise<{ n: number; row: string }[]> {
    return this.#query(
      `SELECT n, row FROM (
         SELECT n, row, sum(octet_length(row)) OVER (ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
         FROM (SELECT n, row FROM ${this.#schema}.output WHERE job = $1 AND n > $2 ORDER BY n LIMIT 5000) AS o) AS p
       WHERE coalesce(before, 0) <= ${pageBytes} ORDER BY n`,
      [job, after],
    );
  }

  async #row(id: string): Promise<JobRow> {
    const row = await this.get(id);
    if (row === null) throw new EngineError(`job ${id}: not in this engine`);
    return row;
  }

  async seqOf(id: string): Promise<number> {
    return (await this.#row(id)).seq;
  }

  due(now: number | null): Promise<JobRow[]> {
    return this.#query<JobRow>(
      paged(
        `SELECT * FROM ${this.#schema}.jobs WHERE due_at <= ${instant('$1')} ORDER BY due_at, seq LIMIT 100`,
        'due_at, seq',
      ),
      [now],
    );
  }

  /** And the time at which that was asked. */
  async nextDueAt(now: number | null): Promise<{ at: number | null; now: number }> {
    const [found] = await this.#query<{ at: number | null; now: number }>(
      `SELECT least((SELECT min(due_at) FROM ${this.#schema}.jobs WHERE due_at IS NOT NULL),
         (SELECT min(not_before) FROM ${this.#schema}.jobs WHERE stage = 0 AND not_before > ${instant('$1')})) AS at,
         ${instant('$1')} AS now`,
      [now],
    );
    return found as { at: number | null; now: number };
  }

  /** By the clock of the database a lease counts only while the database was there to be told of it. */
  lapsed(now: number | null): Promise<JobRow[]> {
    return this.#query<JobRow>(
      paged(
        `SELECT * FROM ${this.#schema}.jobs WHERE token IS NOT NULL AND lease_until < ${instant('$1')}
           AND ($1::float8 IS NOT NULL OR statement_timestamp() > pg_postmaster_start_time() + interval '${afterStartMs} ms')
         ORDER BY lease_until, seq LIMIT 500`,
        'lease_until, seq',
      ),
      [now],
    );
  }

  /** Whether any job at rest may start by now that was not to start before. */
  async isAnyRipe(now: number | null): Promise<boolean> {
    const [found] = await this.#query<{ is: boolean }>(
      `SELECT coalesce((SELECT min(not_before) FROM ${this.#schema}.jobs WHERE stage = 0) <= ${instant('$1')}, false) AS is`,
      [now],
    );
    return found?.is === true;
  }

  /** Of those that may start now, or be moved up, some that has waited for long, and for how long; any will do. */
  async anyReady(): Promise<{ id: string; state: JobState; forMs: number } | null> {
    const [found] = await this.#query<{ id: string; state: JobState; for_ms: number }>(
      `SELECT * FROM (
         (SELECT id, state, ${instant('NULL')} - greatest(rested_at, coalesce(not_before, 0)) AS for_ms FROM ${this.#schema}.jobs
           WHERE stage = 1 ORDER BY name, rank, seq LIMIT 1)
         UNION ALL
         (SELECT id, state, ${instant('NULL')} - not_before FROM ${this.#schema}.jobs WHERE stage = 0 ORDER BY not_before, seq LIMIT 1)
       ) AS found ORDER BY for_ms DESC LIMIT 1`,
    );
    return found === undefined ? null : { id: found.id, state: found.state, forMs: found.for_ms };
  }
}
