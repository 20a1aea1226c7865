// Wraps the `process` of a chunked job, so that its own SQL and the chunk's checkpoint are one transaction: exactly once, whatever
// is killed when. The connection is one of the job's own process, kept between its chunks. What two transactions
// do to each other, and a connection that is lost, costs a chunk another try and not the attempt.

import { setTimeout as pause } from 'node:timers/promises';
import { type ChunkInHand, inHand } from '../actors/chunkInHand.ts';
import type { ChunkContext } from '../actors/jobCode.ts';
import { InputError } from '../actors/jsonText.ts';
import { EngineError } from '../engines/engine.ts';
import { Connections } from '../engines/postgres/connections.ts';
import { codeOf, engineErrorOf, isToBeRepeated } from '../engines/postgres/databaseErrors.ts';
import { schemaOf } from '../engines/postgres/setUp.ts';
import { ConfigurationError, describeValue } from '../runtime/errors.ts';
import { ChunkTransaction, LostConnectionError, type Place, storedBefore } from './chunkTransaction.ts';
import type { Sql } from './sql.ts';

/** Where a chunk's transaction is, and how long it may idle. */
export interface TransactionOptions {
  /**
   * The engine of the job's processor, `postgres://user@host/database`, with `?schema=NAME` where its tables are in another schema
   * than `unstuck`. Looked up when the first chunk runs. Default: the environment variable `UNSTUCK_ENGINE`.
   */
  url?: string;
  /**
   * Between two statements at most, in seconds; the server then ends the transaction, and the attempt fails. Below the lease: an
   * attempt that hangs must not hold its rows when the job is taken over. Default 5.
   */
  idleTimeoutSeconds?: number;
}

/**
 * A chunk's code: `process` of a chunked job, with a transaction as third argument. Called again, on a new transaction, where the
 * server ended it for another's sake or the connection was lost.
 */
export type ChunkWork<I, C, T> = (
  chunk: T[],
  context: ChunkContext<I, C>,
  sql: Sql,
) => NoInfer<C> | Promise<NoInfer<C>>;

/** As often a chunk is tried. */
const mostTries = 10;
/** Before the next try, at least, and twice as long at most: for a server that is away; and longer with each try for another transaction's end, ms. */
const awayMs = 500;
const conflictMs = 10;

/** By URL. A connection for each attempt in a chunk: the processor's limits hold them down. */
const places = new Map<string, Promise<Connections>>();

/**
 * Makes the `process` of a chunked job whose statements are committed together with the chunk's checkpoint and appended rows, under
 * the attempt's token: exactly once a chunk. They are rolled back when it throws, the process is killed or another
 * attempt has the job. Rejects with `EngineError` where the database is not the engine's, or the transaction idled too long;
 * with `StaleAttemptError`; else as your code does.
 *
 *     process: inTransaction(async (accounts, { checkpoint }, sql) => {
 *       await sql.query('UPDATE accounts SET fee = fee + 1 WHERE id = ANY($1)', [accounts]);
 *       return { done: checkpoint.done + accounts.length };
 *     }),
 */
export function inTransaction<I, C, T>(
  work: ChunkWork<I, C, T>,
  { url, idleTimeoutSeconds = 5 }: TransactionOptions = {},
): (chunk: T[], context: ChunkContext<I, C>) => Promise<NoInfer<C>> {
  if (typeof work !== 'function') throw new ConfigurationError('process', 'a function', describeValue(work));
  if (url !== undefined) checkUrl('url', url);
  if (!(idleTimeoutSeconds >= 0.001 && idleTimeoutSeconds <= 86_400))
    throw new ConfigurationError(
      'idleTimeoutSeconds',
      'seconds between 0.001 and 86400',
      describeValue(idleTimeoutSeconds),
    );
  return async (chunk, context) => {
    const hand = (context as { [inHand]?: ChunkInHand })[inHand];
    if (hand === undefined)
      throw new InputError(
        'inTransaction: expected the context of a running attempt, got another. In a test call your own function, with a client of the test as its sql.',
      );
    const at = url ?? process.env.UNSTUCK_ENGINE;
    checkUrl(url === undefined ? 'UNSTUCK_ENGINE' : 'url', at);
    const place = { connections: await connectionsTo(at), schema: schemaOf(at), idleTimeoutSeconds };
    return new Tries(place, hand, context).run((sql) => work(chunk, context, sql));
  };
}

