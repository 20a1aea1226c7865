// Who holds jobs is told to be gone only when its process is: its lock may be lost before, with the thread that held it.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { newHolder } from '../../src/engines/sqlite/holder.ts';
import { holdLock, isHolderAlive, removeDeadLocks } from '../../src/engines/sqlite/holderLock.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'unstuck-'));
  path = join(folder, 'jobs.db');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** The file of a lock that nobody holds. */
function abandoned(holder: string): string {
  const file = `${path}-holder-${holder}`;
  writeFileSync(file, '');
  return file;
}

test('one whose lock is held is alive, and gone when it lets go', () => {
  const holder = newHolder();
  const lock = holdLock(path, holder);
  expect(isHolderAlive(path, holder)).toBe(true);
  lock.release();
  expect(isHolderAlive(path, holder)).toBe(false);
});

test('one whose lock was lost is alive as long as its process runs: its lease tells the rest', () => {
  const holder = newHolder();
  const file = abandoned(holder);
  removeDeadLocks(path);
  expect(isHolderAlive(path, holder)).toBe(true);
  expect(existsSync(file)).toBe(true);
});

test.each([
  ['has ended', (holder: string) => holder.replace(/\.\d+\.(\d+)$/, `.${2 ** 22 + 1}.$1`)],
  ['has its number from another', (holder: string) => holder.replace(/\.\d+$/, '.1')],
  ['cannot be known', (holder: string) => holder.slice(0, 36)],
])('one whose lock is lost and whose process %s is gone', (_, other) => {
  const holder = other(newHolder());
  const file = abandoned(holder);
  expect(isHolderAlive(path, holder)).toBe(false);
  expect(existsSync(file)).toBe(false);
});
