// Jobs that are submitted, many calls in one statement. All jobs of a call are stored, or none.

import type { NewJob, StoredJob } from '../engine.ts';
import { dueAtRest, freshJob, placesAPoint } from '../jobFacts.ts';
import { settingsText } from '../jobText.ts';
import { stageOf, stages } from '../stages.ts';
import { fromRow, type JobRow } from './jobRow.ts';
import type { Transaction } from './transaction.ts';

/**
 * For each job its row: the older one where its idempotency key is known. `isOthers`: in a transaction that is not ours, where no
 * lock is taken.
 */
export async function submit(
  tx: Transaction,
  jobs: readonly NewJob[],
  { isOthers = false } = {},
): Promise<StoredJob[]> {
  if (jobs.length === 0) return [];
  const fresh = jobs.map((job) => freshJob(job, tx.now));
  const rows = fresh.map(({ settings, keyLimit, history, ...job }, n) => ({
    n,
    id: job.id,
    name: job.name,
    input: job.input,
    settings: settingsText(settings),
    priority: job.priority,
    not_before: job.notBefore,
    idempotency_key: job.idempotencyKey,
    concurrency_key: job.concurrencyKey,
    // JSON has no Infinity.
    key_limit: String(keyLimit),
    in_order: job.inOrder,
    retry_of: job.retryOf,
    trace: job.trace,
    queue_due_at: job.queueDueAt,
    deadline_at: job.deadlineAt,
    due_at: dueAtRest(job),
    stage: isOthers && job.concurrencyKey !== null ? stages.notBefore : stageOf(job, tx.now),
    history: JSON.stringify(history[0]),
  }));
  const stored = new Set(
    (
      await tx.query<{ id: string }>(
        `INSERT INTO ${tx.schema}.jobs (seq, rank, submitted_at, rested_at, state, id, name, input, settings, priority, not_before,
           idempotency_key, concurrency_key, key_limit, in_order, retry_of, trace, queue_due_at, deadline_at, due_at, stage, history)
         SELECT place, place - priority * ${placesAPoint}, $2::float8, $2::float8, 'queued', id, name, input, settings, priority, not_before,
           idempotency_key, concurrency_key, key_limit, in_order, retry_of, trace, queue_due_at, deadline_at, due_at, stage, history
         FROM (SELECT nextval('${tx.schema}.places') AS place, ordered.* FROM (
           SELECT * FROM json_to_recordset($1) AS job(n int, id text, name text, input text, settings text, priority float8,
             not_before float8, idempotency_key text, concurrency_key text, key_limit float8, in_order boolean, retry_of text,
             trace text, queue_due_at float8, deadline_at float8, due_at float8, stage smallint, history text)
           ORDER BY n) AS ordered) AS placed
         ON CONFLICT (idempotency_key, name) WHERE idempotency_key IS NOT NULL DO NOTHING RETURNING id`,
        [JSON.stringify(rows), tx.now],
      )
    ).map(({ id }) => id),
  );
  for (const { id, name, concurrencyKey } of fresh) {
    if (!stored.has(id)) continue;
    tx.changed(id, 'queued');
    tx.moved(name, 'queued', 1);
    if (!isOthers) tx.touched(name, concurrencyKey);
  }
  if (stored.size === jobs.length) return fresh;
  const older = await olderOf(
    tx,
    jobs.filter(({ id }) => !stored.has(id)),
  );
  const missing = jobs.filter((job) => !stored.has(job.id) && !older.has(keyOf(job)));
  // Removed between the two statements: now they can be stored.
  const again = new Map((await submit(tx, missing, { isOthers })).map((job, n) => [missing[n]?.id, job]));
  return fresh.map((job) =>
    stored.has(job.id) ? job : (older.get(keyOf(job)) ?? (again.get(job.id) as StoredJob)),
  );
}

async function olderOf(tx: Transaction, jobs: readonly NewJob[]): Promise<Map<string, StoredJob>> {
  const found = await tx.query<JobRow>(
    `SELECT j.* FROM json_to_recordset($1) AS k(name text, key text)
     JOIN ${tx.schema}.jobs j ON j.idempotency_key = k.key AND j.name = k.name`,
    [JSON.stringify(jobs.map(({ name, idempotencyKey }) => ({ name, key: idempotencyKey })))],
  );
  return new Map(found.map(fromRow).map((job) => [keyOf(job), job]));
}

function keyOf({ name, idempotencyKey }: Pick<NewJob, 'name' | 'idempotencyKey'>): string {
  return `${idempotencyKey}\n${name}`;
}