/** A chunk until it is stored, or is not to be. */
class Tries<C> {
  readonly #place: Place;
  readonly #hand: ChunkInHand;
  readonly #context: ChunkContext<unknown, C>;
  /** What may be committed: the answer was lost. */
  #sent: { made: C } | null = null;

  constructor(place: Place, hand: ChunkInHand, context: ChunkContext<unknown, C>) {
    this.#place = place;
    this.#hand = hand;
    this.#context = context;
  }

  async run(code: (sql: Sql) => C | Promise<C>): Promise<C> {
    const { signal, log } = this.#context;
    for (let tries = 1; ; tries += 1) {
      signal.throwIfAborted();
      try {
        return await this.#once(code);
      } catch (error) {
        const isLost = isConnection(error);
        const said =
          error instanceof LostConnectionError
            ? engineErrorOf(this.#place.connections.place, error.cause)
            : error;
        if (!(isLost || isConflict(error)) || tries === mostTries || signal.aborted) throw said;
        log.warn({ err: said }, `its transaction is begun anew: ${(said as Error).message}`);
        const pauseMs = isLost ? awayMs : conflictMs * tries;
        // Two that were in each other's way do not come again at the same time.
        await pause(pauseMs * (1 + Math.random()), undefined, { signal }).catch(() => {});
      }
    }
  }

  async #once(code: (sql: Sql) => C | Promise<C>): Promise<C> {
    const outcome = await this.#place.connections.use(async (client) => {
      const transaction = new ChunkTransaction(this.#place, client, this.#context);
      try {
        return { made: await this.#carryOut(transaction, code) };
      } catch (error) {
        if (!(await transaction.rollback())) throw error;
        return { error };
      } finally {
        transaction.leave();
      }
    });
    if ('error' in outcome) throw outcome.error;
    return outcome.made;
  }

  async #carryOut(transaction: ChunkTransaction, code: (sql: Sql) => C | Promise<C>): Promise<C> {
    if (this.#sent !== null) await transaction.afterCommits();
    const stored = await transaction.begin();
    if (stored >= this.#hand.number) {
      if (this.#sent === null) throw storedBefore(this.#hand.number);
      await transaction.rollback();
      return this.#sent.made;
    }
    this.#hand.restart();
    const made = await transaction.run(code);
    await transaction.store(this.#hand.write(made), () => {
      this.#sent = { made };
    });
    return made;
  }
}

function checkUrl(field: string, url: string | undefined): asserts url is string {
  if (typeof url === 'string' && /^postgres(ql)?:\/\//.test(url) && URL.canParse(url)) return;
  throw new ConfigurationError(
    field,
    'postgres://user@host/database',
    describeValue(url && withoutPassword(url)),
  );
}

function withoutPassword(url: string): string {
  return String(url).replace(/:[^:@/]*@/, ':…@');
}

function connectionsTo(url: string): Promise<Connections> {
  const opened = places.get(url);
  if (opened !== undefined) return opened;
  const connections = new Connections({
    url,
    schema: schemaOf(url),
    maxConnections: Number.POSITIVE_INFINITY,
    durability: 'full',
    now: null,
    areOthers: true,
  });
  const opening = connections.open().then(() => connections);
  places.set(url, opening);
  opening.catch(() => places.delete(url));
  return opening;
}

/** An error, and what it was made of. */
function* causesOf(error: unknown): Iterable<unknown> {
  const seen = new Set<unknown>();
  for (let at = error; at instanceof Error && !seen.has(at); at = at.cause) {
    seen.add(at);
    yield at;
  }
}

const rootOf = (error: unknown) => [...causesOf(error)].at(-1) ?? error;

/** Two transactions were in each other's way. */
function isConflict(error: unknown): boolean {
  return [...causesOf(error)].some(isToBeRepeated);
}

/** What passes: the server is started anew, or the way to it is back. Where it does not answer at all `pg` has no code for it. */
const passing = /^(ECONN|ETIMEDOUT$|EPIPE$|EAI_AGAIN$|08|57P0|53300$)/;
const noAnswer = /\b(timeout|terminated)\b/;

function isConnection(error: unknown): boolean {
  if (error instanceof LostConnectionError) return true;
  const root = rootOf(error);
  const code = codeOf(root);
  return (
    error instanceof EngineError &&
    (passing.test(code) || (code === '' && noAnswer.test((root as Error).message)))
  );
}
