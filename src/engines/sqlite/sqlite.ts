// Jobs in a SQLite file: for one machine, by any number of processes. What was acknowledged survives `kill -9` of
// all of them and, with durability `full`, the loss of power. The database lives in a thread of its own
// (databaseThread.ts); here its calls are gathered, and its answers given to those who wait.

import { extname, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { FinalState, JobState, TimeoutKind } from '../../machines/states.ts';
import type { StopIntent, Verdict } from '../../machines/verdict.ts';
import type { Clock } from '../clock.ts';
import {
  type Beat,
  type BeatReply,
  type CheckpointWrite,
  type Engine,
  EngineError,
  type JobQuery,
  type NameLimits,
  type NewJob,
  type NodeFacts,
  type OpenJobs,
  type ScheduleQuery,
  StaleAttemptError,
  type StoredJob,
  type StoredNode,
  type StoredSchedule,
  type Timeouts,
  type Watcher,
} from '../engine.ts';
import { freshJob } from '../jobFacts.ts';
import { settingsFrom } from '../jobText.ts';
import { withRunning } from '../nodeFacts.ts';
import { bootId } from '../processTable.ts';
import { scheduleFrom } from './controlStore.ts';
import type { OpenOrder } from './databaseThread.ts';
import { newHolder } from './holder.ts';
import { type QueuePlace, queueFirst } from './jobQueries.ts';
import { fromRow, type JobRow } from './jobRow.ts';
import type { Answer, Call, Committed, StoreCalls, StoreMethod } from './transactions.ts';

const thread = new URL(`./databaseThread${extname(import.meta.url)}`, import.meta.url);
const answersATurn = 32;
/** After which a lock that is missing is missing for good: see JobStore.lapsed. */
const lookAgainMs = 250;

type Args<M extends StoreMethod> = StoreCalls[M] extends (at: never, ...args: infer A) => unknown ? A : never;

export interface SqliteOptions {
  /** The file; made if it is not there. Its folder must exist. */
  path: string;
  /**
   * `full`: each acknowledged write survives the loss of power. `normal`: it survives the end of every process; the
   * loss of power may take back the last moments, and leaves the file whole. Default `full`.
   */
  durability?: 'full' | 'normal';
}

/** What is used of a worker thread. */
export interface DatabaseThread {
  postMessage(message: unknown): void;
  on(event: 'message', heard: (committed: Committed) => void): unknown;
  once(event: 'message' | 'exit', heard: () => void): unknown;
  once(event: 'error', heard: (error: Error) => void): unknown;
  ref(): void;
  unref(): void;
}

/** Where the database lives. A test may have it on simulated time. */
export interface DatabasePlace {
  start(order: OpenOrder): DatabaseThread;
  wait(ms: number): Promise<unknown>;
}

const worker: DatabasePlace = {
  start: (order) =>
    new Worker(thread, {
      workerData: order,
      // node:sqlite prints one on Node 22.
      execArgv: ['--disable-warning=ExperimentalWarning'],
    }),
  wait: (ms) => pause(ms),
};

export class SqliteEngine implements Engine {
  readonly name = 'sqlite';
  readonly spansMachines: boolean = false;
  readonly #order: OpenOrder;
  #clock: Clock | null = null;
  readonly #place: DatabasePlace;
  #worker: DatabaseThread | null = null;
  #opening: Promise<void> | null = null;
  /** Transactions so far: with durability `full` each is one fsync. */
  commits = 0;
  #isOpen = false;
  #gathered: Call[] = [];
  #received: Committed[] = [];
  #calls = 0;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #watchers = new Set<Watcher>();

  constructor({ path, durability = 'full' }: SqliteOptions, place: DatabasePlace = worker) {
    this.#place = place;
    this.#order = { path: resolve(path), durability, boot: bootId(), holder: newHolder() };
  }

  async open(clock: Clock): Promise<void> {
    this.#clock = clock;
    await this.#reach();
  }

  /** The thread at work: started, and started again where it has ended without being told to. */
  #reach(): Promise<void> {
    this.#opening ??= this.#start();
    return this.#opening;
  }

  async #start(): Promise<void> {
    const worker = this.#place.start(this.#order);
    this.#worker = worker;
    const opened = Promise.withResolvers<void>();
    let reason = new EngineError(`${this.#order.path}: the thread of its engine has ended`);
    worker.once('error', (error) => {
      reason = new EngineError(error.message, { cause: error });
    });
    worker.once('exit', () => {
      opened.reject(reason);
      if (this.#worker !== worker) return;
      const wasOpen = this.#isOpen;
      this.#isOpen = false;
      this.#opening = null;
      this.#lost(reason);
      // At once: with it went the lock that tells other processes that this one lives.
      if (wasOpen && this.#clock !== null) this.#reach().catch(() => {});
    });
    worker.once('message', () => {
      worker.on('message', (committed: Committed) => this.#receive(committed));
      opened.resolve();
    });
    await opened.promise;
    this.#isOpen = true;
    worker.unref();
  }

  async close(): Promise<void> {
    this.#clock = null;
    const worker = this.#worker;
    if (worker === null) return;
    this.#flush();
    this.#worker = null;
    this.#opening = null;
    const gone = new Promise<void>((resolve) => worker.once('exit', resolve));
    worker.ref();
    worker.postMessage('close');
    await gone;
    while (this.#received.length > 0) this.#deal();
    this.#lost(new EngineError('the engine is closed'));
  }

  submit(jobs: readonly NewJob[]): Promise<StoredJob[]> {
    return this.#call('submit', jobs).then((answers) => submitted(jobs, answers));
  }

  nextStartAt(limits: Readonly<Record<string, NameLimits>>): Promise<number | null> {
    return this.#call('nextStartAt', limits);
  }

  claim(claim: Args<'claim'>[0]): Promise<StoredJob[]> {
    return this.#call('claim', claim).then((rows) => rows.map(fromRow));
  }

  beat(beats: readonly Beat[], leaseMs: number): Promise<BeatReply[]> {
    return this.#call('beat', beats, leaseMs).then((replies) =>
      replies.map(({ settings, ...reply }) => ({
        ...reply,
        settings: settings === null ? null : settingsFrom(settings),
      })),
    );
  }

  checkpoint(write: CheckpointWrite): Promise<void> {
    return this.#call('checkpoint', write);
  }

  recordIntent(id: string, token: string | null, intent: StopIntent): Promise<void> {
    return this.#call('recordIntent', id, token, intent);
  }

  settle(
    id: string,
    token: string | null,
    verdict: Verdict,
    followUps?: readonly NewJob[],
  ): Promise<StoredJob> {
    return this.#call('settle', id, token, verdict, followUps).then(fromRow);
  }

  setTimeouts(id: string, timeouts: Partial<Timeouts>): Promise<StoredJob> {
    return this.#call('setTimeouts', id, timeouts).then(fromRow);
  }

  promote(id: string): Promise<void> {
    return this.#call('promote', id);
  }

  get(id: string): Promise<StoredJob | null> {
    return this.#call('get', id).then((row) => (row === null ? null : fromRow(row)));
  }

  async *list({ limit = Infinity, ...query }: JobQuery): AsyncIterable<StoredJob> {
    let last: JobRow | null = null;
    for (let left = limit; left > 0; ) {
      const rows: JobRow[] = await this.#call(
        'listPage',
        { ...query, limit: left },
        last && { submittedAt: last.submittedAt, seq: last.seq },
      );
      if (rows.length === 0) return;
      yield* rows.map(fromRow);
      left -= rows.length;
      last = rows.at(-1) ?? null;
    }
  }

  async *queue(): AsyncIterable<string> {
    for (let from: QueuePlace | null = queueFirst; from !== null; ) {
      const { ids, next }: { ids: string[]; next: QueuePlace | null } = await this.#call('queuePage', from);
      yield* ids;
      from = next;
    }
  }

  count(states: readonly JobState[], name?: string): Promise<number> {
    return this.#call('count', states, name);
  }

  countEnded(state: FinalState, since: number, timeout?: TimeoutKind): Promise<number> {
    return this.#call('countEnded', state, since, timeout);
  }

  oldestWaiting(): Promise<number | null> {
    return this.#call('oldestWaiting');
  }

  openJobs(): Promise<OpenJobs[]> {
    return this.#call('openJobs');
  }

  async *rows(id: string): AsyncIterable<string> {
    for (let after = 0; ; ) {
      const { rows, last } = await this.#call('rowsPage', id, after);
      if (rows.length === 0) return;
      yield* rows;
      after = last;
    }
  }

  prune(states: readonly FinalState[], endedBefore: number): Promise<boolean> {
    return this.#call('prune', states, endedBefore);
  }

  due(): Promise<StoredJob[]> {
    return this.#call('due').then((rows) => rows.map(fromRow));
  }

  nextDueAt(): Promise<number | null> {
    return this.#call('nextDueAt');
  }

  async lapsed(): Promise<StoredJob[]> {
    const { jobs, isSure } = await this.#call('lapsed');
    if (isSure) return jobs.map(fromRow);
    await this.#place.wait(lookAgainMs);
    return (await this.#call('lapsed')).jobs.map(fromRow);
  }

  adopt(id: string, token: string, owner: string, leaseMs: number): Promise<string> {
    return this.#call('adopt', id, token, owner, leaseMs);
  }

  schedules(query: ScheduleQuery): Promise<StoredSchedule[]> {
    return this.#call('schedules', query).then((rows) => rows.map(scheduleFrom));
  }

  storeSchedule(
    schedule: StoredSchedule,
    instead: string | null,
    jobs: readonly NewJob[],
  ): Promise<StoredJob[] | null> {
    return this.#call('storeSchedule', schedule, instead, jobs).then(
      (answers) => answers && submitted(jobs, answers),
    );
  }

  removeSchedule(key: string): Promise<boolean> {
    return this.#call('removeSchedule', key);
  }

  setPaused(name: string, isPaused: boolean): Promise<void> {
    return this.#call('setPaused', name, isPaused);
  }

  pausedNames(): Promise<string[]> {
    return this.#call('pausedNames');
  }

  nodeSeen(node: NodeFacts, goneAfterMs: number, keptMs: number): Promise<void> {
    return this.#call('nodeSeen', node, goneAfterMs, keptMs);
  }

  removeNode(id: string): Promise<void> {
    return this.#call('removeNode', id);
  }

  nodes(): Promise<StoredNode[]> {
    return this.#call('nodes').then(({ seen, held }) => withRunning(seen, held));
  }

  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  #call<M extends StoreMethod>(method: M, ...args: Args<M>): Promise<ReturnType<StoreCalls[M]>> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    if (this.#clock === null) {
      reject(new EngineError(`${this.#order.path} is not open`));
      return promise as Promise<ReturnType<StoreCalls[M]>>;
    }
    if (this.#worker === null) {
      return this.#reach().then(() => {
        // Nobody has heard meanwhile what other processes did.
        for (const watcher of this.#watchers) watcher.missed();
        return this.#call(method, ...args);
      });
    }
    this.#calls += 1;
    this.#waiting.set(this.#calls, { promise, resolve, reject });
    this.#gathered.push({
      call: this.#calls,
      method,
      args,
      now: this.#clock.now(),
      monotonic: this.#clock.monotonic(),
    });
    // One message for all calls of this turn of the event loop.
    if (this.#gathered.length === 1) setImmediate(() => this.#flush());
    return promise as Promise<ReturnType<StoreCalls[M]>>;
  }

  #flush(): void {
    const calls = this.#gathered;
    if (calls.length === 0) return;
    this.#gathered = [];
    this.#worker?.ref();
    try {
      this.#worker?.postMessage(calls);
    } catch (error) {
      // What cannot be sent: those of this turn are told, the engine goes on.
      for (const { call } of calls) {
        this.#waiting.get(call)?.reject(new EngineError((error as Error).message, { cause: error }));
        this.#waiting.delete(call);
      }
    }
  }

  #receive(committed: Committed): void {
    if (committed.answers.length > 0) this.commits += 1;
    this.#received.push(committed);
    if (this.#received.length === 1) setImmediate(() => this.#deal());
  }

  /** A slice at a time: the host's loop turns between them, however much has come. */
  #deal(): void {
    const [committed] = this.#received;
    if (committed === undefined) return;
    const { isWhole, changes, answers } = committed;
    if (changes.length > 0 || !isWhole) {
      for (const watcher of this.#watchers) {
        if (!isWhole) watcher.missed();
        for (const change of changes) {
          if (change === 'controls') watcher.controlsChanged?.();
          else watcher.changed(...change);
        }
      }
      Object.assign(committed, { isWhole: true, changes: [] });
    }
    this.#answer(answers.splice(0, answersATurn));
    if (answers.length === 0) this.#received.shift();
    if (this.#received.length > 0) setImmediate(() => this.#deal());
  }

  #answer(answers: readonly Answer[]): void {
    for (const answer of answers) {
      const waiting = this.#waiting.get(answer.call);
      this.#waiting.delete(answer.call);
      if ('error' in answer) waiting?.reject(errorOf(answer.error));
      else waiting?.resolve(answer.value);
    }
    // Only work that is under way keeps the app's process alive.
    if (this.#waiting.size === 0) this.#worker?.unref();
  }

  #lost(error: EngineError): void {
    this.#worker = null;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    this.#gathered = [];
  }
}

function submitted(jobs: readonly NewJob[], answers: readonly (JobRow | number)[]): StoredJob[] {
  return answers.map((known, index) =>
    typeof known === 'number' ? freshJob(jobs[index] as NewJob, known) : fromRow(known),
  );
}

function errorOf(error: Extract<Answer, { error: unknown }>['error']): Error {
  return error.kind === 'stale'
    ? new StaleAttemptError(error.jobId, error.write, error.intent)
    : new EngineError(error.message);
}
