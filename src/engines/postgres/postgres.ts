// Jobs in PostgreSQL: for any number of machines. What was acknowledged is committed there. Leases and due times count on the
// clock of the database, the one clock that all have in common. Writes are gathered into transactions (writes.ts), claims and heartbeats wait
// for none of them: each has its own way to the server.

import type { FinalState, JobState, TimeoutKind } from '../../machines/states.ts';
import type { StopIntent, Verdict } from '../../machines/verdict.ts';
import type { Clock } from '../clock.ts';
import {
  type Beat,
  type BeatReply,
  type CheckpointWrite,
  type Claim,
  type Engine,
  EngineError,
  type JobQuery,
  type NameLimits,
  type NewJob,
  type NodeFacts,
  type OpenJobs,
  type ScheduleQuery,
  type SqlTransaction,
  StaleAttemptError,
  type StoredJob,
  type StoredNode,
  type StoredSchedule,
  type Timeouts,
  type Watcher,
} from '../engine.ts';
import { beat } from './attempts.ts';
import type { Change } from './changes.ts';
import { claim, limitedNames } from './claims.ts';
import { Connections } from './connections.ts';
import { pausedNames, schedules, setPaused } from './controls.ts';
import { engineErrorOf } from './databaseErrors.ts';
import { JobQueries, type QueuePlace, queueFirst } from './jobQueries.ts';
import { fromRow, type JobRow } from './jobRow.ts';
import { nextStartIn, ripening } from './limits.ts';
import { lockClasses, numberOf } from './locks.ts';
import { nodeSeen, nodes, removeNode } from './nodes.ts';
import { Notifications, type NotificationsHost, type Notifier } from './notifications.ts';
import { migrate, quoted } from './schema.ts';
import { schemaOf } from './setUp.ts';
import { sumUp } from './tally.ts';
import type { Transaction } from './transaction.ts';
import { stateOf, submitWithin } from './within.ts';
import { Writes } from './writes.ts';

export interface PostgresOptions {
  /** As libpq reads it: `postgres://user:password@host:port/database`; with `?schema=NAME` too. */
  url: string;
  /** Where the tables are. Default: the URL's, else `unstuck`. */
  schema?: string;
  /** Connections of this process, beside the one that listens. At least 1. Default 5. */
  maxConnections?: number;
  /** `normal`: commits do not wait for the server's disk; its crash may take back the last moments. Default `full`. */
  durability?: 'full' | 'normal';
  /** What leases and due times count on. `given`: the clock of `open`, for tests. Default `database`. */
  time?: 'database' | 'given';
}

/** The tally is summed up after so many transactions of this process. */
const transactionsASum = 100;
/** A job that has waited so long may be one that nobody was told of, ms. */
const unheardMs = 1000;
/** So many jobs in one call change what the planner should know. */
const manyJobs = 1000;

export class PostgresEngine implements Engine {
  readonly name = 'postgres';
  readonly spansMachines = true;
  readonly #schema: string;
  readonly #connections: Connections;
  readonly #queries: JobQueries;
  readonly #writes: Writes;
  readonly #notifications: Notifier;
  readonly #isGivenTime: boolean;
  readonly #watchers = new Set<Watcher>();
  #clock: Clock | null = null;
  #claiming: Promise<unknown> = Promise.resolve();
  #transactions = 0;
  #upkeep: Promise<void> | null = null;

