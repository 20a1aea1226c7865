// What the job's chart could be told in a state, and the real runtime never tells it there; with the reason.

import type { Isolation } from '../../src/actors/attempt.ts';
import { isFinal, type JobState } from '../../src/machines/states.ts';
import type { EventName, JobSnapshot } from './jobModel.ts';

/** Null: it can be made to happen. */
export function whyUndriven(name: EventName, snapshot: JobSnapshot, isolation: Isolation): string | null {
  const { value, context } = snapshot;
  const isAtRest = typeof value === 'string';
  const isProcessing = snapshot.matches({ running: 'processing' });
  const isUnconfirmed = snapshot.matches({ stopping: 'unconfirmed' });
  if (name.startsWith('xstate.after.backoff'))
    return 'at rest there is no actor: the row stays retrying until its time has come and it is claimed';
  if (name.endsWith('Timer') || name === 'jobMonitor' || name === 'progressMonitor') {
    if (isAtRest)
      return 'at rest no attempt can be late, and queue and deadline are found by the timer of the rows';
    if (name.endsWith('Monitor') && isolation === 'process') return 'the watchdog of a process comes first';
  }
  if (name.endsWith('Watchdog')) {
    if (isolation !== 'process') return 'only a process has a watchdog';
    if (isAtRest) return 'a watchdog lives in its attempt';
  }
  if (name === 'queueMonitor' && (!isAtRest || context.attempt > 0))
    return 'the queue timeout counts to the first start';
  if (name === 'deadlineMonitor' && isProcessing) return 'its own timer has found it';
  if (name === 'deadlineMonitor' && !isAtRest && !isUnconfirmed)
    return 'the monitor leaves a stop that is under way to its ladder';
  if (context.intent?.kind === 'leaseLost' && (/^(cancel|timeOut)/.test(name) || name === 'deadlineMonitor'))
    return 'whoever has the job now is told, and not an attempt whose lease is lost';
  if (name === 'crashes' && isolation === 'inline') return 'inline code does not end but with its host';
  if (name.startsWith('overruled') && isFinal(context.verdict?.state as JobState))
    return 'the engine overrules no verdict that ends the job';
  return null;
}
