// The facts of jobs in SQLite, call by call and without waiting: who runs it (databaseThread.ts) puts many calls
// into one transaction. A call that is refused has changed nothing.

import { randomUUID } from 'node:crypto';
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { isAtRest, isFinal, type JobState } from '../../machines/states.ts';
import type { StopIntent, Verdict } from '../../machines/verdict.ts';
import {
  type Beat,
  type BeatReply,
  type CheckpointWrite,
  EngineError,
  type JobQuery,
  type NewJob,
  StaleAttemptError,
  type Transition,
} from '../engine.ts';
import { dueAtRest, type JobRow, toText } from './jobRow.ts';

/** The caller's clocks at the time of the call, ms. */
export interface Instant {
  readonly now: number;
  readonly monotonic: number;
}

/** Who asks. */
export interface Here {
  /** Of this boot of the machine: a lease of another one is over. */
  readonly boot: string;
  /** Names this process's lock. */
  readonly holder: string;
  isAlive(holder: string): boolean;
}

/** A process that looks away for longer than so many changes misses some; it still asks when it needs to know. */
const keptNews = 100_000;

type Bindings = Record<string, SQLInputValue>;

export class JobStore {
  readonly #database: DatabaseSync;
  readonly #here: Here;
  readonly #statements = new Map<string, StatementSync>();
  /** Calls `changed` for each job a call has changed, in order. */
  readonly #changed: (id: string, state: JobState) => void;

  constructor(database: DatabaseSync, here: Here, changed: (id: string, state: JobState) => void) {
    this.#database = database;
    this.#here = here;
    this.#changed = changed;
  }

