// The facts of jobs in SQLite, call by call and without waiting: who runs it (databaseThread.ts) puts many calls
// into one transaction. A call that is refused has changed nothing.

import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import {
  type FinalState,
  isAtRest,
  isFinal,
  type JobState,
  type TimeoutKind,
} from '../../machines/states.ts';
import type { StopIntent, Verdict } from '../../machines/verdict.ts';
import {
  type Beat,
  type BeatReply,
  type CheckpointWrite,
  type Claim,
  EngineError,
  type JobQuery,
  type NameLimits,
  type NewJob,
  StaleAttemptError,
  type Timeouts,
  type Transition,
} from '../engine.ts';
import {
  dueAtRest,
  freshJob,
  mustEnd,
  nextRank,
  placesAPoint,
  rankOf,
  resultOf,
  settledEntry,
  stoppingEntry,
  undoes,
  withTimeouts,
} from '../jobFacts.ts';
import { type JobRow, settingsFrom, toText } from './jobRow.ts';
import { LimitStore, stages } from './limitStore.ts';
import { type Bindings, Statements } from './statements.ts';

/** The caller's clocks at the time of the call, ms. */
export interface Instant {
  readonly now: number;
  readonly monotonic: number;
}

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
const pageLength = 4_000_000;

/** A holder whose lock is missing for so long is gone, ms: the thread of one that lives takes less to come back. */
const missingMs = 200;

/** What is removed at a time. */
const prunedJobs = 200;
const prunedRows = 5000;

/** `controls`: of schedules, or of the paused names. */
export type Change = [id: string, state: JobState] | 'controls';

/** Its settings as they are stored. */
export type RawReply = Omit<BeatReply, 'settings'> & { settings: string | null };

export interface News {
  changes: Change[];
  /** The last transaction they come from. */
  last: number;
  isWhole: boolean;
}

interface Candidate extends Pick<JobRow, 'seq' | 'name' | 'claimedAhead'> {
  rank: number;
  /** Bytes of what it holds. */
  size: number;
}

/** Who asks. */
export interface Here {
  /** Of this boot of the machine: a lease of another one is over. */
  readonly boot: string;
  /** Names this process's lock. */
  readonly holder: string;
  isAlive(holder: string): boolean;
}

/** Transactions. A process that looks away for longer is told that it missed some. */
const keptNews = 250;

export class JobStore {
  readonly #statements: Statements;
  readonly #limits: LimitStore;
  readonly #here: Here;
  /** Holders whose lock is not there, and since when it was not seen, ms. */
  #missing = new Map<string, number>();
  /** As far as the news were read: they are, at the beginning of each transaction. */
  #lastPlace = 0;
  /** Calls `changed` for each job a call has changed, in order. */
  readonly #changed: (id: string, state: JobState) => void;

  constructor(database: DatabaseSync, here: Here, changed: (id: string, state: JobState) => void) {
    this.#statements = new Statements(database);
    this.#limits = new LimitStore(this.#statements, changed);
    this.#here = here;
    this.#changed = changed;
  }

