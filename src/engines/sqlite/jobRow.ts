// A job as a row of the table, and back. JSON has no Infinity, which is what `off` is in settings: it is stored
// as null, and no setting is null otherwise.

import type { JobState, TimeoutKind } from '../../machines/states.ts';
import type { FrozenSettings, StoredJob } from '../engine.ts';

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

/** Jobs have the settings of others, and each beat brings them: parsed once, for they are frozen. */
const knownSettings = new Map<string, FrozenSettings>();
const mostKnown = 100;

export function settingsFrom(text: string): FrozenSettings {
  let settings = knownSettings.get(text);
  if (settings === undefined) {
    settings = JSON.parse(text, (_, value) => {
      if (value === null) return Infinity;
      return typeof value === 'object' ? Object.freeze(value) : value;
    }) as FrozenSettings;
    if (knownSettings.size === mostKnown) knownSettings.clear();
    knownSettings.set(text, settings);
  }
  return settings;
}

export function toText(value: object | null): string | null {
  return value === null ? null : JSON.stringify(value);
}

function fromText<T>(text: string | null): T | null {
  return text === null ? null : JSON.parse(text);
}
