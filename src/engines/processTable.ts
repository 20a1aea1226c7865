// What this machine's kernel says of its processes, by `/proc`: which boot this is, and whether a process is still the one
// that it was. A process id alone would not tell: ids come again, and containers have their own.

import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

export interface ProcessStat {
  readonly state: string;
  readonly group: number;
  readonly threads: number;
  /** As the kernel counts it. */
  readonly startedAt: string;
}

/** Names this boot of the machine: the monotonic clock of another one says nothing. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return hostname();
  }
}

/** A zombie whose main thread has left may have others that run on. */
export function runs({ state, threads }: ProcessStat): boolean {
  return (state !== 'Z' && state !== 'X') || threads > 1;
}

/**
 * `/proc/PID/stat`: after the name, which may hold anything, come state, parent and group; threads are the 20th, the
 * start is the 22nd field (proc(5)). Null where there is no such process, or no `/proc`.
 */
export function readStat(pid: string): ProcessStat | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return {
      state: fields[0]!,
      group: Number(fields[2]),
      threads: Number(fields[17]),
      startedAt: fields[19]!,
    };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    // Not seen is not gone.
    throw error;
  }
}
