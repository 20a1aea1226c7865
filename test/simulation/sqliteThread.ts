// The thread of an SQLite engine, on simulated time: it gathers calls while it waits for the file, holds the file's lock as long as
// its commit takes, and carries all of them out in one transaction, by the same code as the real one (transactions.ts). When
// its process crashes before the commit is over nothing of it is there.

import { EventEmitter } from 'node:events';
import type { DatabaseSync } from 'node:sqlite';
import { StaleAttemptError } from '../../src/engines/engine.ts';
import type { OpenOrder } from '../../src/engines/sqlite/databaseThread.ts';
import { openDatabase } from '../../src/engines/sqlite/openDatabase.ts';
import type { DatabaseThread } from '../../src/engines/sqlite/sqlite.ts';
import {
  type Answer,
  type Call,
  type Committed,
  Transactions,
  type WaitingCall,
} from '../../src/engines/sqlite/transactions.ts';
import type { Life } from './life.ts';
import type { Network } from './network.ts';
import { Random } from './random.ts';
import type { StoreWitness } from './store.ts';
import type { Timeline } from './timeline.ts';

/** See whenFree of a commit. */
const lockWaitMs = 30_000;
/** See databaseThread.ts. */
const newsIntervalMs = 100;
const mostPages = 2 ** 30;

/** Of the file: one writes at a time, the others wait in turn. */
export class FileLock {
  readonly #timeline: Timeline;
  #isHeld = false;
  #waiting: ((isHeld: boolean) => void)[] = [];

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
  }

  /** False: another has held it for too long. */
  take(taken: (isHeld: boolean) => void): void {
    if (!this.#isHeld) {
      this.#isHeld = true;
      taken(true);
      return;
    }
    this.#waiting.push(taken);
    this.#timeline.in(lockWaitMs, () => {
      if (!this.#waiting.includes(taken)) return;
      this.#waiting = this.#waiting.filter((each) => each !== taken);
      taken(false);
    });
  }

  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#isHeld = false;
    else this.#timeline.in(0, () => next(true));
  }
}

export interface SqliteThreadOptions {
  readonly seed: number;
  readonly order: OpenOrder;
  readonly timeline: Timeline;
  readonly network: Network;
  readonly witness: StoreWitness;
  readonly life: Life;
  readonly threads: Life;
  readonly lock: FileLock;
  /** Of its process. */
  readonly isFirst: boolean;
  isAlive(holder: string): boolean;
  committed(by: SqliteThread): void;
  ended(thread: SqliteThread): void;
}

export class SqliteThread extends EventEmitter implements DatabaseThread {
  readonly #options: SqliteThreadOptions;
  readonly #database: DatabaseSync;
  readonly #transactions: Transactions;
  readonly #random: Random;
  #waiting: WaitingCall[] = [];
  #isDue = false;
  #isLookDue = false;
  #isOver = false;
  #isOpen = false;
  #isFull = false;

