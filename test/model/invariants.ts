// The promise of the product (docs/guarantees.md), as far as it shows in what is stored, in what the processors tell and in
// which attempts are alive: checked after each step of a walk, whatever the step was. Each check says what it found.

import type { Isolation } from '../../src/actors/attempt.ts';
import {
  type Engine,
  StaleAttemptError,
  type StoredJob,
  type Timeouts,
  type Transition,
} from '../../src/engines/engine.ts';
import { isAtRest, isFinal } from '../../src/machines/states.ts';
import type { StopIntent } from '../../src/machines/verdict.ts';
import { verdict } from '../engines/contract.ts';
import { allSteps, top } from '../machines/explore.ts';

/** An attempt of which something may still run. */
export interface LiveAttempt {
  readonly jobId: string;
  readonly attempt: number;
  readonly token: string;
  readonly isolation: Isolation;
}

export interface Alive {
  /** Slots of the processor in which they run. */
  readonly limit: number;
  readonly attempts: readonly LiveAttempt[];
}

/** Steps between two states that the chart can take. */
const chartSteps = new Set(
  [{}, { isKillable: false }, { maxAttempts: 1 }].flatMap((given) =>
    allSteps(given).map(({ from, to }) => `${top(from)} → ${top(to)}`),
  ),
);

export class Invariants {
  readonly #store: Engine;
  readonly #now: () => number;
  /** As they were when they were seen last. */
  readonly #seen = new Map<string, StoredJob>();
  /** Tokens that were a job's own, and are no more. */
  readonly #stale = new Map<string, Set<string>>();
  /** How often each was put to the test. */
  readonly checks = new Map<string, number>();

  constructor(store: Engine, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  /** `alive`: of each processor, and of those that were killed what still runs. `name`: only the jobs that have it. */
  async check(alive: readonly Alive[], name?: string): Promise<void> {
    this.#limits(alive);
    const attempts = alive.flatMap((host) => host.attempts);
    this.#oneAtATime(attempts);
    for await (const job of this.#store.list(name === undefined ? {} : { name })) {
      const before = this.#seen.get(job.id);
      this.#seen.set(job.id, job);
      this.#finalStays(before, job);
      this.#isPathOfChart(before, job);
      const entries = job.history.slice(before?.history.length ?? 0);
      for (const entry of entries) {
        this.#neverEarly(entry, before, job);
        this.#stopIsTrue(entry, job, attempts);
      }
      this.#restIsRest(job, attempts);
      this.#noteStale(before, job);
      if (before?.chunks !== job.chunks || isFinal(job.state)) await this.#chunksOnce(job);
      await this.#staleIsRefused(job);
    }
  }

  /** A job's history, as it was when it was checked last. */
  checkedBefore(id: string): readonly Transition[] {
    return this.#seen.get(id)?.history ?? [];
  }

  #limits(alive: readonly Alive[]): void {
    for (const { limit, attempts } of alive)
      this.#must('limits hold', attempts.length <= limit, () => `${attempts.length} alive in ${limit} slots`);
  }

