// A job as a row of the table, and back.

import type { JobState, TimeoutKind } from '../../machines/states.ts';
import type { StoredJob } from '../engine.ts';
import { fromText, settingsFrom } from '../jobText.ts';

type Same =
  | 'id'
  | 'name'
  | 'input'
  | 'priority'
  | 'notBefore'
  | 'idempotencyKey'
  | 'concurrencyKey'
  | 'keyLimit'
  | 'retryOf'
  | 'trace'
  | 'attempt'
  | 'token'
  | 'owner'
  | 'submittedAt'
  | 'startedAt'
  | 'endedAt'
  | 'queueDueAt'
  | 'deadlineAt'
  | 'lastHeartbeatAt'
  | 'lastProgressAt'
  | 'checkpoint'
  | 'chunks'
  | 'crashes'
  | 'items'
  | 'total'
  | 'reason'
  | 'result';

export interface JobRow extends Pick<StoredJob, Same> {
  seq: number;
  restedAt: number;
  state: JobState;
  inOrder: number;
  claimedAhead: number;
  timeout: TimeoutKind | null;
  settings: string;
  intent: string | null;
  failure: string | null;
  stop: string | null;
  history: string;
  rank: number | null;
  stage: number | null;
  dueAt: number | null;
  leaseUntil: number | null;
  boot: string | null;
  holder: string | null;
  processGroup: string | null;
}

export function fromRow(row: JobRow): StoredJob {
  return {
    id: row.id,
    name: row.name,
    input: row.input,
    settings: settingsFrom(row.settings),
    priority: row.priority,
    notBefore: row.notBefore,
    idempotencyKey: row.idempotencyKey,
    concurrencyKey: row.concurrencyKey,
    keyLimit: row.keyLimit,
    inOrder: row.inOrder === 1,
    retryOf: row.retryOf,
    trace: row.trace,
    state: row.state,
    attempt: row.attempt,
    token: row.token,
    owner: row.owner,
    group: fromText(row.processGroup),
    submittedAt: row.submittedAt,
    startedAt: row.startedAt,
    endedAt: row.endedAt,
    queueDueAt: row.queueDueAt,
    deadlineAt: row.deadlineAt,
    lastHeartbeatAt: row.lastHeartbeatAt,
    lastProgressAt: row.lastProgressAt,
    checkpoint: row.checkpoint,
    chunks: row.chunks,
    crashes: row.crashes,
    claimedAhead: row.claimedAhead === 1,
    items: row.items,
    total: row.total,
    intent: fromText(row.intent),
    timeout: row.timeout,
    reason: row.reason,
    failure: fromText(row.failure),
    result: row.result,
    stop: fromText(row.stop),
    history: JSON.parse(`[${row.history}]`),
  };
}
