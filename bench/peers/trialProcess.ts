// A process of a trial: in a group of its own, since it may block for good, and spoken to by one message and one
// answer at a time.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/** Resolves when it is ready, rejects after 20 s. */
export async function start(script: string, values: readonly string[]): Promise<ChildProcess> {
  const path = new URL(script, import.meta.url);
  const child = fork(path, values, { detached: true, stdio: ['ignore', 2, 2, 'ipc'] });
  try {
    await answer(child, 20_000);
    return child;
  } catch (error) {
    killGroup(child);
    throw error;
  }
}

/** Its next message. */
export async function answer(child: ChildProcess, withinMs: number): Promise<unknown> {
  const gone = new AbortController();
  const exited = () => gone.abort(new Error(`${child.spawnargs[1]} ended by itself`));
  child.once('exit', exited);
  try {
    const signal = AbortSignal.any([gone.signal, AbortSignal.timeout(withinMs)]);
    const [message] = await once(child, 'message', { signal });
    return message;
  } finally {
    child.off('exit', exited);
  }
}

export function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}
