// Jobs in this process's memory: for tests and throw-away work, and the reference for the contract. Nothing
// survives the process.

import { type FinalState, isAtRest, isFinal, type JobState, type TimeoutKind } from '../machines/states.ts';
import type { StopIntent, Verdict } from '../machines/verdict.ts';
import type { Clock } from './clock.ts';
import {
  type Beat,
  type BeatReply,
  type CheckpointWrite,
  type Engine,
  EngineError,
  type JobQuery,
  type NewJob,
  StaleAttemptError,
  type StoredJob,
  type Transition,
  type Watcher,
} from './engine.ts';
import { dueAtRest, freshJob, mustEnd, resultOf, settledEntry, stoppingEntry, undoes } from './jobFacts.ts';

type Row = { -readonly [K in keyof StoredJob]: StoredJob[K] } & {
  history: Transition[];
  /** Monotonic ms; what a live attempt's lease counts on. */
  leaseUntil: number;
  /** Name and idempotency key, or null. */
  key: string | null;
  /** Among the jobs of its priority; a job that is handed back keeps it. */
  place: number;
  rows: string[];
};

export class MemoryEngine implements Engine {
  readonly name = 'memory';
  #clock: Clock | null = null;
  #jobs = new Map<string, Row>();
  #idempotency = new Map<string, string>();
  /** Jobs that may start now, by priority; each set in the order of their places, but for those in `#unsorted`. */
  #ready = new Map<number, Set<Row>>();
  #unsorted = new Set<number>();
  /** Jobs at rest that may not start yet. */
  #waiting = new Set<Row>();
  /** Jobs at rest that time out at a wall time. */
  #expiring = new Set<Row>();
  #live = new Set<Row>();
  #attempts = 0;
  #lastPlace = 0;
  #watchers = new Set<Watcher>();

  async open(clock: Clock): Promise<void> {
    this.#clock = clock;
  }

  async close(): Promise<void> {}

  async submit(jobs: readonly NewJob[]): Promise<StoredJob[]> {
    return jobs.map(({ idempotencyKey, ...job }) => {
      const key = idempotencyKey === null ? null : `${job.name}\n${idempotencyKey}`;
      const known = key === null ? undefined : this.#idempotency.get(key);
      if (known !== undefined) return snapshot(this.#row(known));
      const fresh = freshJob({ ...job, idempotencyKey }, this.#time().now());
      const row: Row = {
        ...fresh,
        key,
        history: [...fresh.history],
        leaseUntil: 0,
        place: this.#nextPlace(),
        rows: [],
      };
      this.#jobs.set(row.id, row);
      if (key !== null) this.#idempotency.set(key, row.id);
      this.#rest(row);
      this.#changed(row);
      return snapshot(row);
    });
  }

  async claim(claim: {
    owner: string;
    limit: number;
    ahead: number;
    names: readonly string[];
    leaseMs: number;
  }): Promise<StoredJob[]> {
    const now = this.#time().now();
    this.#ripen();
    const claimed: StoredJob[] = [];
    for (const row of this.#inOrder()) {
      if (claimed.length === claim.limit + claim.ahead) break;
      const claimedAhead = claimed.length >= claim.limit;
      if (claimedAhead && row.claimedAhead) continue;
      if (!claim.names.includes(row.name) || isDue(row, now)) continue;
      this.#unrest(row);
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
      if (row === undefined || row.token !== token) return { id, token, held: false, intent: null };
      row.leaseUntil = this.#time().monotonic() + leaseMs;
      if (heartbeatAt !== null) row.lastHeartbeatAt = heartbeatAt;
      if (total !== null) row.total = total;
      if (group !== null) row.group = group;
      if (heartbeatAt !== null || total !== null) this.#changed(row);
      return { id, token, held: true, intent: row.intent };
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

  async settle(id: string, token: string | null, verdict: Verdict): Promise<StoredJob> {
    const row = this.#current(id, token, 'settlement');
    if (token === null && !isAtRest(row.state)) throw new StaleAttemptError(id, 'settlement');
    if (undoes(verdict, row.intent)) throw new StaleAttemptError(id, 'settlement', row.intent);
    const now = this.#time().now();
    const { state, timeout, reason, failure, stop, notBefore } = verdict;
    row.history.push(settledEntry(verdict, row.attempt, now));
    this.#live.delete(row);
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
      else row.place = this.#nextPlace();
      row.notBefore = notBefore;
      this.#rest(row);
    }
    this.#changed(row);
    return snapshot(row);
  }

  async promote(id: string): Promise<void> {
    const row = this.#row(id);
    if (!isAtRest(row.state)) return;
    this.#unrest(row);
    row.priority = Infinity;
    row.place = this.#nextPlace();
    this.#rest(row);
    this.#changed(row);
  }

  async get(id: string): Promise<StoredJob | null> {
    const row = this.#jobs.get(id);
    return row === undefined ? null : snapshot(row);
  }

  async *list({ states, name, from, before, after, limit = Infinity }: JobQuery): AsyncIterable<StoredJob> {
    let found = 0;
    const newestFirst = [...this.#jobs.values()].reverse();
    const first = after === undefined ? 0 : newestFirst.indexOf(this.#row(after)) + 1;
    for (const row of newestFirst.slice(first)) {
      if (found >= limit) return;
      if (states !== undefined && !states.includes(row.state)) continue;
      if (name !== undefined && row.name !== name) continue;
      if (row.submittedAt < (from ?? -Infinity) || row.submittedAt >= (before ?? Infinity)) continue;
      found += 1;
      yield snapshot(row);
    }
  }

  async *queue(): AsyncIterable<string> {
    for (const row of [...this.#inOrder(), ...this.#waiting]) yield row.id;
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
    for (const peers of this.#ready.values())
      for (const { state, submittedAt } of peers)
        if (state === 'queued') oldest = Math.min(oldest, submittedAt);
    return oldest === Infinity ? null : oldest;
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
    if (row.notBefore !== null && row.notBefore > now) this.#waiting.add(row);
    else {
      if (row.place !== this.#lastPlace) this.#unsorted.add(row.priority);
      this.#ready.set(row.priority, (this.#ready.get(row.priority) ?? new Set()).add(row));
    }
    if (dueAtRest(row) !== null) this.#expiring.add(row);
  }

  #unrest(row: Row): void {
    this.#waiting.delete(row);
    this.#expiring.delete(row);
    const peers = this.#ready.get(row.priority);
    if (peers?.delete(row) === true && peers.size === 0) this.#ready.delete(row.priority);
  }

  *#inOrder(): Iterable<Row> {
    for (const priority of this.#unsorted) {
      const peers = [...(this.#ready.get(priority) ?? [])].sort((a, b) => a.place - b.place);
      if (peers.length > 0) this.#ready.set(priority, new Set(peers));
    }
    this.#unsorted.clear();
    for (const priority of [...this.#ready.keys()].sort((a, b) => b - a))
      yield* this.#ready.get(priority) ?? [];
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

function snapshot({ leaseUntil: _lease, key: _key, place: _place, rows: _rows, ...row }: Row): StoredJob {
  return { ...row, history: [...row.history] };
}
