// The thread that owns the database: an fsync blocks it, and not the host's event loop. All calls that have come
// while a transaction was under way are the next one (transactions.ts).

import { realpathSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { explained } from './databaseErrors.ts';
import { holdLock, isHolderAlive, removeDeadLocks } from './holderLock.ts';
import { openDatabase } from './openDatabase.ts';
import { type Call, type Committed, Transactions, type WaitingCall } from './transactions.ts';

export interface OpenOrder {
  path: string;
  durability: 'full' | 'normal';
  boot: string;
  /** Names the lock of this process. */
  holder: string;
}

const { path, durability, boot, holder } = workerData as OpenOrder;
const port = parentPort as NonNullable<typeof parentPort>;

const database = explained(path, () => openDatabase(path, durability));
// The file itself, by whichever name it was opened: the locks lie beside it.
const place = realpathSync(path);
const lock = explained(path, () => holdLock(place, holder));
removeDeadLocks(place);
const transactions = new Transactions(database, path, {
  boot,
  holder,
  isAlive: (other) => isHolderAlive(place, other),
  now: () => performance.now(),
});
port.postMessage('open');

/** How soon what another process did is seen here. */
const newsIntervalMs = 100;
setInterval(() => {
  try {
    const { changes, isWhole } = transactions.newsOfOthers();
    if (changes.length > 0 || !isWhole)
      port.postMessage({ isWhole, changes, answers: [] } satisfies Committed);
  } catch {
    // The next look, or the next call, tells what is wrong.
  }
}, newsIntervalMs).unref();

/** In the order in which they came. */
let waiting: WaitingCall[] = [];
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
  if (transactions.isBusyFile()) setTimeout(commit, 2);
  else setImmediate(commit);
});

function commit(): void {
  isDue = false;
  const calls = waiting;
  waiting = [];
  port.postMessage(transactions.commit(calls));
}
