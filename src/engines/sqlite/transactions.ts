// Calls in transactions. All that are given together are one transaction, and each is answered when it is durable. Where the
// whole transaction fails (a full disk), all of its calls are told; a call that is refused, or cannot be carried out, fails
// alone. Who gathers the calls is databaseThread.ts.

import type { DatabaseSync } from 'node:sqlite';
import type { StopIntent } from '../../machines/verdict.ts';
import { EngineError, StaleAttemptError } from '../engine.ts';
import { ControlStore } from './controlStore.ts';
import { engineErrorOf, explained, isOfDatabase } from './databaseErrors.ts';
import type { JobQueries } from './jobQueries.ts';
import { type Change, type Here, type Instant, JobStore, type News } from './jobStore.ts';
import { NodeStore } from './nodeStore.ts';
import { whenFree } from './openDatabase.ts';

export interface Call extends Instant {
  call: number;
  method: StoreMethod;
  args: readonly unknown[];
}

/** `cameAt`: to whom gathers them, ms by the clock of `Here`. */
export type WaitingCall = Call & { cameAt: number };

/** Who claims asks the controls first. */
export type StoreCalls = Omit<JobStore, 'newsSince' | 'publish' | 'claim' | 'queries'> &
  JobQueries &
  ControlStore &
  NodeStore;
export type StoreMethod = keyof StoreCalls;

export type Answer =
  | { call: number; value: unknown }
  | {
      call: number;
      error:
        | { kind: 'stale'; jobId: string; write: string; intent: StopIntent | null }
        | { kind: 'engine'; message: string };
    };

/** What a transaction brought, in this order: the changes are told before the answers. */
export interface Committed {
  /** False: others changed more than `changes` tells. */
  isWhole: boolean;
  changes: Change[];
  answers: Answer[];
}

/** A lock that another process holds longer than this is not one that is passed around. */
const lockWaitMs = 30_000;
/** Nobody could write for longer than this: leases that lapsed meanwhile say nothing of their owners, ms. */
const longWaitMs = 1000;
/** So long they have to say that they live, ms. */
const afterWaitMs = 5000;

export class Transactions {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #here: Here;
  readonly #store: JobStore;
  readonly #controls: ControlStore;
  readonly #nodes: NodeStore;
  readonly #version;
  #changes: Change[] = [];
  #seenVersion: number;
  #seenNews: number;
  /** When the last long wait ended. */
  #waitedUntil = -Infinity;

  constructor(database: DatabaseSync, path: string, here: Here) {
    this.#database = database;
    this.#path = path;
    this.#here = here;
    this.#store = new JobStore(database, here, (id, state) => this.#changes.push([id, state]));
    this.#controls = new ControlStore(database, this.#store, () => this.#changes.push('controls'));
    this.#nodes = new NodeStore(database, here);
    this.#version = database.prepare('PRAGMA data_version');
    this.#seenVersion = this.#dataVersion();
    this.#seenNews = explained(path, () => this.#store.newsSince(-1).last);
  }

  /** What other processes have changed since the last look. */
  newsOfOthers(): News {
    const now = this.#dataVersion();
    const news =
      now === this.#seenVersion
        ? { changes: [], last: this.#seenNews, isWhole: true }
        : this.#store.newsSince(this.#seenNews);
    this.#seenVersion = now;
    this.#seenNews = news.last;
    return news;
  }

  /** Another process has written since the last look. */
  isBusyFile(): boolean {
    try {
      return this.#dataVersion() !== this.#seenVersion;
    } catch {
      // The commit tells what is wrong.
      return false;
    }
  }

  commit(waiting: readonly WaitingCall[]): Committed {
    let calls = waiting;
    const database = this.#database;
    const committed: Committed = { isWhole: true, changes: [], answers: [] };
    while (calls.length > 0) {
      this.#changes = [];
      try {
        const began = this.#here.now();
        whenFree(database, 'BEGIN IMMEDIATE', lockWaitMs);
        if (this.#here.now() - began > longWaitMs) this.#waitedUntil = this.#here.now();
        const news = this.newsOfOthers();
        committed.isWhole &&= news.isWhole;
        committed.changes.push(...news.changes);
        const answers = calls.map((call) => this.#answerTo(call));
        const last = this.#changes.length === 0 ? this.#seenNews : this.#store.publish(this.#changes);
        database.exec('COMMIT');
        this.#seenNews = last;
        committed.changes.push(...this.#changes);
        committed.answers.push(...answers);
        break;
      } catch (error) {
        if (database.isTransaction) database.exec('ROLLBACK');
        const { message } = engineErrorOf(this.#path, error instanceof CallFailure ? error.cause : error);
        // The one that cannot be carried out is told, the others are carried out without it; unless it is the
        // database that fails: then it fails all of them.
        const told = calls.filter(({ call }) => !(error instanceof CallFailure) || error.call === call);
        calls = calls.filter((call) => !told.includes(call));
        committed.answers.push(
          ...told.map(({ call }): Answer => ({ call, error: { kind: 'engine', message } })),
        );
      }
    }
    return committed;
  }

  #answerTo({ call, method, args, now, monotonic: asked, cameAt }: WaitingCall): Answer {
    // A lease counts from when it can be stored: what waited for the file longer than a moment is given that time.
    const waited = this.#here.now() - cameAt;
    const monotonic = asked + (waited > longWaitMs ? waited : 0);
    try {
      if (method === 'lapsed') {
        const isAfterWait = this.#here.now() - this.#waitedUntil < afterWaitMs;
        return { call, value: this.#store.lapsed({ now, monotonic }, isAfterWait) };
      }
      const owners = [this.#controls, this.#nodes, this.#store.queries, this.#store];
      const owner = owners.find((each) => method in each) as StoreCalls;
      const act = owner[method] as (at: Instant, ...args: unknown[]) => unknown;
      // An attempt begins when it is claimed, and not when that was asked for.
      const at = { now: method === 'claim' ? now + monotonic - asked : now, monotonic };
      return { call, value: act.call(owner, at, ...args) };
    } catch (error) {
      if (error instanceof StaleAttemptError) {
        const { jobId, write, intent } = error;
        return { call, error: { kind: 'stale', jobId, write, intent } };
      }
      if (error instanceof EngineError) return { call, error: { kind: 'engine', message: error.message } };
      if (isOfDatabase(error)) throw error;
      throw new CallFailure(call, error);
    }
  }

  #dataVersion(): number {
    return (this.#version.get() as { data_version: number }).data_version;
  }
}

/** A call that cannot be carried out, and why. */
class CallFailure extends Error {
  readonly call: number;
  constructor(call: number, cause: unknown) {
    super('a call failed', { cause });
    this.call = call;
  }
}
