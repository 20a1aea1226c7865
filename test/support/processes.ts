// The process table, as the kernel tells it.

import { readFileSync } from 'node:fs';

/** True while a process runs; a zombie does not. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !'ZX'.includes(stat.slice(stat.lastIndexOf(')') + 2)[0] ?? 'X');
  } catch {
    return false;
  }
}

/** The living children of a process, of this one by default. */
export function children(of = process.pid): number[] {
  const pids = readChildren(of);
  return pids === '' ? [] : pids.split(' ').map(Number).filter(isAlive);
}

function readChildren(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  } catch {
    return '';
  }
}

/** The living children of a process, theirs, and so on. */
export function descendants(of: number): number[] {
  return children(of).flatMap((pid) => [pid, ...descendants(pid)]);
}
