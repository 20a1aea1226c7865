// One try at a chunk: begins a transaction, lets the job's own code write in it, stores the chunk's checkpoint as its last statement
// (engines/postgres/attempts.ts, fenced by the attempt's token), and commits. All of it is there, or nothing. The row of the
// job is locked by that last statement alone: before it a heartbeat passes, after it the commit is all that is left.

import { setTimeout as pause } from 'node:timers/promises';
import type { PoolClient, QueryConfig } from 'pg';
import { type CheckpointWrite, EngineError, StaleAttemptError } from '../engines/engine.ts';
import { checkpoint } from '../engines/postgres/attempts.ts';
import { type Connections, planning, statementTimeoutMs } from '../engines/postgres/connections.ts';
import { codeOf, engineErrorOf } from '../engines/postgres/databaseErrors.ts';
import { quoted } from '../engines/postgres/schema.ts';
import { type Query, Transaction } from '../engines/postgres/transaction.ts';
import { type Sql, type SqlResult, toSend } from './sql.ts';

export interface Place {
  readonly connections: Connections;
  /** Not quoted. */
  readonly schema: string;
  readonly idleTimeoutSeconds: number;
}

/** The attempt whose chunk it is. */
export interface Holder {
  readonly jobId: string;
  readonly token: string;
  readonly signal: AbortSignal;
}

/** What is under way when the attempt is asked to stop is cancelled until it is over: what the server has not begun yet it does not cancel. ms */
const cancelEveryMs = 100;

/** The connection was lost: what was begun is rolled back, unless the commit was on its way. */
export class LostConnectionError extends Error {}

