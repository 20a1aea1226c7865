// What is written of live attempts, many calls in one statement, each fenced by its own token. No two calls of one statement are
// of the same job (writes.ts sees to that). A call that is refused has changed nothing, and is answered with why.

import { isFinal, type JobState } from '../../machines/states.ts';
import type { StopIntent, Verdict } from '../../machines/verdict.ts';
import {
  type Beat,
  type BeatReply,
  type CheckpointWrite,
  EngineError,
  type NewJob,
  StaleAttemptError,
  type StoredJob,
} from '../engine.ts';
import { mustEnd, placesAPoint, resultOf, settledEntry, stoppingEntry } from '../jobFacts.ts';
import { settingsFrom, toText } from '../jobText.ts';
import { entryAround, fromRow, type JobRow, storable } from './jobRow.ts';
import { submit } from './submissions.ts';
import type { Query, Transaction } from './transaction.ts';

export interface Settlement {
  readonly id: string;
  readonly token: string | null;
  readonly verdict: Verdict;
  readonly followUps: readonly NewJob[];
}

export interface IntentWrite {
  readonly id: string;
  readonly token: string | null;
  readonly intent: StopIntent;
}

type Refused = StaleAttemptError | EngineError;

/** In the order of their ids, so that two transactions wait for each other's rows and not for each other. */
function inOrder<T extends { id: string }>(writes: readonly T[]): string {
  const numbered = writes.map((write, n) => ({ ...write, n }));
  return JSON.stringify(numbered.sort((a, b) => (a.id < b.id ? -1 : 1)));
}

export async function settle(
  tx: Transaction,
  settlements: readonly Settlement[],
): Promise<(StoredJob | Refused)[]> {
  const writes = settlements.map(({ id, token, verdict }) => {
    const { state, timeout, reason, failure, stop, notBefore, crashed, neverBegan } = verdict;
    return {
      id,
      token,
      state,
      timeout,
      reason: storable(reason),
      failure: toText(failure),
      stop: toText(stop),
      result: resultOf(verdict),
      is_over: isFinal(state),
      not_before: notBefore,
      crash: crashed ? 1 : 0,
      never_began: neverBegan,
      ...entryAround(settledEntry({ ...verdict, reason: storable(reason) }, 0, tx.now)),
    };
  });
  const isFresh = '(s.never_began AND j.attempt = 1)';
  const settled = await tx.query<JobRow & { n: number }>(
    `UPDATE ${tx.schema}.jobs j SET state = s.state, attempt = j.attempt - CASE WHEN s.state = 'queued' THEN 1 ELSE 0 END,
       crashes = j.crashes + s.crash, timeout = s.timeout, reason = s.reason, failure = s.failure, stop = s.stop,
       token = NULL, owner = NULL, intent = NULL, must_end = false, lease_until = NULL, process_group = NULL,
       ended_at = CASE WHEN s.is_over THEN $2::float8 END, result = s.result,
       not_before = CASE WHEN s.is_over THEN j.not_before ELSE s.not_before END,
       rank = CASE WHEN s.is_over THEN NULL WHEN s.state = 'queued' OR j.in_order THEN j.rank
         ELSE nextval('${tx.schema}.places') - j.priority * ${placesAPoint} END,
       stage = CASE WHEN s.is_over THEN NULL WHEN s.not_before > $2::float8 THEN 0 WHEN j.concurrency_key IS NULL THEN 1 ELSE 2 END,
       due_at = CASE WHEN s.is_over THEN NULL WHEN j.started_at IS NOT NULL AND NOT ${isFresh} THEN j.deadline_at
         ELSE least(j.queue_due_at, j.deadline_at) END,
       rested_at = CASE WHEN s.is_over OR s.never_began THEN j.rested_at ELSE $2::float8 END,
       started_at = CASE WHEN ${isFresh} THEN NULL ELSE j.started_at END,
       last_heartbeat_at = CASE WHEN ${isFresh} THEN NULL ELSE j.last_heartbeat_at END,
       last_progress_at = CASE WHEN ${isFresh} THEN NULL ELSE j.last_progress_at END,
       history = j.history || ',' || s.head || j.attempt || s.tail
     FROM json_to_recordset($1) AS s(n int, id text, token text, state text, timeout text, reason text, failure text, stop text,
       result text, is_over boolean, not_before float8, crash int, never_began boolean, head text, tail text)
     WHERE j.id = s.id AND j.token IS NOT DISTINCT FROM s.token AND (j.token IS NOT NULL OR j.state IN ('queued', 'retrying'))
       AND (s.is_over OR NOT j.must_end) RETURNING j.*, s.n`,
    [inOrder(writes), tx.now],
  );
  const answers: (StoredJob | Refused)[] = [];
  for (const row of settled) answers[row.n] = fromRow(row);
  const refused = settlements.map((_, n) => n).filter((n) => answers[n] === undefined);
  await refuse(tx, refused, (n) => settlements[n] as Settlement, 'settlement', answers);
  for (const answer of answers) {
    if (answer instanceof Error) continue;
    const { id, name, state, concurrencyKey, history } = answer;
    tx.changed(id, state);
    // Each state that it was in is in its history.
    tx.moved(name, history.at(-2)?.state as JobState, -1);
    tx.moved(name, state, 1);
    tx.touched(name, concurrencyKey);
  }
  await submit(
    tx,
    settlements.flatMap(({ followUps }, n) => (answers[n] instanceof Error ? [] : followUps)),
  );
  return answers;
}

