// An attempt in a process of its own, which is killed for real. The wait is on the wall clock: a kill is no event.

import { fork } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ReconciliationInput, ReconciliationSummary } from '../../src/reconciliation/index.ts';
import type { ReconciliationCheckpoint } from '../../src/reconciliation/job.ts';

export interface Ended {
  checkpoint: ReconciliationCheckpoint | null;
  summary: ReconciliationSummary | null;
  error: string | null;
}

/** Runs an attempt from `checkpoint`; kill -9 `delay` ms after its n-th checkpoint (0: after its start). */
export async function attempt(
  input: ReconciliationInput,
  checkpoint: ReconciliationCheckpoint | null,
  kill?: { after: number; delay: number },
): Promise<Ended> {
  const child = fork(
    join(import.meta.dirname, 'attempt.ts'),
    [JSON.stringify(input), JSON.stringify(checkpoint)],
    {
      execArgv: [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    },
  );
  const ended: Ended = { checkpoint, summary: null, error: null };
  let seen = 0;
  const killLater = async () => {
    await sleep(kill!.delay);
    child.kill('SIGKILL');
  };
  child.on('message', (message: Partial<Ended>) => {
    ended.summary = message.summary ?? null;
    ended.error = message.error ?? null;
    if (!message.checkpoint) return;
    ended.checkpoint = message.checkpoint;
    // Those before are steps of the staging.
    if (message.checkpoint.done > 0) seen += 1;
    if (seen === kill?.after) void killLater();
  });
  if (kill?.after === 0) void killLater();
  await new Promise((resolve) => child.once('exit', resolve));
  return ended;
}
