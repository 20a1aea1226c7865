// The SQLite engine with its real SQL, on a real file: each host has an engine and a connection of its own, as processes of one machine
// have. Only the thread is simulated (sqliteThread.ts), for it lives on simulated time.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import type { StoredJob } from '../../src/engines/engine.ts';
import { fromRow, type JobRow } from '../../src/engines/sqlite/jobRow.ts';
import { openDatabase } from '../../src/engines/sqlite/openDatabase.ts';
import { SqliteEngine } from '../../src/engines/sqlite/sqlite.ts';
import type { Life } from './life.ts';
import type { Network } from './network.ts';
import { FileLock, SqliteThread } from './sqliteThread.ts';
import { carryOut, type News, type Server, type Store, type StoreWitness } from './store.ts';
import type { Timeline } from './timeline.ts';

export interface SqliteStoreOptions {
  readonly seed: number;
  readonly timeline: Timeline;
  readonly network: Network;
  readonly witness: StoreWitness;
}

export class SqliteStore implements Store {
  readonly #options: SqliteStoreOptions;
  readonly #folder = mkdtempSync(join(tmpdir(), 'unstuck-simulation-'));
  readonly #path = join(this.#folder, 'jobs.db');
  readonly #reader: DatabaseSync;
  readonly #lock: FileLock;
  /** By holder: the life of its process. */
  readonly #holders = new Map<string, Life>();
  readonly #threads = new Set<SqliteThread>();

  constructor(options: SqliteStoreOptions) {
    this.#options = options;
    this.#lock = new FileLock(options.timeline);
    this.#reader = openDatabase(this.#path, 'normal');
  }

  async get(id: string): Promise<StoredJob | null> {
    const row = this.#reader.prepare('SELECT * FROM jobs WHERE id = ?').get(id);
    return row === undefined ? null : fromRow(row as unknown as JobRow);
  }

  *rows(id: string): Iterable<string> {
    const rows = this.#reader
      .prepare('SELECT row FROM output WHERE job = (SELECT seq FROM jobs WHERE id = ?) ORDER BY n')
      .all(id);
    for (const { row } of rows) yield row as string;
  }

  serverFor(life: Life, threads: Life): Server {
    const { timeline, network, witness, seed } = this.#options;
    let thread: SqliteThread | null = null;
    const engine = new SqliteEngine(
      { path: this.#path, durability: 'normal' },
      {
        start: (order) => {
          this.#holders.set(order.holder, life);
          thread = new SqliteThread({
            ...{ seed, order, timeline, network, witness, life, threads, lock: this.#lock },
            isFirst: thread === null,
            isAlive: (holder) => this.#holders.get(holder)?.isDead === false,
            committed: (by) => {
              for (const other of this.#threads) if (other !== by) other.newsSoon();
            },
            ended: (ended) => this.#threads.delete(ended),
          });
          this.#threads.add(thread);
          return thread;
        },
        wait: (ms) => new Promise<void>((resolve) => life.clock.setTimeout(resolve, ms)),
      },
    );
    return {
      open: () => engine.open(life.clock),
      close: () => engine.close(),
      call: (method, args, answer) => {
        life.receive(() => {
          carryOut(engine, method, args).then(
            (value) => answer(() => Promise.resolve(value)),
            (error) => answer(() => Promise.reject(error)),
          );
        });
      },
      watch: (read: (news: News[]) => void) =>
        engine.watch({
          changed: (id, state) => read([[id, state]]),
          controlsChanged: () => read(['controls']),
          missed: () => read(['missed']),
        }),
      endThread: () => thread?.crash(),
    };
  }

  close(): void {
    for (const thread of [...this.#threads]) thread.release();
    this.#reader.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