/** Says of each why it was refused. */
async function refuse(
  tx: Transaction,
  refused: readonly number[],
  of: (n: number) => { id: string; token: string | null },
  write: string,
  answers: unknown[],
): Promise<void> {
  if (refused.length === 0) return;
  const rows = new Map(
    (
      await tx.query<Pick<JobRow, 'id' | 'token' | 'intent'>>(
        `SELECT id, token, intent FROM ${tx.schema}.jobs WHERE id = ANY($1)`,
        [refused.map((n) => of(n).id)],
      )
    ).map((row) => [row.id, row]),
  );
  for (const n of refused) {
    const { id, token } = of(n);
    const row = rows.get(id);
    const intent = row?.token === token && row.intent !== null ? JSON.parse(row.intent) : null;
    answers[n] = row === undefined ? unknown(id) : new StaleAttemptError(id, write, intent);
  }
}

export function unknown(id: string): EngineError {
  return new EngineError(`job ${id}: not in this engine`);
}

/** As much of what is appended goes into one statement, in characters. */
const appendedAtATime = 8_000_000;

/** Answers of each whether it was stored now, or had been before. */
export async function checkpoint(
  tx: Transaction,
  writes: readonly CheckpointWrite[],
): Promise<(boolean | Refused)[]> {
  const stored = await tx.query<
    Pick<JobRow, 'seq' | 'id' | 'name' | 'state'> & { n: number; output_rows: number }
  >(
    `UPDATE ${tx.schema}.jobs j SET checkpoint = c.checkpoint, chunks = c.chunk, crashes = 0, items = j.items + c.items,
       total = coalesce(c.total, j.total), last_heartbeat_at = $2::float8, last_progress_at = $2::float8,
       output_rows = j.output_rows + c.appended
     FROM json_to_recordset($1) AS c(n int, id text, token text, chunk int, checkpoint text, items float8, total float8, appended int)
     WHERE j.id = c.id AND j.token = c.token AND c.chunk > j.chunks RETURNING j.seq, j.id, j.name, j.state, j.output_rows, c.n`,
    [inOrder(writes.map(({ rows, ...write }) => ({ ...write, appended: rows.length }))), tx.now],
  );
  const answers: (boolean | Refused)[] = writes.map(() => true);
  const known = new Set(stored.map(({ n }) => n));
  const rest = writes.map((_, n) => n).filter((n) => !known.has(n));
  if (rest.length > 0) {
    await refuse(tx, rest, (n) => writes[n] as CheckpointWrite, 'checkpoint', answers);
    // One of the current attempt was stored before: its answer was lost, or the job's own transaction has stored it. Nobody was told.
    const current = await tx.query<Pick<JobRow, 'id' | 'token' | 'state'>>(
      `SELECT id, token, state FROM ${tx.schema}.jobs WHERE id = ANY($1) AND token IS NOT NULL`,
      [rest.map((n) => writes[n]?.id)],
    );
    for (const { id, token, state } of current) {
      for (const n of rest) {
        if (writes[n]?.id !== id || writes[n]?.token !== token) continue;
        answers[n] = false;
        tx.changed(id, state);
      }
    }
  }
  for (const { seq, id, state, output_rows, n } of stored) {
    tx.changed(id, state);
    const rows = writes[n]?.rows ?? [];
    await append(tx, seq, output_rows - rows.length, rows);
  }
  return answers;
}

async function append(tx: Transaction, job: number, before: number, rows: readonly string[]): Promise<void> {
  for (let from = 0; from < rows.length; ) {
    let size = 0;
    let to = from;
    for (; to < rows.length && size < appendedAtATime; to += 1) size += rows[to]?.length ?? 0;
    await tx.query(
      `INSERT INTO ${tx.schema}.output (job, n, row)
       SELECT $1, $2::int + n, row FROM json_array_elements_text($3) WITH ORDINALITY AS o(row, n)`,
      [job, before + from, JSON.stringify(rows.slice(from, to))],
    );
    from = to;
  }
}

