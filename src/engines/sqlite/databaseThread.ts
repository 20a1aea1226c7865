// The thread that owns the database: an fsync blocks it, and not the host's event loop. All calls that have come
// while a transaction was under way are one transaction: each is answered when it is durable. Where the whole
// transaction fails (a full disk), all of its calls are told; a call that is refused, or cannot be carried out, fails alone.

import { realpathSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import type { StopIntent } from '../../machines/verdict.ts';
import { EngineError, StaleAttemptError } from '../engine.ts';
import { ControlStore } from './controlStore.ts';
import { engineErrorOf, isOfDatabase } from './databaseErrors.ts';
import { holdLock, isHolderAlive, removeDeadLocks } from './holderLock.ts';
import type { JobQueries } from './jobQueries.ts';
import { type Change, type Instant, JobStore, type News } from './jobStore.ts';
import { openDatabase, whenFree } from './openDatabase.ts';

export interface OpenOrder {
  path: string;
  durability: 'full' | 'normal';
  boot: string;
  /** Names the lock of this process. */
  holder: string;
}

export interface Call extends Instant {
  call: number;
  method: StoreMethod;
  args: readonly unknown[];
}

/** Who claims asks the controls first. */
export type StoreCalls = Omit<JobStore, 'newsSince' | 'publish' | 'claim' | 'queries'> &
  JobQueries &
  ControlStore;
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

const { path, durability, boot, holder } = workerData as OpenOrder;
const port = parentPort as NonNullable<typeof parentPort>;
let changes: Change[] = [];

const database = explained(() => openDatabase(path, durability));
// The file itself, by whichever name it was opened: the locks lie beside it.
const place = realpathSync(path);
const lock = explained(() => holdLock(place, holder));
const here = { boot, holder, isAlive: (other: string) => isHolderAlive(place, other) };
const store = new JobStore(database, here, (id, state) => changes.push([id, state]));
const controls = new ControlStore(database, store, () => changes.push('controls'));
const version = database.prepare('PRAGMA data_version');
removeDeadLocks(place);
let seenVersion = dataVersion();
let seenNews = explained(() => store.newsSince(-1).last);
port.postMessage('open');

/** How soon what another process did is seen here. */
const newsIntervalMs = 100;
setInterval(() => {
  try {
    if (dataVersion() === seenVersion) return;
    const { changes, isWhole } = newsOfOthers();
    if (changes.length > 0 || !isWhole)
      port.postMessage({ isWhole, changes, answers: [] } satisfies Committed);
  } catch {
    // The next look, or the next call, tells what is wrong.
  }
}, newsIntervalMs).unref();

function newsOfOthers(): News {
  const now = dataVersion();
  const news =
    now === seenVersion ? { changes: [], last: seenNews, isWhole: true } : store.newsSince(seenNews);
  seenVersion = now;
  seenNews = news.last;
  return news;
}

/** Nobody could write for longer than this: leases that lapsed meanwhile say nothing of their owners, ms. */
const longWaitMs = 1000;
/** When such a wait ended. */
let waitedUntil = -Infinity;
/** So long they have to say that they live, ms. */
const afterWaitMs = 5000;

/** In the order in which they came, and when. */
let waiting: (Call & { cameAt: number })[] = [];
let isDue = false;
port.on('message', (calls: Call[] | 'close') => {
  if (calls === 'close') {
    if (waiting.length > 0) commit();
    database.close();
    lock.release();
    port.close();
    return;
  }
  const cameAt = performance.now();
  waiting.push(...calls.map((call) => ({ ...call, cameAt })));
  if (isDue) return;
  isDue = true;
  // All messages that are there by now are read first. Where another process writes too, it gets its turn.
  if (isBusyFile()) setTimeout(commit, 2);
  else setImmediate(commit);
});

/** An error of SQLite in words that name the file. */
function explained<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw engineErrorOf(path, error);
  }
}

function isBusyFile(): boolean {
  try {
    return dataVersion() !== seenVersion;
  } catch {
    // The commit tells what is wrong.
    return false;
  }
}

function dataVersion(): number {
  return (version.get() as { data_version: number }).data_version;
}

function commit(): void {
  isDue = false;
  let calls = waiting;
  waiting = [];
  const committed: Committed = { isWhole: true, changes: [], answers: [] };
  while (calls.length > 0) {
    changes = [];
    try {
      const began = performance.now();
      whenFree(database, 'BEGIN IMMEDIATE', lockWaitMs);
      if (performance.now() - began > longWaitMs) waitedUntil = performance.now();
      const news = newsOfOthers();
      committed.isWhole &&= news.isWhole;
      committed.changes.push(...news.changes);
      const answers = calls.map(answerTo);
      const last = changes.length === 0 ? seenNews : store.publish(changes);
      database.exec('COMMIT');
      seenNews = last;
      committed.changes.push(...changes);
      committed.answers.push(...answers);
      break;
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      const { message } = engineErrorOf(path, error instanceof CallFailure ? error.cause : error);
      // The one that cannot be carried out is told, the others are carried out without it; unless it is the
      // database that fails: then it fails all of them.
      const told = calls.filter(({ call }) => !(error instanceof CallFailure) || error.call === call);
      calls = calls.filter((call) => !told.includes(call));
      committed.answers.push(
        ...told.map(({ call }): Answer => ({ call, error: { kind: 'engine', message } })),
      );
    }
  }
  port.postMessage(committed);
}

/** A call that cannot be carried out, and why. */
class CallFailure extends Error {
  readonly call: number;
  constructor(call: number, cause: unknown) {
    super('a call failed', { cause });
    this.call = call;
  }
}

function answerTo({ call, method, args, now, monotonic: asked, cameAt }: Call & { cameAt: number }): Answer {
  // A lease counts from when it can be stored: what waited for the file longer than a moment is given that time.
  const waited = performance.now() - cameAt;
  const monotonic = asked + (waited > longWaitMs ? waited : 0);
  try {
    if (method === 'lapsed') {
      const isAfterWait = performance.now() - waitedUntil < afterWaitMs;
      return { call, value: store.lapsed({ now, monotonic }, isAfterWait) };
    }
    const owner = [controls, store.queries, store].find((each) => method in each) as StoreCalls;
    const act = owner[method] as (at: Instant, ...args: unknown[]) => unknown;
    // An attempt begins when it is claimed, and not when that was asked for.
    const at = { now: method === 'claim' ? now + monotonic - asked : now, monotonic };
    return { call, value: act.call(owner, at, ...args) };
  } catch (error) {
    if (error instanceof StaleAttemptError) {
      return { call, error: { kind: 'stale', jobId: error.jobId, write: error.write, intent: error.intent } };
    }
    if (error instanceof EngineError) return { call, error: { kind: 'engine', message: error.message } };
    if (isOfDatabase(error)) throw error;
    throw new CallFailure(call, error);
  }
}
