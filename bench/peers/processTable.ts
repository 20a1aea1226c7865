// What the process table says of the processes of a trial (Linux).

import { readFileSync } from 'node:fs';

/** The fields of /proc/PID/stat after the name, which may hold anything: state, parent, … (proc(5)). */
function stat(pid: number): string[] | null {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return line.slice(line.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}

/** A zombie does not run. */
export function isRunning(pid: number): boolean {
  return !'ZX'.includes(stat(pid)?.[0] ?? 'X');
}

/** In user and kernel mode, of all threads; 0 for a process that is gone. */
export function cpuSeconds(pid: number): number {
  const fields = stat(pid);
  // In clock ticks, of which Linux shows 100 a second.
  return fields === null ? 0 : (Number(fields[11]) + Number(fields[12])) / 100;
}

export function childrenOf(pid: number): number[] {
  try {
    const line = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
    return line === '' ? [] : line.split(' ').map(Number);
  } catch {
    return [];
  }
}
