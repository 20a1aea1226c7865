// Jobs that are submitted in a transaction of the user's own: there if and only if it commits. His connection is asked for
// nothing but the statements of a submit, and its transaction keeps its settings.

import { EngineError, type NewJob, type SqlTransaction, type StoredJob } from '../engine.ts';
import { submit } from './submissions.ts';
import { type Query, Transaction } from './transaction.ts';

/** `schema`: quoted. `now`: null for the clock of the database. */
export async function submitWithin(
  transaction: SqlTransaction,
  schema: string,
  now: number | null,
  jobs: readonly NewJob[],
): Promise<{ stored: StoredJob[]; tx: Transaction; transactionId: string }> {
  const query: Query = async <Row>(text: string, values: readonly unknown[] = []) =>
    (await transaction.query(text, [...values])).rows as Row[];
  const begun = await beginning(query);
  const again = await beginning(query);
  // Without one each statement is a transaction by itself.
  if (begun.id !== again.id)
    throw new EngineError(
      'transaction: expected a client with a transaction open, got one without. Send it BEGIN first.',
    );
  if (
    (await query<{ there: boolean }>(`SELECT to_regclass($1) IS NOT NULL AS there`, [`${schema}.jobs`]))[0]
      ?.there !== true
  )
    throw new EngineError(
      `transaction: expected a client on the database of the engine, got one on another, without its schema ${schema}.`,
    );
  const tx = new Transaction(query, schema, now ?? Number(begun.now));
  // The lock of a key would be held until he commits. So they do not wait for their key yet but for their time, which has come: the
  // next claim of anyone takes them from there.
  const timed = jobs.map((job) =>
    job.concurrencyKey === null ? job : { ...job, notBefore: job.notBefore ?? tx.now },
  );
  const stored = await submit(tx, timed, { isOthers: true });
  await Promise.all(await tx.finish());
  return { stored, tx, transactionId: begun.id };
}

async function beginning(query: Query): Promise<{ id: string; now: number }> {
  const [begun] = await query<{ id: string; now: string }>(
    `SELECT pg_current_xact_id()::text AS id, extract(epoch FROM clock_timestamp()) * 1000 AS now`,
  );
  return { id: begun?.id ?? '', now: Number(begun?.now) };
}

export async function stateOf(
  query: Query,
  transactionId: string,
): Promise<'in progress' | 'committed' | 'aborted' | null> {
  const [found] = await query<{ state: 'in progress' | 'committed' | 'aborted' | null }>(
    'SELECT pg_xact_status($1::text::xid8) AS state',
    [transactionId],
  );
  return found?.state ?? null;
}
