// Runs the reconciliation's fold as an attempt would: chunks, process, a durable checkpoint, result. In this
// process; attempt.ts runs the same in a child that tests can kill.

import { pino } from 'pino';
import {
  type ReconciliationInput,
  type ReconciliationSummary,
  reconciliation,
} from '../../src/reconciliation/index.ts';
import type { ReconciliationCheckpoint } from '../../src/reconciliation/job.ts';

export interface Attempt {
  checkpoint?: ReconciliationCheckpoint | null;
  signal?: AbortSignal;
  /** Called with each checkpoint; false abandons the attempt there, as a stop between chunks does. */
  onCheckpoint?: (checkpoint: ReconciliationCheckpoint) => unknown;
}

export async function reconcile(
  input: ReconciliationInput,
  attempt: Attempt = {},
): Promise<ReconciliationSummary> {
  const outcome = reconciliation.input!['~standard'].validate(input);
  if (outcome instanceof Promise || outcome.issues !== undefined) throw new Error(JSON.stringify(outcome));
  const checked = outcome.value;
  const start = attempt.checkpoint ?? null;
  const context = {
    jobId: 'job',
    attempt: 1,
    token: 'token',
    signal: attempt.signal ?? new AbortController().signal,
    log: pino({ level: 'silent' }),
    heartbeat: () => undefined,
    input: checked,
    chunkSize: 1000,
    append: () => undefined,
  };
  const total = await reconciliation.total!(checked);
  let checkpoint = start;
  let items = (start?.done ?? 0) + (start?.staged ?? 0);
  for await (const chunk of reconciliation.chunks(checked, { ...context, checkpoint })) {
    checkpoint = await reconciliation.process(chunk, { ...context, checkpoint });
    items += chunk.length;
    if (checkpoint !== null && attempt.onCheckpoint?.(checkpoint) === false) throw new Abandoned();
  }
  if (checkpoint === null) throw new Error('no chunk was run');
  const isEarly = checked.stopAfter !== null && items < total;
  if (!isEarly && (items !== total || checkpoint.done !== checkpoint.buckets)) {
    throw new Error(`progress does not add up: ${items} items, ${checkpoint.done} done, ${total} in all`);
  }
  return reconciliation.result!(checkpoint, checked, context);
}

export class Abandoned extends Error {}
