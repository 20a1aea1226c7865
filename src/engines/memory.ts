// Jobs in this process's memory: for tests and throw-away work, and the reference for the contract. Nothing
// survives the process.

import { type FinalState, isAtRest, isFinal, type JobState, type TimeoutKind } from '../machines/states.ts';
import type { StopIntent, Verdict } from '../machines/verdict.ts';
import type { Clock } from './clock.ts';
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
  type OpenState,
  type ScheduleQuery,
  StaleAttemptError,
  type StoredJob,
  type StoredNode,
  type StoredSchedule,
  type Timeouts,
  type Transition,
  type Watcher,
} from './engine.ts';
import {
  dueAtRest,
  freshJob,
  limitsOf,
  mustEnd,
  nextRank,
  rankOf,
  resultOf,
  settledEntry,
  stoppingEntry,
  undoes,
  withTimeouts,
} from './jobFacts.ts';
import { MemoryControls } from './memoryControls.ts';
import { MemoryNodes } from './memoryNodes.ts';
import { withRunning } from './nodeFacts.ts';
import { isBefore, RankedQueue } from './rankedQueue.ts';

type Row = { -readonly [K in keyof StoredJob]: StoredJob[K] } & {
  history: Transition[];
  /** Monotonic ms; what a live attempt's lease counts on. */
  leaseUntil: number;
  /** When it came to wait, at first or again. */
  restedAt: number;
  /** Name and idempotency key, or null. */
  key: string | null;
  /** See rankOf; a job that is handed back keeps it. */
  rank: number;
  /** Its priority; Infinity where it was told to be next. */
  lane: number;
  rows: string[];
};

/** The jobs of one concurrency key. */
interface Group {
  readonly key: string;
  live: number;
  /** Those that wait for a slot, in `#ready`. */
  readonly heads: Set<Row>;
  /** Those that wait out a pause, and keep the others behind them: see `inOrder`. */
  readonly pausing: Set<Row>;
  /** Those that wait behind them. */
  readonly behind: RankedQueue<Row>;
}

