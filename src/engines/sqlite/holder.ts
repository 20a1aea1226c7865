// The name of one who holds jobs: it says which process that is, so that others on this machine can see whether it runs.

import { randomUUID } from 'node:crypto';
import { readStat, runs } from '../processTable.ts';

/** Of this process. */
export function newHolder(): string {
  const stat = readStat('self');
  return stat === null ? randomUUID() : `${randomUUID()}.${process.pid}.${stat.startedAt}`;
}

export function isHolder(name: string): boolean {
  return /^[\da-f-]{36}(\.\d+\.\d+)?$/.test(name);
}

/** False too where it cannot be seen from here: without `/proc`, or in another container. */
export function isHolderRunning(holder: string): boolean {
  const [, pid, startedAt] = holder.split('.');
  if (pid === undefined) return false;
  try {
    const stat = readStat(pid);
    return stat !== null && stat.startedAt === startedAt && runs(stat);
  } catch {
    return false;
  }
}
