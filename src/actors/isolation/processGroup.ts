// A child's process group: signalling it, and the proof that nothing of it is left. An exit event is no proof:
// in every trial, grandchildren still ran when it came.

import { readdirSync } from 'node:fs';
import type { ProcessGroup } from '../../engines/engine.ts';
import { bootId, readStat, runs } from '../../engines/processTable.ts';

/**
 * Signals every process of the group; nothing where none is left, or where one belongs to another user by now.
 * What could not be ended is found by the proof, and not here.
 */
export function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ESRCH' && code !== 'EPERM') throw error;
  }
}

/**
 * Whether a process of the group runs beside its leader; zombies do not run, unless threads of theirs still do. With the leader reaped `none` is
 * the proof that the group is gone: a process that carries its number as its own is then a stranger.
 * `unknown` where it cannot be seen (out of file descriptors, another user's process table): no proof.
 */
export function othersInGroup(group: number): 'none' | 'some' | 'unknown' {
  if (process.platform !== 'linux') return answersSignal(group) ? 'unknown' : 'none';
  try {
    for (const entry of readdirSync('/proc')) {
      if (entry.charCodeAt(0) > 57 || Number(entry) === group) continue;
      const member = readStat(entry);
      if (member !== null && member.group === group && runs(member)) return 'some';
    }
    return 'none';
  } catch {
    return 'unknown';
  }
}

function answersSignal(group: number): boolean {
  try {
    process.kill(-group, 0);
    return true;
  } catch {
    return false;
  }
}

/** Kills what is left of a group, until a look shows that nothing is. Its leader must be reaped, or not a child of ours. */
export async function untilGroupGone(group: number): Promise<void> {
  for (let waitMs = 2; othersInGroup(group) !== 'none'; waitMs = Math.min(waitMs * 2, 250)) {
    signalGroup(group, 'SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}

/** The group of a child, by which another process can know it; null where there is no `/proc`. */
export function groupOf(pid: number): ProcessGroup | null {
  try {
    const leader = readStat(String(pid));
    return leader === null ? null : { boot: bootId(), pid, startedAt: leader.startedAt };
  } catch {
    return null;
  }
}

/**
 * Ends the group of an attempt whose owner is gone or silent, and proves it. Where its leader is gone nothing is
 * signalled: its watchdog has killed the group with it, and what carries the number now may be a stranger.
 */
export async function endGroup({ boot, pid, startedAt }: ProcessGroup): Promise<void> {
  if (boot !== bootId()) return;
  const isLeaderThere = () => readStat(String(pid))?.startedAt === startedAt;
  if (!isLeaderThere()) return;
  signalGroup(pid, 'SIGKILL');
  for (let waitMs = 2; ; waitMs = Math.min(waitMs * 2, 250)) {
    const leader = readStat(String(pid));
    const isOver = leader === null || leader.startedAt !== startedAt || !runs(leader);
    if (isOver && (leader === null || othersInGroup(pid) === 'none')) return;
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}
