// What is done to single jobs from outside, and by those who answer for jobs of others: rare, and so one by one.

import { randomUUID } from 'node:crypto';
import { type FinalState, isAtRest, isFinal } from '../../machines/states.ts';
import { EngineError, StaleAttemptError, type StoredJob, type Timeouts } from '../engine.ts';
import { dueAtRest, withTimeouts } from '../jobFacts.ts';
import { settingsFrom, settingsText } from '../jobText.ts';
import { unknown } from './attempts.ts';
import { fromRow, type JobRow } from './jobRow.ts';
import type { Transaction } from './transaction.ts';

/** What is removed at a time. */
const prunedJobs = 200;
const prunedRows = 5000;

async function locked(tx: Transaction, id: string): Promise<JobRow> {
  const [row] = await tx.query<JobRow>(`SELECT * FROM ${tx.schema}.jobs WHERE id = $1 FOR UPDATE`, [id]);
  if (row === undefined) throw unknown(id);
  return row;
}

export async function setTimeouts(
  tx: Transaction,
  id: string,
  timeouts: Partial<Timeouts>,
): Promise<StoredJob> {
  const row = await locked(tx, id);
  if (isFinal(row.state)) return fromRow(row);
  const job = { submittedAt: row.submitted_at, settings: settingsFrom(row.settings) };
  const { settings, queueDueAt, deadlineAt } = withTimeouts(job, timeouts);
  const dueAt = isAtRest(row.state) ? dueAtRest({ startedAt: row.started_at, queueDueAt, deadlineAt }) : null;
  const [changed] = await tx.query<JobRow>(
    `UPDATE ${tx.schema}.jobs SET settings = $2, queue_due_at = $3, deadline_at = $4, due_at = $5 WHERE id = $1 RETURNING *`,
    [id, settingsText(settings), queueDueAt, deadlineAt, dueAt],
  );
  tx.changed(id, row.state);
  // Who looked for the next of its key meanwhile has passed over it.
  if (isAtRest(row.state)) tx.touched(row.name, row.concurrency_key);
  return fromRow(changed as JobRow);
}

export async function promote(tx: Transaction, id: string): Promise<void> {
  const row = await locked(tx, id);
  if (!isAtRest(row.state)) return;
  // Before every priority, and behind those that were promoted before: see nextRank.
  await tx.query(
    `UPDATE ${tx.schema}.jobs SET rank = nextval('${tx.schema}.places') - ${2 ** 52}::float8 WHERE id = $1`,
    [id],
  );
  tx.changed(id, row.state);
  tx.touched(row.name, row.concurrency_key);
}

/** Answers with the new token. */
export async function adopt(
  tx: Transaction,
  id: string,
  token: string,
  owner: string,
  leaseMs: number,
): Promise<string> {
  const row = await locked(tx, id);
  if (row.token !== token) throw new StaleAttemptError(id, 'adoption');
  const adopted = `${row.seq}.${row.attempt}-${randomUUID()}`;
  await tx.query(`UPDATE ${tx.schema}.jobs SET token = $2, owner = $3, lease_until = $4 WHERE id = $1`, [
    id,
    adopted,
    owner,
    tx.now + leaseMs,
  ]);
  return adopted;
}

/** A job is gone at once; what it appended may be much, and goes by and by. True: more may be left. */
export async function prune(
  tx: Transaction,
  states: readonly FinalState[],
  endedBefore: number,
): Promise<boolean> {
  const gone = await tx.query<Pick<JobRow, 'seq' | 'name' | 'state'> & { output_rows: number }>(
    `DELETE FROM ${tx.schema}.jobs WHERE id IN (
       SELECT old.id FROM unnest($1::text[]) AS s(state) CROSS JOIN LATERAL (
         SELECT j.id FROM ${tx.schema}.jobs j WHERE j.state = s.state AND j.ended_at < $2::float8
         ORDER BY j.ended_at LIMIT ${prunedJobs} FOR UPDATE SKIP LOCKED) AS old)
     RETURNING seq, name, state, output_rows`,
    [states, endedBefore],
  );
  for (const { name, state } of gone) tx.moved(name, state, -1);
  const withRows = gone.filter(({ output_rows }) => output_rows > 0).map(({ seq }) => seq);
  if (withRows.length > 0)
    await tx.query(`INSERT INTO ${tx.schema}.pruned (job) SELECT unnest($1::bigint[])`, [withRows]);
  const [{ job } = { job: null }] = await tx.query<{ job: number }>(
    `SELECT job FROM ${tx.schema}.pruned ORDER BY job LIMIT 1 FOR UPDATE SKIP LOCKED`,
  );
  if (job === null) return gone.length > 0;
  const removed = await tx.query(
    `DELETE FROM ${tx.schema}.output WHERE job = $1 AND n IN (
       SELECT n FROM ${tx.schema}.output WHERE job = $1 ORDER BY n LIMIT ${prunedRows}) RETURNING n`,
    [job],
  );
  if (removed.length < prunedRows) await tx.query(`DELETE FROM ${tx.schema}.pruned WHERE job = $1`, [job]);
  return true;
}

export function isRefusal(error: unknown): error is StaleAttemptError | EngineError {
  return error instanceof StaleAttemptError || error instanceof EngineError;
}
