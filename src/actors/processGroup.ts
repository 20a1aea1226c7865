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
 * True once no process of the group runs; zombies do not run. Ask only after its leader was reaped: a process
 * that carries the group's number as its own is then a stranger. Throws where it cannot look.
 */
export function isGroupGone(group: number): boolean {
  if (process.platform !== 'linux') return !answersSignal(group);
  for (const entry of readdirSync('/proc')) {
    if (entry.charCodeAt(0) > 57) continue;
    const member = readStat(entry);
    if (member === null || member.group !== group || member.state === 'Z' || member.state === 'X') continue;
    if (Number(entry) !== group) return false;
  }
  return true;
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
    // Not seen is not gone: without a look there is no proof.
    throw error;
  }
}