  /** Answers for each with the wall time at which it was stored, or the older job that has its idempotency key. */
  submit(at: Instant, jobs: readonly NewJob[]): (JobRow | number)[] {
    // All or none: nothing is stored before all of them were looked at.
    const known = jobs.map(({ name, idempotencyKey }) =>
      idempotencyKey === null
        ? undefined
        : this.#get<JobRow>('SELECT * FROM jobs WHERE name = :name AND idempotencyKey = :idempotencyKey', {
            name,
            idempotencyKey,
          }),
    );
    const keyed = new Map<string, NewJob>();
    const answers = jobs.map((job, index) => {
      const older = known[index];
      if (older !== undefined) return older;
      const { queueDueAt, deadlineAt, history, state } = freshJob(job, at.now);
      this.#run(
        `INSERT INTO jobs (id, name, input, settings, priority, notBefore, idempotencyKey, concurrencyKey, keyLimit, retryOf,
           state, submittedAt, queueDueAt, deadlineAt, history, rank, stage, dueAt)
         VALUES (:id, :name, :input, :settings, :priority, :notBefore, :idempotencyKey, :concurrencyKey, :keyLimit, :retryOf,
           :state, :submittedAt, :queueDueAt, :deadlineAt, :history, :rank, :stage, :dueAt)`,
        {
          ...job,
          settings: JSON.stringify(job.settings),
          state,
          submittedAt: at.now,
          queueDueAt,
          deadlineAt,
          history: JSON.stringify(history[0]),
          rank: rankOf(this.#nextPlace(), job.priority),
          stage: stageOf(job, at),
          dueAt: dueAtRest({ startedAt: null, queueDueAt, deadlineAt }),
        },
      );
      if (job.concurrencyKey !== null) keyed.set(`${job.name}\n${job.concurrencyKey}`, job);
      this.#changed(job.id, state);
      return at.now;
    });
    for (const job of keyed.values()) this.#refill(job);
    return answers;
  }

  claim(at: Instant, { owner, limit, ahead, names, leaseMs, limits }: Claim): JobRow[] {
    this.#ripen(at);
    const candidates = names.flatMap((name) =>
      this.#all<Candidate>(
        `SELECT seq, name, rank, claimedAhead, octet_length(input) + ifnull(octet_length(checkpoint), 0) AS size FROM jobs INDEXED BY jobs_ready
         WHERE stage = 1 AND name = :name AND (dueAt IS NULL OR dueAt > :now)
         ORDER BY rank, seq LIMIT :limit`,
        {
          name,
          now: at.now,
          limit: Math.max(0, Math.min(limit + ahead, this.#limits.roomFor(at, name, limits?.[name]))),
        },
      ),
    );
    if (names.length > 1) candidates.sort((a, b) => a.rank - b.rank || a.seq - b.seq);
    const now = candidates.slice(0, limit);
    let size = 0;
    const later = candidates.slice(limit, limit + ahead).filter((candidate) => {
      size += candidate.size;
      return candidate.claimedAhead === 0 && size < pageLength;
    });
    const start = (jobs: readonly { seq: number }[], claimedAhead: 0 | 1): JobRow[] => {
      if (jobs.length === 0) return [];
      const seqs = jobs.map(({ seq }) => seq);
      const started = this.#all<JobRow>(
        `UPDATE jobs SET state = 'running', attempt = attempt + 1, token = seq || '.' || (attempt + 1) || '-' || :nonce,
           owner = :owner, startedAt = :now, lastHeartbeatAt = :now, lastProgressAt = :now, processGroup = NULL,
           intent = NULL, timeout = NULL, reason = NULL, failure = NULL, stop = NULL, dueAt = NULL,
           stage = CASE WHEN concurrencyKey IS NULL THEN NULL ELSE 3 END,
           claimedAhead = :claimedAhead, leaseUntil = :leaseUntil, boot = :boot, holder = :holder,
           history = history || ',' || json_set(:entry, '$.attempt', attempt + 1)
         WHERE seq IN (SELECT value FROM json_each(:seqs)) RETURNING *`,
        {
          seqs: JSON.stringify(seqs),
          // The number alone could come again where a file is put back from a copy.
          nonce: randomUUID(),
          owner,
          now: at.now,
          claimedAhead,
          leaseUntil: at.monotonic + leaseMs,
          boot: this.#here.boot,
          holder: this.#here.holder,
          entry: JSON.stringify({ state: 'running', at: at.now, attempt: 0 }),
        },
      );
      const order = new Map(seqs.map((seq, index) => [seq, index]));
      return started.sort((a, b) => (order.get(a.seq) as number) - (order.get(b.seq) as number));
    };
    const claimed = [...start(now, 0), ...start(later, 1)];
    for (const [name, started] of Object.entries(Object.groupBy(claimed, ({ name }) => name)))
      if (limits?.[name]?.rate) this.#limits.began(at, name, started?.length ?? 0);
    for (const { id } of claimed) this.#changed(id, 'running');
    return claimed;
  }

  beat(at: Instant, beats: readonly Beat[], leaseMs: number): RawReply[] {
    const { boot, holder } = this.#here;
    return beats.map(({ id, token, heartbeatAt, total, group = null }) => {
      const row = this.#get<Pick<JobRow, 'intent' | 'state' | 'settings'>>(
        `UPDATE jobs SET leaseUntil = :leaseUntil, boot = :boot, holder = :holder,
           lastHeartbeatAt = coalesce(:heartbeatAt, lastHeartbeatAt), total = coalesce(:total, total),
           processGroup = coalesce(:group, processGroup)
         WHERE id = :id AND token = :token RETURNING intent, state, settings`,
        {
          id,
          token,
          heartbeatAt,
          total,
          group: toText(group),
          boot,
          holder,
          leaseUntil: at.monotonic + leaseMs,
        },
      );
      if (row === undefined) return { id, token, held: false, intent: null, settings: null };
      if (heartbeatAt !== null || total !== null) this.#changed(id, row.state);
      const intent = row.intent === null ? null : JSON.parse(row.intent);
      return { id, token, held: true, intent, settings: row.settings };
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
    if (rows.length > 0) this.#append(job.seq, rows);
    this.#changed(id, job.state);
  }

  #append(job: number, rows: readonly string[]): void {
    const last = this.#get<{ n: number | null }>('SELECT max(n) AS n FROM output WHERE job = :job', { job });
    let n = last?.n ?? 0;
    for (const row of rows) {
      n += 1;
      this.#run('INSERT INTO output (job, n, row) VALUES (:job, :n, :row)', { job, n, row });
    }
  }

  recordIntent(at: Instant, id: string, token: string | null, intent: StopIntent): void {
    const job = this.#row(id);
    if (job.token === null || (token !== null && job.token !== token))
      throw new StaleAttemptError(id, 'stop');
    const isFirst = job.state !== 'stopping';
    // What must end the job stays, whatever else is asked.
    if (job.intent !== null && mustEnd(JSON.parse(job.intent)) && !mustEnd(intent)) return;
    this.#run(
      `UPDATE jobs SET intent = :intent, state = 'stopping', history = history || :entry WHERE seq = :seq`,
      {
        seq: job.seq,
        intent: JSON.stringify(intent),
        entry: isFirst ? entryOf(stoppingEntry(intent, job.attempt, at.now)) : '',
      },
    );
    this.#changed(id, 'stopping');
  }

  settle(at: Instant, id: string, token: string | null, verdict: Verdict): JobRow {
    const { state, timeout, reason, failure, stop, notBefore } = verdict;
    const isOver = isFinal(state);
    if (!isOver) {
      const row = this.#row(id);
      const intent = row.intent === null ? null : JSON.parse(row.intent);
      if (row.token === token && undoes(verdict, intent))
        throw new StaleAttemptError(id, 'settlement', intent);
    }
    const isFresh = `(:neverBegan AND attempt = 1)`;
    const settled = this.#get<JobRow>(
      `UPDATE jobs SET state = :state, attempt = attempt - :given, crashes = crashes + :crash, timeout = :timeout,
         reason = :reason, failure = :failure, stop = :stop, token = NULL, owner = NULL, intent = NULL,
         leaseUntil = NULL, boot = NULL, holder = NULL, processGroup = NULL, endedAt = :endedAt, result = :result,
         notBefore = CASE WHEN :isOver THEN notBefore ELSE :notBefore END, rank = CASE WHEN :keepsPlace THEN rank ELSE :place - priority * ${placesAPoint} END,
         stage = CASE WHEN concurrencyKey IS NULL THEN :stage WHEN :stage = 1 THEN 2 ELSE :stage END, dueAt = CASE WHEN :isOver THEN NULL WHEN startedAt IS NOT NULL AND NOT ${isFresh} THEN deadlineAt
           ELSE min(ifnull(queueDueAt, deadlineAt), ifnull(deadlineAt, queueDueAt)) END,
         startedAt = CASE WHEN ${isFresh} THEN NULL ELSE startedAt END,
         lastHeartbeatAt = CASE WHEN ${isFresh} THEN NULL ELSE lastHeartbeatAt END,
         lastProgressAt = CASE WHEN ${isFresh} THEN NULL ELSE lastProgressAt END,
         history = history || ',' || json_set(:entry, '$.attempt', attempt)
       WHERE id = :id AND token IS :token AND (token IS NOT NULL OR state IN ('queued', 'retrying')) RETURNING *`,
      {
        id,
        token,
        state,
        given: state === 'queued' ? 1 : 0,
        neverBegan: verdict.neverBegan ? 1 : 0,
        crash: verdict.crashed ? 1 : 0,
        timeout,
        reason,
        failure: toText(failure),
        stop: toText(stop),
        endedAt: isOver ? at.now : null,
        result: resultOf(verdict),
        isOver: isOver ? 1 : 0,
        notBefore,
        keepsPlace: state === 'queued' ? 1 : 0,
        place: state === 'retrying' ? this.#nextPlace() : null,
        stage: isOver ? null : stageOf({ concurrencyKey: null, notBefore }, at),
        // Of the attempt that is over: its number is the row's own.
        entry: JSON.stringify(settledEntry(verdict, 0, at.now)),
      },
    );
    if (settled === undefined) throw new StaleAttemptError(this.#row(id).id, 'settlement');
    this.#changed(id, state);
    this.#refill(settled);
    return settled;
  }

  setTimeouts(_: Instant, id: string, timeouts: Partial<Timeouts>): JobRow {
    const job = this.#row(id);
    if (isFinal(job.state)) return job;
    const changed = withTimeouts({ ...job, settings: settingsFrom(job.settings) }, timeouts);
    const { queueDueAt, deadlineAt } = changed;
    this.#changed(id, job.state);
    return this.#get<JobRow>(
      `UPDATE jobs SET settings = :settings, queueDueAt = :queueDueAt, deadlineAt = :deadlineAt, dueAt = :dueAt
       WHERE seq = :seq RETURNING *`,
      {
        seq: job.seq,
        settings: JSON.stringify(changed.settings),
        queueDueAt,
        deadlineAt,
        dueAt: isAtRest(job.state) ? dueAtRest({ ...job, queueDueAt, deadlineAt }) : null,
      },
    ) as JobRow;
  }

  promote(_: Instant, id: string): void {
    const job = this.#row(id);
    if (!isAtRest(job.state)) return;
    this.#run('UPDATE jobs SET rank = :rank WHERE seq = :seq', {
      seq: job.seq,
      rank: nextRank(this.#nextPlace()),
    });
    this.#changed(id, job.state);
    this.#refill(job);
  }

  get(_: Instant, id: string): JobRow | null {
    return this.#get<JobRow>('SELECT * FROM jobs WHERE id = :id', { id }) ?? null;
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
    const found = this.#iterate<JobRow>(
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
    this.#ripen(at);
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
      this.#all<{ id: string; at: number; seq: number }>(
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
      const { name } = this.#get<{ name: string | null }>(
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
      const sql = `SELECT count(*) AS n FROM jobs WHERE state = :state ${name === undefined ? '' : 'AND name = :name'}`;
      count += this.#get<{ n: number }>(sql, { state, name })?.n ?? 0;
    }
    return count;
  }

  countEnded(_: Instant, state: FinalState, since: number, timeout?: TimeoutKind): number {
    const sql = `SELECT count(*) AS n FROM jobs WHERE state = :state AND endedAt >= :since ${timeout === undefined ? '' : 'AND timeout = :timeout'}`;
    return this.#get<{ n: number }>(sql, { state, since, timeout })?.n ?? 0;
  }

  oldestWaiting({ now }: Instant): number | null {
    const sql = `SELECT submittedAt FROM jobs WHERE state = 'queued' AND (notBefore IS NULL OR notBefore <= :now)
       ORDER BY submittedAt LIMIT 1`;
    return this.#get<{ submittedAt: number }>(sql, { now })?.submittedAt ?? null;
  }

  /** Rows behind the `after`th. Empty: no more are there. */
  rowsPage(_: Instant, id: string, after: number): { rows: string[]; last: number } {
    const found = page(
      this.#iterate<{ n: number; row: string }>(
        'SELECT n, row FROM output WHERE job = :job AND n > :after ORDER BY n LIMIT :limit',
        { job: this.#row(id).seq, after, limit: pageRows },
      ),
      ({ row }) => [row],
    );
    return { rows: found.map(({ row }) => row), last: found.at(-1)?.n ?? after };
  }

  /** A job is gone at once; what it appended may be much, and goes by and by. */
  prune(_: Instant, states: readonly FinalState[], endedBefore: number): boolean {
    // Who ended before was submitted before; and the newest stays, so that its number is never given again.
    const ended = states.flatMap((state) =>
      this.#all<{ seq: number }>(
        `SELECT seq FROM jobs WHERE state = :state AND submittedAt < :endedBefore AND endedAt < :endedBefore
           AND seq < (SELECT max(seq) FROM jobs) ORDER BY submittedAt LIMIT :limit`,
        { state, endedBefore, limit: prunedJobs },
      ),
    );
    for (const { seq } of ended) {
      this.#run('DELETE FROM jobs WHERE seq = :seq', { seq });
      this.#run('INSERT INTO pruned (job) SELECT :seq WHERE EXISTS (SELECT 1 FROM output WHERE job = :seq)', {
        seq,
      });
    }
    let left = prunedRows;
    for (;;) {
      const job = this.#get<{ job: number }>('SELECT job FROM pruned LIMIT 1', {})?.job;
      if (job === undefined || left <= 0) return job !== undefined || ended.length > 0;
      const { n } = this.#get<{ n: number }>(
        `SELECT count(*) AS n FROM (SELECT 1 FROM output WHERE job = :job LIMIT :left)`,
        { job, left },
      ) as { n: number };
      this.#run(
        'DELETE FROM output WHERE job = :job AND n IN (SELECT n FROM output WHERE job = :job ORDER BY n LIMIT :left)',
        {
          job,
          left,
        },
      );
      if (n < left) this.#run('DELETE FROM pruned WHERE job = :job', { job });
      left -= n;
    }
  }

  due(at: Instant): JobRow[] {
    const due = 'SELECT * FROM jobs WHERE dueAt <= :now ORDER BY dueAt LIMIT 100';
    return page(this.#iterate<JobRow>(due, { now: at.now }), textsOf);
  }

  nextDueAt(at: Instant): number | null {
    this.#ripen(at);
    const due = this.#get<{ at: number | null }>(
      'SELECT min(dueAt) AS at FROM jobs WHERE dueAt IS NOT NULL',
      {},
    );
    const starts = this.#get<{ at: number | null }>(
      'SELECT min(notBefore) AS at FROM jobs WHERE stage = 0',
      {},
    );
    const next = Math.min(due?.at ?? Infinity, starts?.at ?? Infinity);
    return next === Infinity ? null : next;
  }

  /**
   * `isSure`: false where a holder's lock was found missing for the first time: the thread of a process that lives may
   * only be coming back. To be asked again in a moment. After a lock that nobody could write beside, `onlyGone`.
   */
  lapsed(at: Instant, onlyGone = false): { jobs: JobRow[]; isSure: boolean } {
    const { boot, holder: self } = this.#here;
    const holders = this.#all<{ holder: string }>(
      'SELECT DISTINCT holder FROM jobs WHERE token IS NOT NULL',
      {},
    ).map(({ holder }) => holder);
    const now = performance.now();
    const missing = holders.filter((holder) => holder !== self && !this.#here.isAlive(holder));
    this.#missing = new Map(missing.map((holder) => [holder, this.#missing.get(holder) ?? now]));
    const found = holders.flatMap((holder) => {
      const isGone = now - (this.#missing.get(holder) ?? Infinity) >= missingMs;
      return page(
        this.#iterate<JobRow>(
          `SELECT * FROM jobs WHERE token IS NOT NULL AND holder = :holder
             AND (:isGone OR (NOT :onlyGone AND leaseUntil < :monotonic AND boot = :boot)) LIMIT 500`,
          { holder, isGone: isGone ? 1 : 0, onlyGone: onlyGone ? 1 : 0, monotonic: at.monotonic, boot },
        ),
        textsOf,
      );
    });
    return { jobs: found, isSure: [...this.#missing.values()].every((since) => now - since >= missingMs) };
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

  /** What was changed since the transaction `after`. `isWhole`: false where some of it is not kept any more. */
  newsSince(after: number): News {
    const found = this.#all<{ n: number; changes: string; place: number }>(
      'SELECT n, changes, place FROM news WHERE n > :after ORDER BY n',
      { after },
    );
    const last = found.at(-1);
    if (last === undefined) return { changes: [], last: after, isWhole: true };
    this.#lastPlace = last.place;
    return {
      changes: found.flatMap(({ changes }) => JSON.parse(changes)),
      last: last.n,
      isWhole: found[0]?.n === after + 1,
    };
  }

  /** Tells the other processes what a transaction has changed. Answers with where the news end now. */
  publish(changes: readonly Change[]): number {
    const { n } = this.#get<{ n: number }>(
      'INSERT INTO news (changes, place) VALUES (:changes, :place) RETURNING n',
      { changes: JSON.stringify(changes), place: this.#lastPlace },
    ) as { n: number };
    this.#run('DELETE FROM news WHERE n <= :old', { old: n - keptNews });
    return n;
  }

  /** What may start by now waits for a slot, and for nothing else. */
  #ripen(at: Instant): void {
    const keyed = this.#all<Pick<JobRow, 'name' | 'concurrencyKey'>>(
      `UPDATE jobs SET stage = 2 WHERE stage = 0 AND notBefore <= :now AND concurrencyKey IS NOT NULL
       RETURNING name, concurrencyKey`,
      { now: at.now },
    );
    this.#run('UPDATE jobs SET stage = 1 WHERE stage = 0 AND notBefore <= :now', { now: at.now });
    for (const job of keyed) this.#refill(job);
  }

  #refill({ name, concurrencyKey }: Pick<JobRow, 'name' | 'concurrencyKey'>): void {
    if (concurrencyKey !== null) this.#limits.refill(name, concurrencyKey);
  }

  nextStartAt(at: Instant, limits: Readonly<Record<string, NameLimits>>): number | null {
    return this.#limits.nextStartAt(at, limits);
  }

  #nextPlace(): number {
    this.#lastPlace += 1;
    return this.#lastPlace;
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

  #run(sql: string, bindings: Bindings): void {
    this.#statements.run(sql, bindings);
  }

  #get<Row>(sql: string, bindings: Bindings): Row | undefined {
    return this.#statements.get<Row>(sql, bindings);
  }

  #iterate<Row>(sql: string, bindings: Bindings): Iterable<Row> {
    return this.#statements.iterate<Row>(sql, bindings);
  }

  #all<Row>(sql: string, bindings: Bindings): Row[] {
    return this.#statements.all<Row>(sql, bindings);
  }
}

function textsOf({ input, checkpoint, result, history }: JobRow) {
  return [input, checkpoint, result, history];
}

/** As much as is sent at a time. */
function page<Row>(rows: Iterable<Row>, texts: (row: Row) => readonly (string | null)[]): Row[] {
  const found: Row[] = [];
  let size = 0;
  for (const row of rows) {
    found.push(row);
    for (const text of texts(row)) size += text?.length ?? 0;
    if (size > pageLength) break;
  }
  return found;
}

/** Of a job at rest: what it waits for first. */
function stageOf({ notBefore, concurrencyKey }: Pick<NewJob, 'notBefore' | 'concurrencyKey'>, at: Instant) {
  if (notBefore !== null && notBefore > at.now) return stages.notBefore;
  return concurrencyKey === null ? stages.slot : stages.itsKey;
}

function entryOf(transition: Transition): string {
  return `,${JSON.stringify(transition)}`;
}
