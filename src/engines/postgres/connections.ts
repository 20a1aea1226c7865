// The connections to a PostgreSQL server: a bounded pool, whose sessions hold nothing between two transactions, so that a pooler
// may stand between (pgbouncer in transaction mode). What a transaction must not exceed is said at its beginning.

import type { ClientBase, ClientConfig, Pool, PoolClient, QueryArrayResult } from 'pg';
import { EngineError } from '../engine.ts';
import { engineErrorOf, isToBeRepeated } from './databaseErrors.ts';
import { quoted } from './schema.ts';
import { type Query, Transaction } from './transaction.ts';

export interface ConnectionOptions {
  readonly url: string;
  readonly schema: string;
  readonly maxConnections: number;
  readonly durability: 'full' | 'normal';
  /** The time to live on; null: the clock of the database. */
  readonly now: (() => number) | null;
  /** For statements of the user's own: they may take as long as they do, and values come as `pg` reads them. */
  readonly areOthers?: boolean;
}

/** A statement that takes longer is ended by the server, ms. */
export const statementTimeoutMs = 30_000;
/** A transaction whose owner is gone, or hangs, is ended: well below a lease, for it may hold rows. ms. */
const idleTimeoutMs = 5000;
/** So long the last look at its clock is good for what leases and limits do not count on, ms. */
const estimateMs = 1000;
const connectTimeoutMs = 5000;
/** As often two transactions may be in each other's way. */
const mostRepeats = 10;

/** Rows are found by their indexes, whatever the statistics say: right after many were stored they know of none. */
export const planning = [
  'SET LOCAL enable_seqscan = off',
  'SET LOCAL enable_hashjoin = off',
  'SET LOCAL enable_mergejoin = off',
  // What is switched off counts as a cost of 1e10 in the plan of a table without a fitting index: enough to compile it, for 100 ms.
  'SET LOCAL jit = off',
];

type Pg = typeof import('pg');

export type DedicatedClient = ClientBase & { end(): Promise<void>; ref(): void; unref(): void };

/** Before the statements of a transaction: locks, and what is done on the way. Its texts hold numbers alone. */
export interface Beginning {
  readonly statements: readonly string[];
}