export class MemoryEngine implements Engine {
  readonly name = 'memory';
  readonly spansMachines: boolean = false;
  #clock: Clock | null = null;
  #jobs = new Map<string, Row>();
  #idempotency = new Map<string, string>();
  /** Jobs that may start now, as far as their keys limit them. */
  #ready = new RankedQueue<Row>();
  /** By name and concurrency key. */
  #groups = new Map<string, Group>();
  /** By name: wall times at which attempts began, as long as its rate needs them. */
  #starts = new Map<string, number[]>();
  /** Jobs at rest that may not start yet. */
  #waiting = new Set<Row>();
  /** Jobs at rest that time out at a wall time. */
  #expiring = new Set<Row>();
  #live = new Set<Row>();
  #attempts = 0;
  #lastPlace = 0;
  #watchers = new Set<Watcher>();
  readonly #nodes = new MemoryNodes();
  #controls = new MemoryControls(() => {
    for (const watcher of this.#watchers) watcher.controlsChanged?.();
  });

  async open(clock: Clock): Promise<void> {
    this.#clock = clock;
  }

  async close(): Promise<void> {}

  async submit(jobs: readonly NewJob[]): Promise<StoredJob[]> {
    return jobs.map((job) => {
      const key = job.idempotencyKey === null ? null : `${job.name}\n${job.idempotencyKey}`;
      const known = key === null ? undefined : this.#idempotency.get(key);
      if (known !== undefined) return snapshot(this.#row(known));
      const fresh = freshJob(job, this.#time().now());
      const row: Row = {
        ...fresh,
        key,
        history: [...fresh.history],
        restedAt: fresh.submittedAt,
        leaseUntil: 0,
        rank: rankOf(this.#nextPlace(), job.priority),
        lane: job.priority,
        rows: [],
      };
      this.#jobs.set(row.id, row);
      if (key !== null) this.#idempotency.set(key, row.id);
      this.#rest(row);
      this.#changed(row);
      return snapshot(row);
    });
  }

  async claim(claim: Claim): Promise<StoredJob[]> {
    const now = this.#time().now();
    this.#ripen();
    const names = claim.names.filter((name) => !this.#controls.isPaused(name));
    const room = new Map(names.map((name) => [name, this.#roomFor(name, limitsOf(name, claim.limits))]));
    const claimed: StoredJob[] = [];
    for (const row of this.#ready.inOrder()) {
      if (claimed.length === claim.limit + claim.ahead) break;
      const claimedAhead = claimed.length >= claim.limit;
      const left = room.get(row.name) ?? 0;
      if (left <= 0 || isDue(row, now)) continue;
      // None goes ahead of one that must not.
      if (claimedAhead && (row.claimedAhead || row.crashes > 0)) break;
      room.set(row.name, left - 1);
      this.#starts.get(row.name)?.push(now);
      this.#unrest(row);
      const group = this.#groupOf(row);
      if (group !== null) group.live += 1;
      this.#attempts += 1;
      Object.assign(row, {
        state: 'running',
        attempt: row.attempt + 1,
        token: `${this.#attempts}-${crypto.randomUUID()}`,
        owner: claim.owner,
        startedAt: now,
        lastHeartbeatAt: now,
        lastProgressAt: now,
        group: null,
        intent: null,
        timeout: null,
        reason: null,
        failure: null,
        stop: null,
        claimedAhead,
        leaseUntil: this.#time().monotonic() + claim.leaseMs,
      } satisfies Partial<Row>);
      this.#live.add(row);
      row.history.push({ state: 'running', at: now, attempt: row.attempt });
      claimed.push(snapshot(row));
      this.#changed(row);
    }
    return claimed;
  }

  async beat(beats: readonly Beat[], leaseMs: number): Promise<BeatReply[]> {
    return beats.map(({ id, token, heartbeatAt, total, group = null }) => {
      const row = this.#jobs.get(id);
      if (row === undefined || row.token !== token)
        return { id, token, held: false, renewed: false, intent: null, settings: null };
      row.leaseUntil = this.#time().monotonic() + leaseMs;
      if (heartbeatAt !== null) row.lastHeartbeatAt = heartbeatAt;
      if (total !== null) row.total = total;
      if (group !== null) row.group = group;
      if (heartbeatAt !== null || total !== null) this.#changed(row);
      return { id, token, held: true, renewed: true, intent: row.intent, settings: row.settings };
    });
  }

  async checkpoint({ id, token, chunk, checkpoint, rows, items, total }: CheckpointWrite): Promise<void> {
    const row = this.#current(id, token, 'checkpoint');
    if (chunk <= row.chunks) return;
    const now = this.#time().now();
    for (const line of rows) row.rows.push(line);
    row.checkpoint = checkpoint;
    row.chunks = chunk;
    row.crashes = 0;
    row.items += items;
    if (total !== null) row.total = total;
    row.lastHeartbeatAt = now;
    row.lastProgressAt = now;
    this.#changed(row);
  }

  async recordIntent(id: string, token: string | null, intent: StopIntent): Promise<void> {
    const row = this.#row(id);
    if (row.token === null || (token !== null && row.token !== token))
      throw new StaleAttemptError(id, 'stop');
    // What must end the job stays, whatever else is asked.
    if (row.intent !== null && mustEnd(row.intent) && !mustEnd(intent)) return;
    row.intent = intent;
    if (row.state !== 'stopping') {
      row.state = 'stopping';
      row.history.push(stoppingEntry(intent, row.attempt, this.#time().now()));
    }
    this.#changed(row);
  }

  async settle(
    id: string,
    token: string | null,
    verdict: Verdict,
    followUps: readonly NewJob[] = [],
  ): Promise<StoredJob> {
    const row = this.#current(id, token, 'settlement');
    if (token === null && !isAtRest(row.state)) throw new StaleAttemptError(id, 'settlement');
    if (undoes(verdict, row.intent)) throw new StaleAttemptError(id, 'settlement', row.intent);
    const now = this.#time().now();
    const { state, timeout, reason, failure, stop, notBefore } = verdict;
    row.history.push(settledEntry(verdict, row.attempt, now));
    const group = this.#groupOf(row);
    if (this.#live.delete(row) && group !== null) group.live -= 1;
    this.#unrest(row);
    Object.assign(row, {
      state,
      timeout,
      reason,
      failure,
      stop,
      token: null,
      owner: null,
      group: null,
      intent: null,
    });
    if (verdict.crashed) row.crashes += 1;
    if (isFinal(state)) {
      row.endedAt = now;
      row.result = resultOf(verdict);
    } else {
      if (verdict.neverBegan && row.attempt === 1)
        Object.assign(row, { startedAt: null, lastHeartbeatAt: null, lastProgressAt: null });
      if (state === 'queued') row.attempt -= 1;
      else if (!row.inOrder)
        Object.assign(row, { rank: rankOf(this.#nextPlace(), row.priority), lane: row.priority });
      row.notBefore = notBefore;
      if (!verdict.neverBegan) row.restedAt = now;
      this.#rest(row);
    }
    this.#changed(row);
    if (group !== null) this.#refill(group);
    const settled = snapshot(row);
    await this.submit(followUps);
    return settled;
  }

  async setTimeouts(id: string, timeouts: Partial<Timeouts>): Promise<StoredJob> {
    const row = this.#row(id);
    if (isFinal(row.state)) return snapshot(row);
    Object.assign(row, withTimeouts(row, timeouts));
    if (isAtRest(row.state)) this.#rest(row);
    this.#changed(row);
    return snapshot(row);
  }

  async promote(id: string): Promise<void> {
    const row = this.#row(id);
    if (!isAtRest(row.state)) return;
    this.#unrest(row);
    row.rank = nextRank(this.#nextPlace());
    row.lane = Infinity;
    this.#rest(row);
    this.#changed(row);
  }

  async get(id: string): Promise<StoredJob | null> {
    const row = this.#jobs.get(id);
    return row === undefined ? null : snapshot(row);
  }

  async *list(query: JobQuery): AsyncIterable<StoredJob> {
    const { states, name, key, from, before, after, limit = Infinity } = query;
    let found = 0;
    const newestFirst = [...this.#jobs.values()].reverse();
    const first = after === undefined ? 0 : newestFirst.indexOf(this.#row(after)) + 1;
    for (const row of newestFirst.slice(first)) {
      if (found >= limit) return;
      if (states !== undefined && !states.includes(row.state)) continue;
      if (name !== undefined && row.name !== name) continue;
      if (key !== undefined && row.idempotencyKey !== key) continue;
      if (row.submittedAt < (from ?? -Infinity) || row.submittedAt >= (before ?? Infinity)) continue;
      found += 1;
      yield snapshot(row);
    }
  }

  async *queue(): AsyncIterable<string> {
    const behind = this.#behind().sort((a, b) => a.rank - b.rank);
    for (const row of [...this.#ready.inOrder(), ...behind, ...this.#waiting]) yield row.id;
  }

  #behind(): Row[] {
    return [...this.#groups.values()].flatMap((group) => [...group.behind.inOrder()]);
  }

  async count(states: readonly JobState[], name?: string): Promise<number> {
    let count = 0;
    for (const row of this.#jobs.values()) {
      if (states.includes(row.state) && (name === undefined || row.name === name)) count += 1;
    }
    return count;
  }

  async countEnded(state: FinalState, since: number, timeout?: TimeoutKind): Promise<number> {
    let count = 0;
    for (const row of this.#jobs.values()) {
      const isOfKind = timeout === undefined || row.timeout === timeout;
      if (row.state === state && isOfKind && (row.endedAt ?? 0) >= since) count += 1;
    }
    return count;
  }

  async oldestWaiting(): Promise<number | null> {
    this.#ripen();
    let oldest = Infinity;
    for (const { state, submittedAt } of [...this.#ready.rows(), ...this.#behind()])
      if (state === 'queued') oldest = Math.min(oldest, submittedAt);
    return oldest === Infinity ? null : oldest;
  }

  async openJobs(): Promise<OpenJobs[]> {
    this.#ripen();
    const found = new Map<
      string,
      { counts: Record<OpenState, number>; waitingSince: number | null; rank: number }
    >();
    const add = ({ name, state, rank, restedAt, notBefore }: Row, waits: boolean) => {
      const ofName = found.get(name) ?? {
        counts: { queued: 0, running: 0, stopping: 0, retrying: 0 },
        waitingSince: null,
        rank: Infinity,
      };
      found.set(name, ofName);
      ofName.counts[state as OpenState] += 1;
      // The one that is to start next.
      if (!waits || rank >= ofName.rank) return;
      Object.assign(ofName, { rank, waitingSince: Math.max(restedAt, notBefore ?? 0) });
    };
    for (const row of this.#ready.rows()) add(row, true);
    for (const row of [...this.#behind(), ...this.#waiting, ...this.#live]) add(row, false);
    return [...found].map(([name, { counts, waitingSince }]) => ({ name, counts, waitingSince }));
  }

  async prune(states: readonly FinalState[], endedBefore: number): Promise<boolean> {
    for (const row of this.#jobs.values()) {
      if (!isFinal(row.state) || !states.includes(row.state) || (row.endedAt ?? Infinity) >= endedBefore)
        continue;
      this.#jobs.delete(row.id);
      if (row.key !== null) this.#idempotency.delete(row.key);
    }
    return false;
  }

  async *rows(id: string): AsyncIterable<string> {
    yield* [...this.#row(id).rows];
  }

  async due(): Promise<StoredJob[]> {
    const now = this.#time().now();
    return [...this.#expiring].filter((row) => isDue(row, now)).map(snapshot);
  }

  async nextDueAt(): Promise<number | null> {
    this.#ripen();
    let next = Infinity;
    for (const row of this.#expiring) next = Math.min(next, dueAtRest(row) ?? Infinity);
    for (const row of this.#waiting) next = Math.min(next, row.notBefore ?? Infinity);
    return next === Infinity ? null : next;
  }

  async lapsed(): Promise<StoredJob[]> {
    const now = this.#time().monotonic();
    return [...this.#live].filter((row) => row.leaseUntil < now).map(snapshot);
  }

  async adopt(id: string, token: string, owner: string, leaseMs: number): Promise<string> {
    const row = this.#current(id, token, 'adoption');
    this.#attempts += 1;
    const adopted = `${this.#attempts}-${crypto.randomUUID()}`;
    Object.assign(row, { token: adopted, owner, leaseUntil: this.#time().monotonic() + leaseMs });
    return adopted;
  }

  async schedules(query: ScheduleQuery): Promise<StoredSchedule[]> {
    return this.#controls.schedules(query);
  }

  async storeSchedule(
    schedule: StoredSchedule,
    instead: string | null,
    jobs: readonly NewJob[],
  ): Promise<StoredJob[] | null> {
    return this.#controls.store(schedule, instead) ? this.submit(jobs) : null;
  }

  async removeSchedule(key: string): Promise<boolean> {
    return this.#controls.remove(key);
  }

  async setPaused(name: string, isPaused: boolean): Promise<void> {
    this.#controls.setPaused(name, isPaused);
  }

  async pausedNames(): Promise<string[]> {
    return this.#controls.pausedNames();
  }

  async nodeSeen(node: NodeFacts, goneAfterMs: number, keptMs: number): Promise<void> {
    this.#nodes.seen(this.#time().monotonic(), node, goneAfterMs, keptMs);
  }

  async removeNode(id: string): Promise<void> {
    this.#nodes.remove(id);
  }

  async nodes(): Promise<StoredNode[]> {
    const live = Map.groupBy(this.#live, ({ owner, name }) => JSON.stringify([owner, name]));
    const held = [...live].map(([key, rows]) => {
      const [owner, name] = JSON.parse(key) as [string, string];
      return { owner, name, jobs: rows.length };
    });
    return withRunning(this.#nodes.all(this.#time().monotonic()), held);
  }

  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** What may start by now waits for a slot, and for nothing else. */
  #ripen(): void {
    const now = this.#time().now();
    for (const row of this.#waiting) if ((row.notBefore ?? 0) <= now) this.#rest(row);
  }

  /** Puts a job at rest where claim, due and nextDueAt find it. */
  #rest(row: Row): void {
    const now = this.#time().now();
    this.#unrest(row);
    const group = this.#groupOf(row);
    if (row.notBefore !== null && row.notBefore > now) {
      this.#waiting.add(row);
      if (row.inOrder && row.state === 'retrying') group?.pausing.add(row);
    } else {
      (group?.behind ?? this.#ready).add(row);
      if (group !== null) this.#refill(group);
    }
    if (dueAtRest(row) !== null) this.#expiring.add(row);
  }

  #unrest(row: Row): void {
    this.#waiting.delete(row);
    this.#expiring.delete(row);
    this.#ready.delete(row);
    const group = this.#groupOf(row);
    group?.heads.delete(row);
    group?.pausing.delete(row);
    group?.behind.delete(row);
  }

  /** Null: its key limits it not. */
  #groupOf({ name, concurrencyKey }: Row): Group | null {
    if (concurrencyKey === null) return null;
    const key = `${name}\n${concurrencyKey}`;
    const group = this.#groups.get(key) ?? {
      key,
      live: 0,
      heads: new Set(),
      pausing: new Set(),
      behind: new RankedQueue(),
    };
    this.#groups.set(key, group);
    return group;
  }

  /**
   * As many of a key wait for a slot as may be alive: the first of them, each by its own limit. Those after one that must wait
   * wait behind, so that none is passed for ever by those of a higher limit.
   */
  #refill(group: Group): void {
    const waited = new Set(group.heads);
    for (;;) {
      const next = group.behind.first();
      if (next === undefined) break;
      const later = [...group.heads].filter((head) => isBefore(next, head));
      for (const head of later) {
        group.heads.delete(head);
        this.#ready.delete(head);
        group.behind.add(head);
      }
      if (group.live + group.pausing.size + group.heads.size >= next.keyLimit) break;
      group.behind.delete(next);
      group.heads.add(next);
      this.#ready.add(next);
      if (!waited.has(next)) this.#changed(next);
    }
    if (group.live + group.heads.size + group.pausing.size === 0 && group.behind.isEmpty)
      this.#groups.delete(group.key);
  }

  async nextStartAt(limits: Readonly<Record<string, NameLimits>>): Promise<number | null> {
    let next = Infinity;
    for (const [name, { concurrency, rate }] of Object.entries(limits)) {
      if (rate === null || this.#roomFor(name, { concurrency, rate }) > 0) continue;
      const waits = this.#ready.inOrder().some((row) => row.name === name);
      const [first] = this.#starts.get(name) ?? [];
      if (waits && first !== undefined) next = Math.min(next, first + rate.ms);
    }
    return next === Infinity ? null : next;
  }

  #roomFor(name: string, limits: NameLimits | undefined): number {
    if (limits === undefined) return Infinity;
    const { concurrency, rate } = limits;
    const alive = concurrency === Infinity ? 0 : [...this.#live].filter((row) => row.name === name).length;
    if (rate === null) return concurrency - alive;
    const now = this.#time().now();
    // Where the clock was set back, what began later began now.
    const starts = (this.#starts.get(name) ?? [])
      .map((at) => Math.min(at, now))
      .filter((at) => at > now - rate.ms);
    this.#starts.set(name, starts);
    return Math.min(concurrency - alive, rate.starts - starts.length);
  }

  #nextPlace(): number {
    this.#lastPlace += 1;
    return this.#lastPlace;
  }

  #row(id: string): Row {
    const row = this.#jobs.get(id);
    if (row === undefined) throw new EngineError(`job ${id}: not in this engine`);
    return row;
  }

  #current(id: string, token: string | null, write: string): Row {
    const row = this.#row(id);
    if (row.token !== token) throw new StaleAttemptError(id, write);
    return row;
  }

  #changed(row: Row): void {
    for (const watcher of this.#watchers) watcher.changed(row.id, row.state);
  }

  #time(): Clock {
    if (this.#clock === null) throw new EngineError('the memory engine is not open: call open() first');
    return this.#clock;
  }
}

function isDue(row: StoredJob, now: number): boolean {
  return (dueAtRest(row) ?? Infinity) <= now;
}

function snapshot({
  leaseUntil: _lease,
  restedAt: _rested,
  key: _key,
  rank: _rank,
  lane: _lane,
  rows: _rows,
  ...row
}: Row): StoredJob {
  return { ...row, history: [...row.history] };
}
