// A job as a row of the table, and back.

import type { JobState, TimeoutKind } from '../../machines/states.ts';
import type { StoredJob, Transition } from '../engine.ts';
import { fromText, settingsFrom } from '../jobText.ts';

export interface JobRow {
  seq: number;
  id: string;
  name: string;
  state: JobState;
  input: string;
  settings: string;
  priority: number;
  not_before: number | null;
  idempotency_key: string | null;
  concurrency_key: string | null;
  key_limit: number;
  in_order: boolean;
  retry_of: string | null;
  trace: string | null;
  attempt: number;
  token: string | null;
  owner: string | null;
  process_group: string | null;
  submitted_at: number;
  started_at: number | null;
  ended_at: number | null;
  queue_due_at: number | null;
  deadline_at: number | null;
  last_heartbeat_at: number | null;
  last_progress_at: number | null;
  checkpoint: string | null;
  chunks: number;
  crashes: number;
  claimed_ahead: boolean;
  items: number;
  total: number | null;
  intent: string | null;
  timeout: TimeoutKind | null;
  reason: string | null;
  failure: string | null;
  result: string | null;
  stop: string | null;
  history: string;
  stage: number | null;
}

export function fromRow(row: JobRow): StoredJob {
  return {
    id: row.id,
    name: row.name,
    input: row.input,
    settings: settingsFrom(row.settings),
    priority: row.priority,
    notBefore: row.not_before,
    idempotencyKey: row.idempotency_key,
    concurrencyKey: row.concurrency_key,
    keyLimit: row.key_limit,
    inOrder: row.in_order,
    retryOf: row.retry_of,
    trace: row.trace,
    state: row.state,
    attempt: row.attempt,
    token: row.token,
    owner: row.owner,
    group: fromText(row.process_group),
    submittedAt: row.submitted_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    queueDueAt: row.queue_due_at,
    deadlineAt: row.deadline_at,
    lastHeartbeatAt: row.last_heartbeat_at,
    lastProgressAt: row.last_progress_at,
    checkpoint: row.checkpoint,
    chunks: row.chunks,
    crashes: row.crashes,
    claimedAhead: row.claimed_ahead,
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

/** PostgreSQL's text holds every character but this one. */
export function storable<T extends string | null>(text: T): T {
  return (text === null ? null : text.replaceAll('\0', '\ufffd')) as T;
}

/** An entry of the history whose attempt is the row's own: what stands before it, and behind it. */
export function entryAround({ state, at, attempt: _, ...rest }: Transition): { head: string; tail: string } {
  const tail = JSON.stringify(rest);
  return {
    head: `{"state":${JSON.stringify(state)},"at":${at},"attempt":`,
    tail: tail === '{}' ? '}' : `,${tail.slice(1)}`,
  };
}