export class Connections {
  readonly #options: ConnectionOptions;
  #pool: Pool | null = null;
  #pg: Pg | null = null;
  /** What the clock of the database said last, and when that was heard. */
  #read = { now: 0, at: -Infinity };
  /** Where the server is, without the password. */
  readonly place: string;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.place = placeOf(options.url);
  }

  async open(): Promise<void> {
    this.#pg = await loadPg();
    this.#pool = new this.#pg.Pool({
      ...this.#config(),
      max: this.#options.maxConnections,
      // One that is not used keeps no app alive.
      allowExitOnIdle: true,
      // What is sent one after the other within a transaction is not waited for one by one.
      pipeline: true,
    });
    // Of a connection that nobody uses: the next who needs one makes another.
    this.#pool.on('error', () => {});
    // And of one that is ended in the moment between it is made and somebody has it: his first statement says so.
    this.#pool.on('connect', (client) => client.on('error', () => {}));
  }

  #config(): ClientConfig {
    return {
      connectionString: this.#options.url,
      fallback_application_name: 'unstuck',
      connectionTimeoutMillis: connectTimeoutMs,
      keepAlive: true,
      ...(this.#options.areOthers === true
        ? {}
        : { query_timeout: statementTimeoutMs + connectTimeoutMs, types: numbers(this.#pg as Pg) }),
    };
  }

  /** One of its own, outside the pool: for LISTEN, which needs a session that stays. The caller ends it. */
  async dedicated(): Promise<DedicatedClient> {
    const client = new (this.#pg as Pg).Client(this.#config());
    client.on('error', () => {});
    await client.connect();
    return client as unknown as DedicatedClient;
  }

  async close(): Promise<void> {
    const pool = this.#pool;
    this.#pool = null;
    // Those that idle keep no process, also not while they are ended.
    const alive = setInterval(() => {}, 1000);
    await pool?.end().finally(() => clearInterval(alive));
    clearInterval(alive);
  }

  /** `act` with a connection of the pool. Fails with words for people. */
  async use<T>(act: (client: PoolClient) => Promise<T>): Promise<T> {
    const pool = this.#pool;
    if (pool === null) throw new EngineError(`${this.place} is not open`);
    let client: PoolClient;
    try {
      client = await pool.connect();
    } catch (error) {
      throw engineErrorOf(this.place, error);
    }
    let failure: Error | undefined;
    // Lost while it is ours: the statement under way says so too.
    const lost = (error: Error) => {
      failure = error;
    };
    client.on('error', lost);
    try {
      return await act(client);
    } catch (error) {
      if (!isWhole(error)) failure ??= error as Error;
      throw error;
    } finally {
      client.off('error', lost);
      client.release(failure);
    }
  }

  /** A statement by itself. */
  query: Query = async <Row>(text: string, values: readonly unknown[] = []): Promise<Row[]> => {
    try {
      return await this.use(async (client) => {
        // Sent together, waited for once.
        const [, found] = await Promise.all([
          client.query(this.#beginning().join(';\n')),
          client.query(text, [...values]),
          client.query('COMMIT'),
        ]);
        return found.rows as Row[];
      });
    } catch (error) {
      throw engineErrorOf(this.place, error);
    }
  };

  /**
   * `act` in a transaction; done again from its beginning where another was in its way. `begin` is done first, before the time
   * is read. Errors come as they are.
   */
  async transact<T>(
    begin: Beginning,
    act: (tx: Transaction, begun: QueryArrayResult['rows'][]) => Promise<T>,
  ): Promise<{ value: T; tx: Transaction }> {
    for (let repeats = 0; ; repeats += 1) {
      try {
        return await this.use((client) => this.#once(client, begin, act));
      } catch (error) {
        if (!isToBeRepeated(error) || repeats === mostRepeats) throw error;
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 10 * (repeats + 1)));
      }
    }
  }

  /**
   * So the database's clock stood a moment ago. Each such word is late by its way here: that which was late the least is kept, so that
   * what comes after something here is not written as before it.
   */
  heard(now: number): void {
    const estimate = this.#estimate();
    if (estimate === null || now >= estimate) this.#read = { now, at: performance.now() };
  }

  /** The database's clock, as it was read within the last second, and what has passed since: never ahead of it. */
  #estimate(): number | null {
    const passed = performance.now() - this.#read.at;
    return passed < estimateMs ? this.#read.now + passed : null;
  }

  #beginning(): string[] {
    return [
      'BEGIN',
      ...planning,
      `SET LOCAL statement_timeout = ${statementTimeoutMs}`,
      `SET LOCAL idle_in_transaction_session_timeout = ${idleTimeoutMs}`,
      ...(this.#options.durability === 'normal' ? ['SET LOCAL synchronous_commit = off'] : []),
    ];
  }

  async #once<T>(
    client: PoolClient,
    begin: Beginning,
    act: (tx: Transaction, begun: QueryArrayResult['rows'][]) => Promise<T>,
  ): Promise<{ value: T; tx: Transaction }> {
    const text = [
      ...this.#beginning(),
      ...begin.statements,
      'SELECT extract(epoch FROM clock_timestamp()) * 1000 AS now',
    ].join(';\n');
    try {
      const beginning = client.query(text).then((results) => {
        const each = (results as unknown as { rows: never[] }[]).map(({ rows }) => rows);
        const [read] = each.at(-1) as unknown as [{ now: string }];
        const now = Number(read.now);
        this.heard(now);
        return { begun: each.slice(-begin.statements.length - 1, -1), now };
      });
      const estimate = begin.statements.length > 0 ? null : this.#estimate();
      // Where it brings nothing that is waited for, what follows is sent with it.
      const { begun, now } = estimate === null ? await beginning : { begun: [], now: estimate };
      const query: Query = async <Row>(sql: string, values: readonly unknown[] = []) =>
        (await client.query(sql, [...values])).rows as Row[];
      const tx = new Transaction(query, quoted(this.#options.schema), this.#options.now?.() ?? now);
      const [value] = await Promise.all([act(tx, begun), beginning]);
      await Promise.all([...(await tx.finish()), client.query('COMMIT')]);
      return { value, tx };
    } catch (error) {
      if (isWhole(error)) await client.query('ROLLBACK');
      throw error;
    }
  }
}

/** The server has answered, so the connection goes on: it was the statement. */
function isWhole(error: unknown): boolean {
  const { severity, code = '' } = error as { severity?: string; code?: string };
  if (severity === undefined)
    return error instanceof EngineError || error instanceof TypeError || error instanceof RangeError;
  return severity === 'ERROR' && !code.startsWith('57P') && !code.startsWith('08');
}

/** Whole numbers come as numbers: none of ours is larger than they hold. */
function numbers(pg: Pg): NonNullable<ClientConfig['types']> {
  const bigint = 20;
  return {
    getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
      oid === bigint ? Number : pg.types.getTypeParser(oid, format)) as never,
  };
}

async function loadPg(): Promise<Pg> {
  try {
    const loaded = (await import('pg')) as Pg & { default?: Pg };
    return loaded.default ?? loaded;
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new EngineError("engine 'postgres://…' needs the package pg: npm install pg", { cause: error });
  }
}

function placeOf(url: string): string {
  try {
    const { hostname, port, pathname, searchParams } = new URL(url);
    const host = hostname === '' ? (searchParams.get('host') ?? 'localhost') : hostname;
    return `postgres at ${decodeURIComponent(host)}:${port === '' ? 5432 : port}${pathname === '' ? '' : `, database ${decodeURIComponent(pathname.slice(1))}`}`;
  } catch {
    return 'postgres';
  }
}