export async function recordIntent(
  tx: Transaction,
  intents: readonly IntentWrite[],
): Promise<(undefined | Refused)[]> {
  const rows = await tx.query<
    Pick<JobRow, 'id' | 'name' | 'token' | 'state' | 'attempt'> & { must_end: boolean }
  >(
    `SELECT id, name, token, state, attempt, must_end FROM ${tx.schema}.jobs WHERE id = ANY($1) ORDER BY id FOR UPDATE`,
    [intents.map(({ id }) => id)],
  );
  const found = new Map(rows.map((row) => [row.id, row]));
  const writes: object[] = [];
  const answers = intents.map(({ id, token, intent }): undefined | Refused => {
    const row = found.get(id);
    if (row === undefined) return unknown(id);
    if (row.token === null || (token !== null && row.token !== token))
      return new StaleAttemptError(id, 'stop');
    // What must end the job stays, whatever else is asked.
    if (row.must_end && !mustEnd(intent)) return undefined;
    const said = intent.kind === 'cancel' ? { ...intent, reason: storable(intent.reason) } : intent;
    const isFirst = row.state !== 'stopping';
    const entry = isFirst ? `,${JSON.stringify(stoppingEntry(said, row.attempt, tx.now))}` : '';
    writes.push({ id, intent: JSON.stringify(said), must_end: mustEnd(intent), entry });
    tx.changed(id, 'stopping');
    tx.moved(row.name, row.state, -1);
    tx.moved(row.name, 'stopping', 1);
    return undefined;
  });
  if (writes.length > 0)
    await tx.query(
      `UPDATE ${tx.schema}.jobs j SET intent = i.intent, must_end = i.must_end, state = 'stopping', history = j.history || i.entry
       FROM json_to_recordset($1) AS i(id text, intent text, must_end boolean, entry text) WHERE j.id = i.id`,
      [JSON.stringify(writes)],
    );
  return answers;
}

/**
 * Renews leases, and waits for nobody: a row that is being written just now keeps its lease until the next beat. Not in a
 * transaction with others, so that nothing keeps it.
 */
export async function beat(
  query: Query,
  schema: string,
  now: number | null,
  beats: readonly (Beat & { readonly leaseMs: number })[],
): Promise<(BeatReply & { state: JobState | null })[]> {
  const replies = beats.map(({ id, token }): BeatReply & { state: JobState | null } => ({
    ...{ id, token, held: false, renewed: false, intent: null, settings: null, state: null },
  }));
  type Row = Pick<JobRow, 'intent' | 'state' | 'settings'> & { n: number };
  const take = (rows: readonly Row[], renewed: boolean) => {
    for (const { n, intent, state, settings } of rows)
      Object.assign(replies[n] as object, {
        held: true,
        renewed,
        state,
        intent: intent === null ? null : JSON.parse(intent),
        settings: settingsFrom(settings),
      });
  };
  const rows = inOrder(
    beats.map(({ group = null, heartbeatAt, leaseMs, ...beat }) => ({
      ...beat,
      heartbeat_at: heartbeatAt,
      process_group: toText(group),
      lease_ms: leaseMs,
    })),
  );
  take(
    await query<Row>(
      `WITH b AS MATERIALIZED (SELECT * FROM json_to_recordset($1) AS b(n int, id text, token text, heartbeat_at float8, total float8,
         process_group text, lease_ms float8)),
       held AS MATERIALIZED (SELECT j.id, b.n FROM b JOIN ${schema}.jobs j ON j.id = b.id AND j.token = b.token
         FOR UPDATE OF j SKIP LOCKED)
       UPDATE ${schema}.jobs j SET lease_until = coalesce($2::float8, extract(epoch FROM statement_timestamp()) * 1000) + b.lease_ms,
         last_heartbeat_at = coalesce(b.heartbeat_at, j.last_heartbeat_at), total = coalesce(b.total, j.total),
         process_group = coalesce(b.process_group, j.process_group)
       FROM held JOIN b USING (n) WHERE j.id = held.id RETURNING b.n, j.intent, j.state, j.settings`,
      [rows, now],
    ),
    true,
  );
  const skipped = replies.flatMap(({ held, id, token }, n) => (held ? [] : [{ n, id, token }]));
  if (skipped.length > 0)
    take(
      await query<Row>(
        `SELECT b.n, j.intent, j.state, j.settings FROM json_to_recordset($1) AS b(n int, id text, token text)
         JOIN ${schema}.jobs j ON j.id = b.id AND j.token = b.token`,
        [JSON.stringify(skipped)],
      ),
      false,
    );
  return replies;
}