  constructor(
    {
      url,
      schema = schemaOf(url),
      maxConnections = 5,
      durability = 'full',
      time = 'database',
    }: PostgresOptions,
    notifierFor?: (host: NotificationsHost) => Notifier,
  ) {
    this.#isGivenTime = time === 'given';
    this.#schema = schema;
    this.#connections = new Connections({
      url,
      schema,
      maxConnections,
      durability,
      now: this.#isGivenTime ? () => this.#now() as number : null,
    });
    this.#queries = new JobQueries(this.#connections.query, quoted(schema));
    this.#writes = new Writes(this.#connections, {
      stored: (tx) => this.#stored(tx),
      explained: (error) => this.#explained(error),
    });
    const host: NotificationsHost = {
      changed: (changes) => this.#tell(changes),
      missed: () => {
        for (const watcher of this.#watchers) watcher.missed();
      },
      looked: () => this.#wakeForReady(),
    };
    this.#notifications =
      notifierFor?.(host) ?? new Notifications(this.#connections, quoted(schema), `unstuck ${schema}`, host);
  }

  /** Transactions of writes so far: each is one flush of the server's log. */
  get commits(): number {
    return this.#writes.commits;
  }

  async open(clock: Clock): Promise<void> {
    this.#clock = clock;
    await this.#connections.open();
    try {
      const client = await this.#connections.dedicated();
      try {
        await migrate(client, this.#schema);
      } finally {
        await client.end();
      }
      await this.#notifications.open();
    } catch (error) {
      await this.#connections.close();
      throw this.#explained(error);
    }
  }

  async close(): Promise<void> {
    if (this.#clock === null) return;
    await this.#writes.idle();
    await this.#claiming.catch(() => {});
    await this.#upkeep;
    this.#clock = null;
    await this.#notifications.close();
    await this.#connections.close();
  }

  async submit(jobs: readonly NewJob[]): Promise<StoredJob[]> {
    const stored = await this.#write('submit', jobs);
    // The server's own look at a table comes a minute later, if at all: until then it would plan for the few that were there.
    if (jobs.length >= manyJobs) this.#keepUp(`ANALYZE ${quoted(this.#schema)}.jobs`);
    return stored;
  }

  async submitWithin(transaction: SqlTransaction, jobs: readonly NewJob[]): Promise<StoredJob[]> {
    const { stored, tx, transactionId } = await submitWithin(
      transaction,
      quoted(this.#schema),
      this.#now(),
      jobs,
    );
    // Nobody but its owner ends it; he does not tell us.
    this.#tellOnceOver(tx, transactionId).catch(() => {});
    return stored;
  }

  async #tellOnceOver(tx: Transaction, transactionId: string): Promise<void> {
    for (let pauseMs = 5; this.#clock !== null; pauseMs = Math.min(pauseMs * 1.5, 1000)) {
      await new Promise((resolve) => setTimeout(resolve, pauseMs).unref());
      if (this.#clock === null) return;
      const state = await stateOf(this.#connections.query, transactionId);
      if (state === 'in progress') continue;
      if (state === 'committed') this.#stored(tx);
      else this.#notifications.tell([], tx.numbers);
      return;
    }
  }

  /** Who ended before it told what it had stored, or could not know that it was: a job waits, and nobody has heard of it. */
  async #wakeForReady(): Promise<void> {
    if (this.#isGivenTime) return;
    const ready = await this.#queries.anyReady();
    if (ready !== null && ready.forMs > unheardMs) this.#tell([[ready.id, ready.state]]);
  }

  /** One claim at a time: of several at once each would pass over what the others look at. */
  async claim(of: Claim): Promise<StoredJob[]> {
    const claimed = this.#claiming.catch(() => {}).then(() => this.#claim(of));
    this.#claiming = claimed;
    return claimed;
  }

  async #claim(of: Claim): Promise<StoredJob[]> {
    const classes = lockClasses(this.#schema);
    const now = this.#now();
    const statements = [
      // Who pauses a name waits for the claims that have not seen it yet.
      `SELECT pg_advisory_xact_lock_shared(${classes.pauses}, 0)`,
      // In one order for all.
      ...[...new Set(limitedNames(of).map(numberOf))]
        .sort((a, b) => a - b)
        .map((name) => `SELECT pg_advisory_xact_lock(${classes.name}, ${name})`),
      ripening(
        quoted(this.#schema),
        now === null ? 'extract(epoch FROM statement_timestamp())::float8 * 1000' : String(now),
      ),
    ];
    try {
      const { value, tx } = await this.#connections.transact({ statements }, async (tx, begun) => {
        const ripe = begun.at(-1) as unknown as Pick<JobRow, 'name' | 'concurrency_key'>[];
        for (const { name, concurrency_key } of ripe) tx.touched(name, concurrency_key);
        // Those that come to wait for a slot are claimed with the others.
        await tx.moveUp();
        const claimed = await claim(tx, of, now);
        const startedAt = claimed[0]?.startedAt ?? null;
        // What ends them here is written as later.
        if (now === null && startedAt !== null) this.#connections.heard(startedAt);
        return claimed;
      });
      this.#stored(tx);
      return value;
    } catch (error) {
      throw this.#explained(error);
    }
  }

  async nextStartAt(limits: Readonly<Record<string, NameLimits>>): Promise<number | null> {
    const inMs = await nextStartIn(this.#connections.query, quoted(this.#schema), this.#now(), limits);
    return inMs === Infinity ? null : this.#time().now() + inMs;
  }

  async beat(beats: readonly Beat[], leaseMs: number): Promise<BeatReply[]> {
    const replies = await beat(
      this.#connections.query,
      quoted(this.#schema),
      this.#now(),
      beats.map((each) => ({ ...each, leaseMs })),
    );
    // Told here alone: each beat of each job to all machines would be more than all else.
    this.#tell(
      replies.flatMap(({ id, state }, n): Change[] => {
        const told = beats[n]?.heartbeatAt !== null || beats[n]?.total !== null;
        return state !== null && told ? [[id, state]] : [];
      }),
    );
    return replies.map(({ state: _, ...reply }) => reply);
  }

  async checkpoint(write: CheckpointWrite): Promise<void> {
    await this.#write('checkpoint', write);
  }

  async recordIntent(id: string, token: string | null, intent: StopIntent): Promise<void> {
    await this.#write('recordIntent', { id, token, intent });
  }

  settle(
    id: string,
    token: string | null,
    verdict: Verdict,
    followUps: readonly NewJob[] = [],
  ): Promise<StoredJob> {
    return this.#write('settle', { id, token, verdict, followUps });
  }

  setTimeouts(id: string, timeouts: Partial<Timeouts>): Promise<StoredJob> {
    return this.#write('setTimeouts', { id, timeouts });
  }

  promote(id: string): Promise<void> {
    return this.#write('promote', { id });
  }

  async get(id: string): Promise<StoredJob | null> {
    const row = await this.#queries.get(id);
    return row === null ? null : fromRow(row);
  }

  async *list({ limit = Infinity, ...query }: JobQuery): AsyncIterable<StoredJob> {
    let last: JobRow | null = null;
    for (let left = limit; left > 0; ) {
      const rows: JobRow[] = await this.#queries.listPage({ ...query, limit: left }, last);
      if (rows.length === 0) return;
      yield* rows.map(fromRow);
      left -= rows.length;
      last = rows.at(-1) ?? null;
    }
  }

  async *queue(): AsyncIterable<string> {
    await this.#ripen();
    for (let from: QueuePlace | null = queueFirst; from !== null; ) {
      const { ids, next }: { ids: string[]; next: QueuePlace | null } = await this.#queries.queuePage(from);
      yield* ids;
      from = next;
    }
  }

  count(states: readonly JobState[], name?: string): Promise<number> {
    return this.#queries.count(states, name);
  }

  countEnded(state: FinalState, since: number, timeout?: TimeoutKind): Promise<number> {
    return this.#queries.countEnded(state, since, timeout);
  }

  oldestWaiting(): Promise<number | null> {
    return this.#queries.oldestWaiting(this.#now());
  }

  async openJobs(): Promise<OpenJobs[]> {
    await this.#ripen();
    return this.#queries.openJobs();
  }

  async *rows(id: string): AsyncIterable<string> {
    const job = await this.#queries.seqOf(id);
    for (let after = 0; ; ) {
      const rows = await this.#queries.rowsPage(job, after);
      if (rows.length === 0) return;
      for (const { row } of rows) yield row;
      after = rows.at(-1)?.n ?? after;
    }
  }

  async due(): Promise<StoredJob[]> {
    return (await this.#queries.due(this.#now())).map(fromRow);
  }

  /** In the time of this machine, whose timer it is for: its clock may be another than that of the database. */
  async nextDueAt(): Promise<number | null> {
    const { at, now } = await this.#queries.nextDueAt(this.#now());
    return at === null ? null : this.#isGivenTime ? at : at + this.#time().now() - now;
  }

  async lapsed(): Promise<StoredJob[]> {
    return (await this.#queries.lapsed(this.#now())).map(fromRow);
  }

  adopt(id: string, token: string, owner: string, leaseMs: number): Promise<string> {
    return this.#write('adopt', { id, token, owner, leaseMs });
  }

  prune(states: readonly FinalState[], endedBefore: number): Promise<boolean> {
    return this.#write('prune', { states, endedBefore });
  }

  schedules(query: ScheduleQuery): Promise<StoredSchedule[]> {
    return schedules(this.#connections.query, quoted(this.#schema), query);
  }

  storeSchedule(
    schedule: StoredSchedule,
    instead: string | null,
    jobs: readonly NewJob[],
  ): Promise<StoredJob[] | null> {
    return this.#write('storeSchedule', { schedule, instead, jobs });
  }

  removeSchedule(key: string): Promise<boolean> {
    return this.#write('removeSchedule', { key });
  }

  /** By itself, since it waits for the claims under way. */
  async setPaused(name: string, isPaused: boolean): Promise<void> {
    const statements = [`SELECT pg_advisory_xact_lock(${lockClasses(this.#schema).pauses}, 0)`];
    try {
      const { tx } = await this.#connections.transact({ statements }, (tx) => setPaused(tx, name, isPaused));
      this.#stored(tx);
    } catch (error) {
      throw this.#explained(error);
    }
  }

  pausedNames(): Promise<string[]> {
    return pausedNames(this.#connections.query, quoted(this.#schema));
  }

  nodeSeen(node: NodeFacts, goneAfterMs: number, keptMs: number): Promise<void> {
    return nodeSeen(this.#connections.query, quoted(this.#schema), this.#now(), node, goneAfterMs, keptMs);
  }

  removeNode(id: string): Promise<void> {
    return removeNode(this.#connections.query, quoted(this.#schema), id);
  }

  nodes(): Promise<StoredNode[]> {
    return nodes(this.#connections.query, quoted(this.#schema), this.#now());
  }

  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  #write: Writes['call'] = (kind, args) => {
    if (this.#clock === null)
      return Promise.reject(new EngineError(`${this.#connections.place} is not open`));
    return this.#writes.call(kind, args);
  };

  /** What may start by now stands in the queue. */
  async #ripen(): Promise<void> {
    if (!(await this.#queries.isAnyRipe(this.#now()))) return;
    await this.#claim({ owner: '', limit: 0, ahead: 0, names: [], leaseMs: 0 });
  }

  #stored(tx: Transaction): void {
    this.#tell(tx.changes);
    if (tx.changes.length > 0 || tx.numbers > 0) this.#notifications.tell(tx.changes, tx.numbers);
    this.#transactions += 1;
    if (this.#transactions % transactionsASum === 0) this.#keepUp(sumUp(quoted(this.#schema)));
  }

  #tell(changes: readonly Change[]): void {
    for (const watcher of this.#watchers) {
      for (const change of changes) {
        if (change === 'controls') watcher.controlsChanged?.();
        else watcher.changed(...change);
      }
    }
  }

  /** What nobody waits for, one at a time; done again soon where it fails. */
  #keepUp(statement: string): void {
    this.#upkeep ??= this.#connections
      .query(statement)
      .then(
        () => {},
        () => {},
      )
      .finally(() => {
        this.#upkeep = null;
      });
  }

  #explained(error: unknown): Error {
    return error instanceof StaleAttemptError ? error : engineErrorOf(this.#connections.place, error);
  }

  /** Null: the database's own. */
  #now(): number | null {
    return this.#isGivenTime ? this.#time().now() : null;
  }

  #time(): Clock {
    if (this.#clock === null) throw new EngineError(`${this.#connections.place} is not open`);
    return this.#clock;
  }
}
