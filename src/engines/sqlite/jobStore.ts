// The facts of jobs in SQLite, call by call and without waiting: who runs it (databaseThread.ts) puts many calls
// into one transaction. A call that is refused has changed nothing.

import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { type FinalState, isAtRest, isFinal, type JobState } from '../../machines/states.ts';
import type { StopIntent, Verdict } from '../../machines/verdict.ts';
import {
  type Beat,
  type BeatReply,
  type CheckpointWrite,
  type Claim,
  EngineError,
  type NameLimits,
  type NewJob,
  StaleAttemptError,
  type Timeouts,
  type Transition,
} from '../engine.ts';
import {
  dueAtRest,
  freshJob,
  limitsOf,
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
import { settingsFrom, settingsText, toText } from '../jobText.ts';
import { stageOf } from '../stages.ts';
import { JobQueries, page, pageLength, textsOf } from './jobQueries.ts';
import type { JobRow } from './jobRow.ts';
import { LimitStore } from './limitStore.ts';
import { Statements } from './statements.ts';

/** The caller's clocks at the time of the call, ms. */
export interface Instant {
  readonly now: number;
  readonly monotonic: number;
}

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

interface Candidate extends Pick<JobRow, 'seq' | 'name' | 'claimedAhead' | 'crashes'> {
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
  /** ms of a clock that is not set: what waits for a lock is measured by it. */
  now(): number;
}

/** Transactions. A process that looks away for longer is told that it missed some. */
const keptNews = 250;

export class JobStore {
  readonly #statements: Statements;
  readonly #limits: LimitStore;
  readonly queries: JobQueries;
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
    this.queries = new JobQueries(this.#statements, this.#limits);
    this.#here = here;
    this.#changed = changed;
  }

  /** Answers for each with the wall time at which it was stored, or the older job that has its idempotency key. */
  submit(at: Instant, jobs: readonly NewJob[]): (JobRow | number)[] {
    // All or none: nothing is stored before all of them were looked at.
    const known = jobs.map(({ name, idempotencyKey }) =>
      idempotencyKey === null
        ? undefined
        : this.#statements.get<JobRow>(
            'SELECT * FROM jobs WHERE name = :name AND idempotencyKey = :idempotencyKey',
            {
              name,
              idempotencyKey,
            },
          ),
    );
    const keyed = new Map<string, NewJob>();
    const answers = jobs.map((job, index) => {
      const older = known[index];
      if (older !== undefined) return older;
      const { queueDueAt, deadlineAt, history, state } = freshJob(job, at.now);
      this.#statements.run(
        `INSERT INTO jobs (id, name, input, settings, priority, notBefore, idempotencyKey, concurrencyKey, keyLimit, inOrder,
           retryOf, trace, state, submittedAt, restedAt, queueDueAt, deadlineAt, history, rank, stage, dueAt)
         VALUES (:id, :name, :input, :settings, :priority, :notBefore, :idempotencyKey, :concurrencyKey, :keyLimit, :inOrder,
           :retryOf, :trace, :state, :submittedAt, :submittedAt, :queueDueAt, :deadlineAt, :history, :rank, :stage, :dueAt)`,
        {
          ...job,
          settings: settingsText(job.settings),
          inOrder: job.inOrder ? 1 : 0,
          state,
          submittedAt: at.now,
          queueDueAt,
          deadlineAt,
          history: JSON.stringify(history[0]),
          rank: rankOf(this.#nextPlace(), job.priority),
          stage: stageOf(job, at.now),
          dueAt: dueAtRest({ startedAt: null, queueDueAt, deadlineAt }),
        },
      );
      if (job.concurrencyKey !== null) keyed.set(`${job.name}\n${job.concurrencyKey}`, job);
      this.#changed(job.id, state);
      return at.now;
    });
    for (const [name, fresh] of Object.entries(
      Object.groupBy(
        jobs.filter((_, index) => typeof answers[index] === 'number'),
        (job) => job.name,
      ),
    ))
      this.#statements.run(
        `INSERT INTO tally VALUES (:name, 'queued', :n) ON CONFLICT DO UPDATE SET n = n + :n`,
        { name, n: fresh?.length ?? 0 },
      );
    for (const job of keyed.values()) this.#refill(job);
    return answers;
  }

  claim(at: Instant, { owner, limit, ahead, names, leaseMs, limits }: Claim): JobRow[] {
    this.#limits.ripen(at);
    const candidates = names.flatMap((name) =>
      this.#statements.all<Candidate>(
        `SELECT seq, name, rank, claimedAhead, crashes, octet_length(input) + ifnull(octet_length(checkpoint), 0) AS size FROM jobs INDEXED BY jobs_ready
         WHERE stage = 1 AND name = :name AND (dueAt IS NULL OR dueAt > :now)
         ORDER BY rank, seq LIMIT :limit`,
        {
          name,
          now: at.now,
          limit: Math.max(0, Math.min(limit + ahead, this.#limits.roomFor(at, name, limitsOf(name, limits)))),
        },
      ),
    );
    if (names.length > 1) candidates.sort((a, b) => a.rank - b.rank || a.seq - b.seq);
    const now = candidates.slice(0, limit);
    let size = 0;
    const waiting = candidates.slice(limit, limit + ahead);
    // None goes ahead of one that must not: that is claimed for a slot, when those before it are gone.
    const end = waiting.findIndex((candidate) => {
      size += candidate.size;
      return candidate.claimedAhead === 1 || candidate.crashes > 0 || size >= pageLength;
    });
    const later = end === -1 ? waiting : waiting.slice(0, end);
    const start = (jobs: readonly { seq: number }[], claimedAhead: 0 | 1): JobRow[] => {
      if (jobs.length === 0) return [];
      const seqs = jobs.map(({ seq }) => seq);
      const started = this.#statements.all<JobRow>(
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
      if (limitsOf(name, limits)?.rate) this.#limits.began(at, name, started?.length ?? 0);
    for (const { id } of claimed) this.#changed(id, 'running');
    return claimed;
  }

  beat(at: Instant, beats: readonly Beat[], leaseMs: number): RawReply[] {
    const { boot, holder } = this.#here;
    return beats.map(({ id, token, heartbeatAt, total, group = null }) => {
      const row = this.#statements.get<Pick<JobRow, 'intent' | 'state' | 'settings'>>(
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
      if (row === undefined) return { id, token, held: false, renewed: false, intent: null, settings: null };
      if (heartbeatAt !== null || total !== null) this.#changed(id, row.state);
      const intent = row.intent === null ? null : JSON.parse(row.intent);
      return { id, token, held: true, renewed: true, intent, settings: row.settings };
    });
  }

  checkpoint(at: Instant, { id, token, chunk, checkpoint, rows, items, total }: CheckpointWrite): void {
    const job = this.#current(id, token, 'checkpoint');
    if (chunk <= job.chunks) return;
    this.#statements.run(
      `UPDATE jobs SET checkpoint = :checkpoint, chunks = :chunk, crashes = 0, items = items + :items,
         total = coalesce(:total, total), lastHeartbeatAt = :now, lastProgressAt = :now WHERE seq = :seq`,
      { seq: job.seq, checkpoint, chunk, items, total, now: at.now },
    );
    if (rows.length > 0) this.#append(job.seq, rows);
    this.#changed(id, job.state);
  }

  #append(job: number, rows: readonly string[]): void {
    const last = this.#statements.get<{ n: number | null }>(
      'SELECT max(n) AS n FROM output WHERE job = :job',
      { job },
    );
    let n = last?.n ?? 0;
    for (const row of rows) {
      n += 1;
      this.#statements.run('INSERT INTO output (job, n, row) VALUES (:job, :n, :row)', { job, n, row });
    }
  }

  recordIntent(at: Instant, id: string, token: string | null, intent: StopIntent): void {
    const job = this.#row(id);
    if (job.token === null || (token !== null && job.token !== token))
      throw new StaleAttemptError(id, 'stop');
    const isFirst = job.state !== 'stopping';
    // What must end the job stays, whatever else is asked.
    if (job.intent !== null && mustEnd(JSON.parse(job.intent)) && !mustEnd(intent)) return;
    this.#statements.run(
      `UPDATE jobs SET intent = :intent, state = 'stopping', history = history || :entry WHERE seq = :seq`,
      {
        seq: job.seq,
        intent: JSON.stringify(intent),
        entry: isFirst ? entryOf(stoppingEntry(intent, job.attempt, at.now)) : '',
      },
    );
    this.#changed(id, 'stopping');
  }

  settle(
    at: Instant,
    id: string,
    token: string | null,
    verdict: Verdict,
    followUps: readonly NewJob[] = [],
  ): JobRow {
    const { state, timeout, reason, failure, stop, notBefore } = verdict;
    const isOver = isFinal(state);
    if (!isOver) {
      const row = this.#row(id);
      const intent = row.intent === null ? null : JSON.parse(row.intent);
      if (row.token === token && undoes(verdict, intent))
        throw new StaleAttemptError(id, 'settlement', intent);
    }
    const isFresh = `(:neverBegan AND attempt = 1)`;
    const settled = this.#statements.get<JobRow>(
      `UPDATE jobs SET state = :state, attempt = attempt - :given, crashes = crashes + :crash, timeout = :timeout,
         reason = :reason, failure = :failure, stop = :stop, token = NULL, owner = NULL, intent = NULL,
         leaseUntil = NULL, boot = NULL, holder = NULL, processGroup = NULL, endedAt = :endedAt, result = :result,
         notBefore = CASE WHEN :isOver THEN notBefore ELSE :notBefore END, rank = CASE WHEN :keepsPlace OR (inOrder AND NOT :isOver) THEN rank ELSE :place - priority * ${placesAPoint} END,
         stage = CASE WHEN concurrencyKey IS NULL THEN :stage WHEN :stage = 1 THEN 2 ELSE :stage END, dueAt = CASE WHEN :isOver THEN NULL WHEN startedAt IS NOT NULL AND NOT ${isFresh} THEN deadlineAt
           ELSE min(ifnull(queueDueAt, deadlineAt), ifnull(deadlineAt, queueDueAt)) END,
         restedAt = CASE WHEN :isOver OR :neverBegan THEN restedAt ELSE :now END,
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
        now: at.now,
        notBefore,
        keepsPlace: state === 'queued' ? 1 : 0,
        place: state === 'retrying' ? this.#nextPlace() : null,
        stage: isOver ? null : stageOf({ concurrencyKey: null, notBefore }, at.now),
        // Of the attempt that is over: its number is the row's own.
        entry: JSON.stringify(settledEntry(verdict, 0, at.now)),
      },
    );
    if (settled === undefined) throw new StaleAttemptError(this.#row(id).id, 'settlement');
    this.#changed(id, state);
    this.#refill(settled);
    this.submit(at, followUps);
    return settled;
  }

  setTimeouts(_: Instant, id: string, timeouts: Partial<Timeouts>): JobRow {
    const job = this.#row(id);
    if (isFinal(job.state)) return job;
    const changed = withTimeouts({ ...job, settings: settingsFrom(job.settings) }, timeouts);
    const { queueDueAt, deadlineAt } = changed;
    this.#changed(id, job.state);
    return this.#statements.get<JobRow>(
      `UPDATE jobs SET settings = :settings, queueDueAt = :queueDueAt, deadlineAt = :deadlineAt, dueAt = :dueAt
       WHERE seq = :seq RETURNING *`,
      {
        seq: job.seq,
        settings: settingsText(changed.settings),
        queueDueAt,
        deadlineAt,
        dueAt: isAtRest(job.state) ? dueAtRest({ ...job, queueDueAt, deadlineAt }) : null,
      },
    ) as JobRow;
  }

  promote(_: Instant, id: string): void {
    const job = this.#row(id);
    if (!isAtRest(job.state)) return;
    this.#statements.run('UPDATE jobs SET rank = :rank WHERE seq = :seq', {
      seq: job.seq,
      rank: nextRank(this.#nextPlace()),
    });
    this.#changed(id, job.state);
    this.#refill(job);
  }

  /** A job is gone at once; what it appended may be much, and goes by and by. */
  prune(_: Instant, states: readonly FinalState[], endedBefore: number): boolean {
    // Who ended before was submitted before; and the newest stays, so that its number is never given again.
    const ended = states.flatMap((state) =>
      this.#statements.all<{ seq: number }>(
        `SELECT seq FROM jobs WHERE state = :state AND submittedAt < :endedBefore AND endedAt < :endedBefore
           AND seq < (SELECT max(seq) FROM jobs) ORDER BY submittedAt LIMIT :limit`,
        { state, endedBefore, limit: prunedJobs },
      ),
    );
    for (const { seq } of ended) {
      this.#statements.run('DELETE FROM jobs WHERE seq = :seq', { seq });
      this.#statements.run(
        'INSERT INTO pruned (job) SELECT :seq WHERE EXISTS (SELECT 1 FROM output WHERE job = :seq)',
        {
          seq,
        },
      );
    }
    let left = prunedRows;
    for (;;) {
      const job = this.#statements.get<{ job: number }>('SELECT job FROM pruned LIMIT 1', {})?.job;
      if (job === undefined || left <= 0) return job !== undefined || ended.length > 0;
      const { n } = this.#statements.get<{ n: number }>(
        `SELECT count(*) AS n FROM (SELECT 1 FROM output WHERE job = :job LIMIT :left)`,
        { job, left },
      ) as { n: number };
      this.#statements.run(
        'DELETE FROM output WHERE job = :job AND n IN (SELECT n FROM output WHERE job = :job ORDER BY n LIMIT :left)',
        {
          job,
          left,
        },
      );
      if (n < left) this.#statements.run('DELETE FROM pruned WHERE job = :job', { job });
      left -= n;
    }
  }

  /**
   * `isSure`: false where a holder's lock was found missing for the first time: the thread of a process that lives may
   * only be coming back. To be asked again in a moment. After a lock that nobody could write beside, `onlyGone`.
   */
  lapsed(at: Instant, onlyGone = false): { jobs: JobRow[]; isSure: boolean } {
    const { boot, holder: self } = this.#here;
    const holders = this.#statements
      .all<{ holder: string }>('SELECT DISTINCT holder FROM jobs WHERE token IS NOT NULL', {})
      .map(({ holder }) => holder);
    const now = this.#here.now();
    const missing = holders.filter((holder) => holder !== self && !this.#here.isAlive(holder));
    this.#missing = new Map(missing.map((holder) => [holder, this.#missing.get(holder) ?? now]));
    const found = holders.flatMap((holder) => {
      const isGone = now - (this.#missing.get(holder) ?? Infinity) >= missingMs;
      return page(
        this.#statements.iterate<JobRow>(
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
    this.#statements.run(
      `UPDATE jobs SET token = :token, owner = :owner, leaseUntil = :leaseUntil, boot = :boot, holder = :holder
       WHERE seq = :seq`,
      { seq: job.seq, token: adopted, owner, leaseUntil: at.monotonic + leaseMs, boot, holder },
    );
    return adopted;
  }

  /** What was changed since the transaction `after`. `isWhole`: false where some of it is not kept any more. */
  newsSince(after: number): News {
    const found = this.#statements.all<{ n: number; changes: string; place: number }>(
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
    const { n } = this.#statements.get<{ n: number }>(
      'INSERT INTO news (changes, place) VALUES (:changes, :place) RETURNING n',
      { changes: JSON.stringify(changes), place: this.#lastPlace },
    ) as { n: number };
    this.#statements.run('DELETE FROM news WHERE n <= :old', { old: n - keptNews });
    return n;
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
    const row = this.queries.get(null, id);
    if (row === null) throw new EngineError(`job ${id}: not in this engine`);
    return row;
  }

  #current(id: string, token: string | null, write: string): JobRow {
    const row = this.#row(id);
    if (row.token !== token) throw new StaleAttemptError(id, write);
    return row;
  }
}

function entryOf(transition: Transition): string {
  return `,${JSON.stringify(transition)}`;
}
