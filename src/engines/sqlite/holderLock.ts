// Who is alive on this machine, told by the kernel: each process that holds jobs keeps a lock on a file of its own
// beside the database, and the kernel lets go of it when the process ends, however it ends. A thread of it holds the lock: that
// of one that has ended, in a process that lives, is none either, and then the process table is asked.

import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { isHolder, isHolderRunning } from './holder.ts';

const lockPath = (path: string, holder: string) => `${path}-holder-${holder}`;

/** Holds until `release`, or until this process ends. */
export function holdLock(path: string, holder: string): { release(): void } {
  const file = lockPath(path, holder);
  // It has its name only once it is locked: by that name others may ask for it, and remove it.
  const lock = new DatabaseSync(`${file}.new`);
  lock.exec('PRAGMA journal_mode = MEMORY');
  lock.exec('BEGIN EXCLUSIVE');
  renameSync(`${file}.new`, file);
  return {
    release() {
      lock.close();
      rmSync(file, { force: true });
    },
  };
}

/** False once its process has ended; its file is then removed. */
export function isHolderAlive(path: string, holder: string): boolean {
  const file = lockPath(path, holder);
  if (!existsSync(file)) return false;
  let lock: DatabaseSync | null = null;
  try {
    lock = new DatabaseSync(file, { timeout: 0 });
    lock.exec('PRAGMA journal_mode = MEMORY');
    lock.exec('BEGIN EXCLUSIVE');
  } catch {
    // Locked; or it cannot be asked, and may live: then the lease will tell.
    return true;
  } finally {
    lock?.close();
  }
  // Its lease will tell.
  if (isHolderRunning(holder)) return true;
  rmSync(file, { force: true });
  return false;
}

/** Removes the locks of processes that have ended without a word. */
export function removeDeadLocks(path: string): void {
  const prefix = basename(lockPath(path, ''));
  for (const entry of readdirSync(dirname(path))) {
    const holder = entry.slice(prefix.length);
    if (entry.startsWith(prefix) && isHolder(holder)) isHolderAlive(path, holder);
  }
}
