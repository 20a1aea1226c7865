// A child's process group: signalling it, and the proof that nothing of it is left. An exit event is no proof:
// in every trial, grandchildren still ran when it came.

import { readdirSync, readFileSync } from 'node:fs';

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
 * Whether a process of the group runs beside its leader; zombies do not run. With the leader reaped `none` is
 * the proof that the group is gone: a process that carries its number as its own is then a stranger.
 * `unknown` where it cannot be seen (out of file descriptors, another user's process table): no proof.
 */
export function othersInGroup(group: number): 'none' | 'some' | 'unknown' {
  if (process.platform !== 'linux') return answersSignal(group) ? 'unknown' : 'none';
  try {
    for (const entry of readdirSync('/proc')) {
      if (entry.charCodeAt(0) > 57 || Number(entry) === group) continue;
      const member = readStat(entry);
      if (member !== null && member.group === group && member.state !== 'Z' && member.state !== 'X')
        return 'some';
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

/** `/proc/PID/stat`: after the name, which may hold anything, come state, parent and group (proc(5)). */
function readStat(pid: string): { state: string; group: number } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [state = '', , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ', 3);
    return { state, group: Number(group) };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    // Not seen is not gone.
    throw error;
  }
}