export class ChunkTransaction {
  readonly #place: Place;
  readonly #jobs: string;
  readonly #client: PoolClient;
  readonly #holder: Holder;
  /** Of the transaction, and of the server's process that it is in. */
  #id = '';
  #pid = 0;
  #isOpen = false;
  /** Statements of the job's own that are not answered. */
  readonly #pending = new Set<Promise<unknown>>();
  #lost: Error | null = null;
  readonly #onLost = (error: Error) => {
    this.#lost ??= error;
  };
  readonly #onAbort = () => void this.#cancel();

  constructor(place: Place, client: PoolClient, holder: Holder) {
    this.#place = place;
    this.#jobs = `${quoted(place.schema)}.jobs`;
    this.#client = client;
    this.#holder = holder;
    client.on('error', this.#onLost);
    holder.signal.addEventListener('abort', this.#onAbort);
  }

  /** It hears of its connection and its attempt no more. */
  leave(): void {
    this.#client.off('error', this.#onLost);
    this.#holder.signal.removeEventListener('abort', this.#onAbort);
  }

  readonly sql: Sql = { query: (statement, values) => this.#query(statement, values) };

  /** Where a commit of this attempt may still be on its way: its end is waited for, by the row that it holds. */
  async afterCommits(): Promise<void> {
    await this.#own(`SELECT FROM ${this.#jobs} WHERE id = $1 FOR SHARE`, [this.#holder.jobId]);
  }

  /** Answers how many chunks of the job are stored. */
  async begin(): Promise<number> {
    const { jobId, token } = this.#holder;
    const { connections, schema, idleTimeoutSeconds } = this.#place;
    const [begun, found] = await Promise.all([
      this.#own<{ id: string; pid: number }>(
        [
          'BEGIN ISOLATION LEVEL READ COMMITTED',
          `SET LOCAL idle_in_transaction_session_timeout = ${Math.ceil(idleTimeoutSeconds * 1000)}`,
          // Else the server notices that a client is gone when its statement is over. Not all servers can.
          `DO $$ BEGIN PERFORM set_config('client_connection_check_interval', '1s', true); EXCEPTION WHEN OTHERS THEN END $$`,
          'SELECT pg_current_xact_id()::text AS id, pg_backend_pid() AS pid',
        ].join(';\n'),
      ),
      this.#own<{ token: string | null; chunks: number }>(
        `SELECT token, chunks FROM ${this.#jobs} WHERE id = $1`,
        [jobId],
      ).catch((error: EngineError) => {
        // No such schema, or no such table in it.
        if (!['3F000', '42P01'].includes(codeOf(error.cause))) throw error;
        return [];
      }),
    ]);
    const [job] = found;
    if (job === undefined)
      throw new EngineError(
        `${connections.place}: expected job ${jobId} in schema ${schema}, found none. inTransaction() needs the database that is the engine of the job's processor: check its url, and the schema in it.`,
      );
    if (job.token !== token) throw new StaleAttemptError(jobId, 'chunk');
    this.#id = begun[0]!.id;
    this.#pid = begun[0]!.pid;
    this.#isOpen = true;
    return job.chunks;
  }

  /** Runs the job's own code. What it has sent and not awaited is waited for. */
  async run<C>(code: (sql: Sql) => C | Promise<C>): Promise<C> {
    try {
      const made = await code(this.sql);
      while (this.#pending.size > 0) await Promise.all(this.#pending);
      return made;
    } catch (error) {
      throw this.#explained(error);
    } finally {
      this.#isOpen = false;
    }
  }

  /** Stores the chunk and commits; `committing` is called when it may be committed from then on. */
  async store(write: CheckpointWrite, committing: () => void): Promise<void> {
    // What the user has deferred is checked before the row of the job is locked.
    const [open] = await this.#send<{ id: string; now: string }>(
      [
        'SET CONSTRAINTS ALL IMMEDIATE',
        ...planning,
        `SET LOCAL statement_timeout = ${statementTimeoutMs}`,
        'SELECT pg_current_xact_id()::text AS id, extract(epoch FROM clock_timestamp()) * 1000 AS now',
      ].join(';\n'),
    );
    if (open!.id !== this.#id)
      throw new EngineError(
        `chunk ${write.chunk}: expected its transaction to be open, found another. Something in it has ended it, and what it wrote is without its checkpoint. Leave the commit to inTransaction().`,
      );
    const query: Query = (text, values) => this.#own(text, values);
    const tx = new Transaction(query, quoted(this.#place.schema), Number(open!.now));
    const [answer] = await checkpoint(tx, [write]);
    if (answer instanceof Error) throw answer;
    if (answer !== true) throw storedBefore(write.chunk);
    await Promise.all(await tx.finish());
    committing();
    await this.#send('COMMIT');
  }

  /** Its connection can be used again. */
  async rollback(): Promise<boolean> {
    try {
      await this.#client.query('ROLLBACK');
      return this.#lost === null;
    } catch {
      return false;
    }
  }

  #query(...[statement, values]: Parameters<Sql['query']>): Promise<SqlResult<never>> {
    const { signal } = this.#holder;
    const send = async (): Promise<SqlResult<never>> => {
      if (!this.#isOpen) throw new EngineError('query: the chunk is over. Await what you send in process().');
      signal.throwIfAborted();
      return this.#client.query(toSend(statement, values) as QueryConfig);
    };
    const answer = send()
      .catch((error) => {
        this.#hear(error);
        throw signal.aborted ? signal.reason : error;
      })
      .finally(() => this.#pending.delete(answer));
    this.#pending.add(answer);
    return answer;
  }

  /** Answers with the rows of the last statement in `text`. Fails with what became of the connection, or of the transaction. */
  async #send<Row>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    try {
      const results = await this.#client.query(text, [...values]);
      return ([results].flat().at(-1) as { rows: Row[] }).rows;
    } catch (error) {
      this.#hear(error as Error);
      throw this.#explained(error);
    }
  }

  /** A statement of ours: what fails is no matter of the job's. */
  async #own<Row>(text: string, values?: readonly unknown[]): Promise<Row[]> {
    try {
      return await this.#send<Row>(text, values);
    } catch (error) {
      throw error instanceof LostConnectionError
        ? error
        : engineErrorOf(this.#place.connections.place, error);
    }
  }

  /** The last words of a server that ends a connection answer a statement, or come without one. */
  #hear(error: { severity?: string } & Error): void {
    if (error.severity === 'FATAL' || error.severity === 'PANIC') this.#lost ??= error;
  }

  #explained(error: unknown): unknown {
    if (this.#lost !== null) {
      if (codeOf(this.#lost) !== '25P03')
        return new LostConnectionError(this.#lost.message, { cause: this.#lost });
      return new EngineError(
        `process: expected less than ${this.#place.idleTimeoutSeconds} s between two statements, took longer, and the transaction was ended with all that it wrote. Do what takes long in chunks(), or before the first statement has locked anything; or raise idleTimeoutSeconds, and stay below the lease.`,
        { cause: this.#lost },
      );
    }
    if (codeOf(error) !== '25P02') return error;
    return new EngineError(
      'process: expected each statement to succeed, one has failed and was caught. The transaction is void by then: let the error pass, or use a SAVEPOINT.',
      { cause: error },
    );
  }

  async #cancel(): Promise<void> {
    if (this.#pending.size === 0) return;
    try {
      const other = await this.#place.connections.dedicated();
      try {
        while (this.#pending.size > 0) {
          // Not what the same process of the server does by then for another.
          await other.query(
            'SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_xid = $2::xid8::xid',
            [this.#pid, this.#id],
          );
          await Promise.race([Promise.allSettled(this.#pending), pause(cancelEveryMs)]);
        }
      } finally {
        await other.end();
      }
    } catch {
      // No way to ask for it. The server notices that nobody is there any more.
      const { connection } = this.#client as { connection?: { stream: { destroy(): void } } };
      connection?.stream.destroy();
    }
  }
}

export function storedBefore(chunk: number): EngineError {
  return new EngineError(
    `chunk ${chunk}: expected one transaction, got another after it was stored. Call what inTransaction() made once a chunk.`,
  );
}
