// However this process leaves, by itself, by an error or at once, no process it started stays behind. The runtime
// ends its children when it is given the time; this is for the ways out that give none.

import type { ChildProcess } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';

export function leaveNoChildBehind(): void {
  const children = new Set<ChildProcess>();
  subscribe('child_process', (message) => {
    const child = (message as { process: ChildProcess }).process;
    children.add(child);
    child.once('exit', () => children.delete(child));
  });
  process.on('exit', () => {
    for (const { pid } of children) if (pid !== undefined) killGroup(pid);
  });
}

/** Attempts lead a group of their own, so this takes their children too. */
function killGroup(pid: number): void {
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}