  #oneAtATime(attempts: readonly LiveAttempt[]): void {
    const processes = attempts.filter(({ isolation }) => isolation === 'process').map(({ jobId }) => jobId);
    this.#must(
      'one at a time',
      new Set(processes).size === processes.length,
      () => `two attempts of one job are alive: ${processes.join(', ')}`,
    );
  }

  #finalStays(before: StoredJob | undefined, job: StoredJob): void {
    if (before === undefined || !isFinal(before.state)) return;
    this.#must(
      'a final state never changes',
      JSON.stringify(before) === JSON.stringify(job),
      () => `${JSON.stringify(before)} became ${JSON.stringify(job)}`,
    );
  }

  #isPathOfChart(before: StoredJob | undefined, { id, state, history, attempt }: StoredJob): void {
    const last = history.at(-1);
    this.#must('history ends where the job is', last?.state === state, () => `${id} ${state} ${last?.state}`);
    const kept = before?.history ?? [];
    this.#must(
      'history is never rewritten',
      JSON.stringify(history.slice(0, kept.length)) === JSON.stringify(kept),
      () => `${id}: ${JSON.stringify(kept)} became ${JSON.stringify(history)}`,
    );
    for (const [index, to] of history.entries()) {
      const from = history[index - 1];
      if (from === undefined) continue;
      const step = `${from.state} → ${to.state}`;
      this.#must(
        'history is a path of the chart',
        chartSteps.has(step) || isUnseen(from, to),
        () => `${id} (attempt ${attempt}): ${step} is no step of it: ${JSON.stringify(history)}`,
      );
      this.#must(
        'history goes forward',
        to.attempt >= from.attempt || isAtRest(from.state),
        () => `${id} ${step}`,
      );
    }
  }

  /** What is stored of signs is at most late. */
  #neverEarly(entry: Transition, before: StoredJob | undefined, job: StoredJob): void {
    const { timeout, at, state } = entry;
    if (timeout === undefined || (state !== 'stopping' && state !== 'timedOut')) return;
    const last = before ?? job;
    if (state === 'timedOut' && !isAtRest(last.state)) return;
    if (byHand(job.intent) || entry.reason === 'timed out by hand') return;
    const { submittedAt, lastHeartbeatAt, lastProgressAt } = last;
    const began = job.history.findLast((each) => each.state === 'running' && each.attempt === entry.attempt);
    // They may have been changed since it was seen last.
    const seconds = (name: keyof Timeouts) => Math.min(last.settings[name], job.settings[name]);
    const [from, after] = {
      job: [began?.at, seconds('jobTimeoutSeconds')],
      heartbeat: [lastHeartbeatAt, seconds('heartbeatTimeoutSeconds')],
      progress: [lastProgressAt, seconds('progressTimeoutSeconds')],
      queue: [submittedAt, seconds('queueTimeoutSeconds')],
      deadline: [submittedAt, seconds('deadlineSeconds')],
    }[timeout] as [number, number];
    const dueAt = from + after * 1000;
    // Settings are fractions of seconds: their ms are whole but for the arithmetic.
    this.#must('never early', at >= dueAt - 0.001, () => `${job.id}: ${timeout} at ${at}, due at ${dueAt}`);
  }

  #stopIsTrue(entry: Transition, job: StoredJob, alive: readonly LiveAttempt[]): void {
    const { stop, attempt, state } = entry;
    // Handed back, an attempt's number comes again: what is alive is the next one.
    if (stop === undefined || job.history.indexOf(entry) < job.history.length - 1) return;
    const isAlive = alive.some(({ jobId, attempt: n }) => jobId === job.id && n === attempt);
    this.#must(
      'the record of a stop is true',
      stop.confirmed !== isAlive,
      () =>
        `${job.id} attempt ${attempt} ${state}: ${JSON.stringify(stop)}, and it is ${isAlive ? '' : 'not '}alive`,
    );
  }

  /** No attempt of a job that waits for its next one is alive. Those of a final one only where that is said. */
  #restIsRest({ id, state, stop }: StoredJob, alive: readonly LiveAttempt[]): void {
    const isAlive = alive.some(({ jobId }) => jobId === id);
    if (isAtRest(state)) this.#must('dead before next', !isAlive, () => `${id} is ${state}, and alive`);
    if (isFinal(state) && isAlive)
      this.#must('what is not dead is said', stop?.confirmed === false, () => `${id} is ${state}, and alive`);
  }

  async #chunksOnce({ id, chunks, items }: StoredJob): Promise<void> {
    const rows: unknown[] = [];
    for await (const row of this.#store.rows(id)) rows.push(JSON.parse(row).n);
    this.#must(
      'what was acknowledged is there once',
      rows.length === chunks && items === chunks && rows.every((n, index) => n === index),
      () => `${id}: ${chunks} chunks, ${items} items, rows ${rows.join(', ')}`,
    );
  }

  #noteStale(before: StoredJob | undefined, job: StoredJob): void {
    if (before === undefined || before.token === null || before.token === job.token) return;
    this.#stale.set(job.id, (this.#stale.get(job.id) ?? new Set()).add(before.token));
  }

  /** Every token that was the job's own and is no more: each write with it. Then it is believed. */
  async #staleIsRefused(job: StoredJob): Promise<void> {
    const tokens = this.#stale.get(job.id) ?? new Set();
    this.#stale.delete(job.id);
    const { id } = job;
    for (const token of tokens) {
      const write = { id, token, chunk: job.chunks + 1, checkpoint: '9', rows: [], items: 1, total: null };
      await this.#refused(() => this.#store.checkpoint(write));
      await this.#refused(() => this.#store.settle(id, token, verdict('completed')));
      await this.#refused(() => this.#store.recordIntent(id, token, { kind: 'cancel', reason: null }));
      const [reply] = await this.#store.beat([{ id, token, heartbeatAt: this.#now(), total: 9 }], 1);
      this.#must('stale writes are refused', reply?.held === false, () => `${id}: a beat was taken`);
      const after = await this.#store.get(id);
      this.#must(
        'stale writes are refused',
        JSON.stringify(after) === JSON.stringify(job),
        () => `${id}: ${JSON.stringify(job)} became ${JSON.stringify(after)}`,
      );
    }
  }

  async #refused(write: () => Promise<unknown>): Promise<void> {
    const refusal = await write().then(
      () => null,
      (error) => error,
    );
    this.#must('stale writes are refused', refusal instanceof StaleAttemptError, () => `${refusal}`);
  }

  #must(what: string, holds: boolean, found: () => string): void {
    this.checks.set(what, (this.checks.get(what) ?? 0) + 1);
    if (!holds) throw new Error(`invariant broken: ${what}: ${found()}`);
  }
}

function byHand(intent: StopIntent | null): boolean {
  return intent?.kind === 'timeout' && intent.by === 'hand';
}

/**
 * What is not stored of the chart's way: that it was stopping, where the engine did not answer just then; and what the chart did
 * not see, for its host was gone or its code had not begun.
 */
function isUnseen(from: Transition, to: Transition): boolean {
  if (from.state === 'running' && chartSteps.has(`stopping → ${to.state}`)) return true;
  if (from.state !== 'running' && from.state !== 'stopping') return false;
  return to.state === 'queued' || (to.state === 'failed' && to.reason?.includes('maxCrashes') === true);
}
