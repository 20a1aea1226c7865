// How the file is opened: what is committed survives what its durability says, and whoever waits for the file gets it in turn.

import { DatabaseSync } from 'node:sqlite';
import { isBusy } from './databaseErrors.ts';
import { migrate, refuseForeign } from './schema.ts';

const openWaitMs = 5000;
const pause = new Int32Array(new SharedArrayBuffer(4));

/** In steps of 1 ms: SQLite's own waiting backs off to 100 ms, and starved those that write less. */
export function whenFree(database: DatabaseSync, sql: string, atMostMs: number): void {
  const until = performance.now() + atMostMs;
  for (;;) {
    try {
      database.exec(sql);
      return;
    } catch (error) {
      if (!isBusy(error) || performance.now() > until) throw error;
      Atomics.wait(pause, 0, 0, 1);
    }
  }
}

/** Makes the file where it is not there. `full`: each commit is on the disk when it returns. */
export function openDatabase(path: string, durability: 'full' | 'normal'): DatabaseSync {
  const opened = new DatabaseSync(path, { timeout: openWaitMs });
  refuseForeign(opened, path);
  // Of two that make the file at the same time one is refused at once: SQLite does not let it wait for this.
  whenFree(opened, 'PRAGMA journal_mode = WAL', openWaitMs);
  opened.exec(`PRAGMA synchronous = ${durability === 'full' ? 'FULL' : 'NORMAL'}`);
  migrate(opened, path);
  opened.exec('PRAGMA busy_timeout = 0');
  return opened;
}