  submit(at: Instant, jobs: readonly NewJob[]): JobRow[] {
    // All or none: nothing is stored before all of them were looked at.
    const known = jobs.map(({ name, idempotencyKey }) =>
      idempotencyKey === null
        ? undefined
        : this.#get<JobRow>('SELECT * FROM jobs WHERE name = :name AND idempotencyKey = :idempotencyKey', {
            name,
            idempotencyKey,
          }),
    );
    return jobs.map((job, index) => {
      const older = known[index];
      if (older !== undefined) return older;
      const dueAfter = (seconds: number) => (seconds === Infinity ? null : at.now + seconds * 1000);
      const queueDueAt = dueAfter(job.settings.queueTimeoutSeconds);
      const deadlineAt = dueAfter(job.settings.deadlineSeconds);
      return this.#change(
        `INSERT INTO jobs (id, name, input, settings, priority, notBefore, idempotencyKey, retryOf, state,
           submittedAt, queueDueAt, deadlineAt, history, place, ready, dueAt)
         VALUES (:id, :name, :input, :settings, :priority, :notBefore, :idempotencyKey, :retryOf, 'queued',
           :submittedAt, :queueDueAt, :deadlineAt, :history, :place, :ready, :dueAt) RETURNING *`,
        {
          ...job,
          settings: JSON.stringify(job.settings),
          submittedAt: at.now,
          queueDueAt,
          deadlineAt,
          history: JSON.stringify({ state: 'queued', at: at.now, attempt: 0 }),
          place: this.#nextPlace(),
          ready: isRipe(job.notBefore, at) ? 1 : 0,
          dueAt: dueAtRest({ startedAt: null, queueDueAt, deadlineAt }),
        },
      );
    });
  }

  claim(
    at: Instant,
    {
      owner,
      limit,
      names,
      leaseMs,
    }: { owner: string; limit: number; names: readonly string[]; leaseMs: number },
  ): JobRow[] {
    this.#ripen(at);
    const candidates = names.flatMap((name) =>
      this.#all<{ seq: number; id: string; priority: number; place: number; attempt: number }>(
        `SELECT seq, id, priority, place, attempt FROM jobs INDEXED BY jobs_ready
         WHERE ready = 1 AND name = :name AND (dueAt IS NULL OR dueAt > :now)
         ORDER BY priority DESC, place LIMIT :limit`,
        { name, now: at.now, limit },
      ),
    );
    candidates.sort((a, b) => b.priority - a.priority || a.place - b.place);
    return candidates.slice(0, limit).map(({ seq, attempt }) =>
      this.#change(
        `UPDATE jobs SET state = 'running', attempt = attempt + 1, token = :token, owner = :owner,
           startedAt = :now, lastHeartbeatAt = :now, lastProgressAt = :now, processGroup = NULL, intent = NULL, timeout = NULL,
           reason = NULL, failure = NULL, stop = NULL, place = NULL, ready = NULL, dueAt = NULL,
           leaseUntil = :leaseUntil, boot = :boot, holder = :holder, history = history || :entry
         WHERE seq = :seq RETURNING *`,
        {
          seq,
          // The number alone could come again where a file is put back from a copy.
          token: `${seq}.${attempt + 1}-${randomUUID()}`,
          owner,
          now: at.now,
          leaseUntil: at.monotonic + leaseMs,
          boot: this.#here.boot,
          holder: this.#here.holder,
          entry: entryOf({ state: 'running', at: at.now, attempt: attempt + 1 }),
        },
      ),
    );
  }

  beat(at: Instant, beats: readonly Beat[], leaseMs: number): BeatReply[] {
    return beats.map(({ id, token, heartbeatAt, total, group = null }) => {
      const row = this.#get<Pick<JobRow, 'intent'>>(
        `UPDATE jobs SET leaseUntil = :leaseUntil,
           lastHeartbeatAt = coalesce(:heartbeatAt, lastHeartbeatAt), total = coalesce(:total, total),
           processGroup = coalesce(:group, processGroup)
         WHERE id = :id AND token = :token RETURNING intent`,
        { id, token, heartbeatAt, total, group: toText(group), leaseUntil: at.monotonic + leaseMs },
      );
      if (row === undefined) return { id, token, held: false, intent: null };
      if (heartbeatAt !== null || total !== null) this.#tell(id);
      return { id, token, held: true, intent: row.intent === null ? null : JSON.parse(row.intent) };
    });
  }

  checkpoint(at: Instant, { id, token, chunk, checkpoint, rows, items, total }: CheckpointWrite): void {
    const job = this.#current(id, token, 'checkpoint');
    if (chunk <= job.chunks) return;
    this.#run(
      `UPDATE jobs SET checkpoint = :checkpoint, chunks = :chunk, crashes = 0, items = items + :items,
         total = coalesce(:total, total), lastHeartbeatAt = :now, lastProgressAt = :now WHERE seq = :seq`,
      { seq: job.seq, checkpoint, chunk, items, total, now: at.now },
    );
    const last = this.#get<{ n: number }>('SELECT max(n) AS n FROM output WHERE job = :job', {
      job: job.seq,
    });
    let n = last?.n ?? 0;
    for (const row of rows) {
      n += 1;
      this.#run('INSERT INTO output (job, n, row) VALUES (:job, :n, :row)', { job: job.seq, n, row });
    }
    this.#tell(id);
  }

  recordIntent(at: Instant, id: string, token: string | null, intent: StopIntent): void {
    const job = this.#row(id);
    if (job.token === null || (token !== null && job.token !== token))
      throw new StaleAttemptError(id, 'stop');
    const isFirst = job.state !== 'stopping';
    this.#run(
      `UPDATE jobs SET intent = :intent, state = 'stopping', history = history || :entry WHERE seq = :seq`,
      {
        seq: job.seq,
        intent: JSON.stringify(intent),
        entry: isFirst
          ? entryOf({
              state: 'stopping',
              at: at.now,
              attempt: job.attempt,
              ...(intent.kind === 'timeout' ? { timeout: intent.timeout } : {}),
              ...(intent.kind === 'cancel' && intent.reason !== null ? { reason: intent.reason } : {}),
            })
          : '',
      },
    );
    this.#tell(id);
  }

  settle(at: Instant, id: string, token: string | null, verdict: Verdict): JobRow {
    const job = this.#current(id, token, 'settlement');
    if (token === null && !isAtRest(job.state)) throw new StaleAttemptError(id, 'settlement');
    const { state, timeout, reason, failure, stop, notBefore } = verdict;
    const isOver = isFinal(state);
    const attempt = state === 'queued' ? job.attempt - 1 : job.attempt;
    return this.#change(
      `UPDATE jobs SET state = :state, attempt = :attempt, crashes = crashes + :crash, timeout = :timeout, reason = :reason,
         failure = :failure, stop = :stop, token = NULL, owner = NULL, intent = NULL, leaseUntil = NULL,
         boot = NULL, holder = NULL, processGroup = NULL, endedAt = :endedAt, result = :result, notBefore = :notBefore, place = :place,
         ready = :ready, dueAt = :dueAt, history = history || :entry
       WHERE seq = :seq RETURNING *`,
      {
        seq: job.seq,
        state,
        attempt,
        crash: verdict.crashed ? 1 : 0,
        timeout,
        reason,
        failure: toText(failure),
        stop: toText(stop),
        endedAt: isOver ? at.now : null,
        result: isOver && typeof verdict.result === 'string' ? verdict.result : null,
        notBefore: isOver ? job.notBefore : notBefore,
        place: isOver ? null : this.#nextPlace(),
        ready: isOver ? null : isRipe(notBefore, at) ? 1 : 0,
        dueAt: isOver ? null : dueAtRest(job),
        entry: entryOf({
          state,
          at: at.now,
          attempt: job.attempt,
          ...(timeout === null ? {} : { timeout }),
          ...(reason === null && failure === null ? {} : { reason: reason ?? failure?.message ?? '' }),
          ...(stop === null ? {} : { stop }),
        }),
      },
    );
  }

  promote(_: Instant, id: string): void {
    const job = this.#row(id);
    if (!isAtRest(job.state)) return;
    this.#run('UPDATE jobs SET priority = :first, place = :place WHERE seq = :seq', {
      seq: job.seq,
      first: Infinity,
      place: this.#nextPlace(),
    });
    this.#tell(id);
  }

  get(_: Instant, id: string): JobRow | null {
    return this.#get<JobRow>('SELECT * FROM jobs WHERE id = :id', { id }) ?? null;
  }

  /** A page of jobs, newest first, of those whose `seq` is below `before`. */
  listPage(
    _: Instant,
    { states, name, limit }: Required<Pick<JobQuery, 'limit'>> & JobQuery,
    before: number,
  ): JobRow[] {
    const wanted = states?.map((_, index) => `:state${index}`).join();
    return this.#all<JobRow>(
      `SELECT * FROM jobs WHERE seq < :before ${wanted === undefined ? '' : `AND state IN (${wanted})`}
         ${name === undefined ? '' : 'AND name = :name'} ORDER BY seq DESC LIMIT :limit`,
      {
        before,
        limit,
        ...(name === undefined ? {} : { name }),
        ...Object.fromEntries((states ?? []).map((state, index) => [`state${index}`, state])),
      },
    );
  }

  /** Ids of a page of the queue, in the order in which they will start. */
  queuePage(at: Instant, offset: number, limit: number): string[] {
    this.#ripen(at);
    return this.#all<{ id: string }>(
      `SELECT id FROM jobs WHERE ready IS NOT NULL ORDER BY ready DESC, priority DESC, place
       LIMIT :limit OFFSET :offset`,
      { offset, limit },
    ).map(({ id }) => id);
  }

  count(_: Instant, states: readonly JobState[]): number {
    let count = 0;
    for (const state of states) {
      count +=
        this.#get<{ n: number }>('SELECT count(*) AS n FROM jobs WHERE state = :state', { state })?.n ?? 0;
    }
    return count;
  }

  rowsPage(_: Instant, id: string, after: number, limit: number): { rows: string[]; last: number } {
    const found = this.#all<{ n: number; row: string }>(
      'SELECT n, row FROM output WHERE job = :job AND n > :after ORDER BY n LIMIT :limit',
      { job: this.#row(id).seq, after, limit },
    );
    return { rows: found.map(({ row }) => row), last: found.at(-1)?.n ?? after };
  }

  due(at: Instant): JobRow[] {
    return this.#all('SELECT * FROM jobs WHERE dueAt <= :now ORDER BY dueAt LIMIT 100', { now: at.now });
  }

  nextDueAt(at: Instant): number | null {
    this.#ripen(at);
    const due = this.#get<{ at: number | null }>(
      'SELECT min(dueAt) AS at FROM jobs WHERE dueAt IS NOT NULL',
      {},
    );
    const starts = this.#get<{ at: number | null }>(
      'SELECT min(notBefore) AS at FROM jobs WHERE ready = 0',
      {},
    );
    const next = Math.min(due?.at ?? Infinity, starts?.at ?? Infinity);
    return next === Infinity ? null : next;
  }

  lapsed(at: Instant): JobRow[] {
    const { boot, holder: self } = this.#here;
    const holders = this.#all<{ holder: string }>(
      'SELECT DISTINCT holder FROM jobs WHERE token IS NOT NULL',
      {},
    );
    return holders.flatMap(({ holder }) => {
      const isGone = holder !== self && !this.#here.isAlive(holder);
      return this.#all<JobRow>(
        `SELECT * FROM jobs WHERE token IS NOT NULL AND holder = :holder
           AND (:isGone OR (leaseUntil < :monotonic AND boot = :boot)) LIMIT 500`,
        { holder, isGone: isGone ? 1 : 0, monotonic: at.monotonic, boot },
      );
    });
  }

  adopt(at: Instant, id: string, token: string, owner: string, leaseMs: number): string {
    const job = this.#current(id, token, 'adoption');
    const adopted = `${job.seq}.${job.attempt}-${randomUUID()}`;
    const { boot, holder } = this.#here;
    this.#run(
      `UPDATE jobs SET token = :token, owner = :owner, leaseUntil = :leaseUntil, boot = :boot, holder = :holder
       WHERE seq = :seq`,
      { seq: job.seq, token: adopted, owner, leaseUntil: at.monotonic + leaseMs, boot, holder },
    );
    return adopted;
  }

  /** What other processes have changed since `after`, in order; and where to go on. */
  newsSince(after: number): { news: [id: string, state: JobState][]; last: number } {
    const found = this.#all<{ n: number; id: string; state: JobState }>(
      'SELECT n, id, state FROM news WHERE n > :after ORDER BY n',
      { after },
    );
    return { news: found.map(({ id, state }) => [id, state]), last: found.at(-1)?.n ?? after };
  }

  lastNews(): number {
    return this.#get<{ n: number | null }>('SELECT max(n) AS n FROM news', {})?.n ?? 0;
  }

  /** Tells the other processes. Answers with where the news end now. */
  publish(news: readonly [id: string, state: JobState][]): number {
    for (const [id, state] of news)
      this.#run('INSERT INTO news (id, state) VALUES (:id, :state)', { id, state });
    const last = this.lastNews();
    this.#run('DELETE FROM news WHERE n <= :old', { old: last - keptNews });
    return last;
  }

  /** What may start by now waits for a slot, and for nothing else. */
  #ripen(at: Instant): void {
    this.#run('UPDATE jobs SET ready = 1 WHERE ready = 0 AND notBefore <= :now', { now: at.now });
  }

  #nextPlace(): number {
    const last = this.#get<{ place: number | null }>(
      'SELECT max(place) AS place FROM jobs WHERE place IS NOT NULL',
      {},
    );
    return (last?.place ?? 0) + 1;
  }

  #row(id: string): JobRow {
    const row = this.#get<JobRow>('SELECT * FROM jobs WHERE id = :id', { id });
    if (row === undefined) throw new EngineError(`job ${id}: not in this engine`);
    return row;
  }

  #current(id: string, token: string | null, write: string): JobRow {
    const row = this.#row(id);
    if (row.token !== token) throw new StaleAttemptError(id, write);
    return row;
  }

  #tell(id: string): void {
    this.#changed(id, this.#row(id).state);
  }

  /** Runs what changes one job and returns its row; the news of it. */
  #change(sql: string, bindings: object): JobRow {
    const row = this.#statement(sql).get(bindings as Bindings) as unknown as JobRow;
    this.#changed(row.id, row.state);
    return row;
  }

  #run(sql: string, bindings: Bindings): void {
    this.#statement(sql).run(bindings);
  }

  #get<Row>(sql: string, bindings: Bindings): Row | undefined {
    return this.#statement(sql).get(bindings) as Row | undefined;
  }

  #all<Row>(sql: string, bindings: Bindings): Row[] {
    return this.#statement(sql).all(bindings) as Row[];
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      statement.setAllowUnknownNamedParameters(true);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

function isRipe(notBefore: number | null, at: Instant): boolean {
  return notBefore === null || notBefore <= at.now;
}

function entryOf(transition: Transition): string {
  return `,${JSON.stringify(transition)}`;
}