  constructor(options: SqliteThreadOptions) {
    super();
    this.#options = options;
    const { seed, order, timeline, isAlive } = options;
    this.#random = new Random(seed, `thread ${timeline.now}`);
    this.#database = openDatabase(order.path, order.durability);
    this.#transactions = new Transactions(this.#database, order.path, {
      ...{ boot: order.boot, holder: order.holder, isAlive },
      now: () => timeline.now,
    });
    const opened = () => {
      this.#isOpen = true;
      this.emit('message', 'open');
    };
    // A host is started within a step; a thread that comes back takes its time.
    if (options.isFirst) queueMicrotask(opened);
    else timeline.in(this.#random.long(5, 300), () => options.life.receive(opened));
  }

  ref(): void {}

  unref(): void {}

  postMessage(message: unknown): void {
    const sent = structuredClone(message) as Call[] | 'close';
    this.#options.timeline.in(this.#random.long(0.02, 0.5), () =>
      this.#options.threads.receive(() => this.#hear(sent)),
    );
  }

  /** It ends as by an error nobody caught. */
  crash(): void {
    if (this.#isOver) return;
    this.release();
    this.#say(() => {
      this.emit('error', new Error('the thread has ended'));
      this.emit('exit');
    });
  }

  release(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#database.close();
    this.#options.ended(this);
  }

  /** Another process has written. */
  newsSoon(): void {
    if (this.#isLookDue || !this.#isOpen) return;
    this.#isLookDue = true;
    this.#options.timeline.in(this.#random.between(0, newsIntervalMs), () =>
      this.#options.threads.receive(() => {
        this.#isLookDue = false;
        if (this.#isOver) return;
        const { changes, isWhole } = this.#transactions.newsOfOthers();
        if (changes.length > 0 || !isWhole) this.#tell({ changes, isWhole, answers: [] });
      }),
    );
  }

  #hear(calls: Call[] | 'close'): void {
    if (this.#isOver) return;
    const { timeline, lock } = this.#options;
    if (calls === 'close') {
      if (this.#waiting.length > 0) this.#carryOut();
      this.release();
      this.#say(() => this.emit('exit'));
      return;
    }
    this.#waiting.push(...calls.map((call) => ({ ...call, cameAt: timeline.now })));
    if (this.#isDue) return;
    this.#isDue = true;
    lock.take((isHeld) => (isHeld ? this.#commit() : this.#refuse()));
  }

  /** The lock is held. */
  #commit(): void {
    const { timeline, network, threads, lock } = this.#options;
    timeline.in(network.commitMs ?? this.#random.long(0.1, 5), () => {
      // Frozen, it holds the lock; dead, it has let go of it.
      if (threads.isDead || this.#isOver) lock.release();
      else
        threads.receive(() => {
          if (!this.#isOver) this.#carryOut();
          lock.release();
        });
      if (threads.isPaused) this.#releaseWhenDead();
    });
  }

  #releaseWhenDead(): void {
    const { timeline, threads, lock } = this.#options;
    if (threads.isDead) lock.release();
    else if (threads.isPaused) timeline.in(100, () => this.#releaseWhenDead());
  }

  #carryOut(): void {
    this.#isDue = false;
    const calls = this.#waiting;
    this.#waiting = [];
    this.#fill();
    const committed = this.#transactions.commit(calls);
    this.#witness(calls, committed);
    this.#options.committed(this);
    this.#tell(committed);
  }

  /** A disk that is full is one that has no page left. */
  #fill(): void {
    const { isDiskFull } = this.#options.network;
    if (isDiskFull === this.#isFull) return;
    this.#isFull = isDiskFull;
    const { pages } = this.#database.prepare('SELECT page_count AS pages FROM pragma_page_count').get() as {
      pages: number;
    };
    this.#database.exec(`PRAGMA max_page_count = ${isDiskFull ? pages : mostPages}`);
  }

  #refuse(): void {
    this.#isDue = false;
    const calls = this.#waiting;
    this.#waiting = [];
    const message = `${this.#options.order.path} is locked by another process for too long.`;
    const answers = calls.map(({ call }): Answer => ({ call, error: { kind: 'engine', message } }));
    if (!this.#options.threads.isDead) this.#tell({ isWhole: true, changes: [], answers });
  }

  #witness(calls: readonly WaitingCall[], { changes, answers }: Committed): void {
    const { witness } = this.#options;
    const byCall = new Map(answers.map((answer) => [answer.call, answer]));
    for (const { call, method, args } of calls) {
      const answer = byCall.get(call);
      if (answer === undefined) continue;
      if ('value' in answer) witness.answered(method, args, { value: answer.value });
      else if (answer.error.kind === 'stale') {
        const { jobId, write, intent } = answer.error;
        witness.answered(method, args, { error: new StaleAttemptError(jobId, write, intent) });
      } else witness.answered(method, args, { error: new Error(answer.error.message) });
    }
    for (const change of changes) if (change !== 'controls') witness.changed(change[0]);
  }

  #tell(committed: Committed): void {
    this.#say(() => this.emit('message', structuredClone(committed)));
  }

  /** Messages come in order. */
  #say(said: () => void): void {
    this.#options.timeline.in(0.05, () => this.#options.life.receive(said));
  }
}
