// DuckDB as this job uses it: one private file, one connection, one query at a time, and every query ends soon
// after the signal is aborted. Loaded on first use, so that the package works without it for everything else.

import type { DuckDBConnection, DuckDBInstance, DuckDBValue } from '@duckdb/node-api';
import { ReconciliationInputError } from './inputError.ts';

type Row = Record<string, unknown>;

export interface Database {
  /** Resolves with how many rows were written. */
  run(sql: string, values?: DuckDBValue[]): Promise<number>;
  /** Rows as objects: integers up to 32 bits and DOUBLE are numbers, so counts are cast to DOUBLE. */
  rows(sql: string, values?: DuckDBValue[]): Promise<Row[]>;
  /** All or nothing, on disk when it resolves. */
  transaction<T>(work: () => Promise<T>): Promise<T>;
  close(): void;
}

export interface DatabaseOptions {
  file: string;
  /** Where queries spill to. */
  temp: string;
  memory: string;
  /** Default 2. */
  threads?: number;
  signal?: AbortSignal;
}

/** The file is open elsewhere: another run works in this folder. */
export class DatabaseInUse extends Error {}

/** The file is no DuckDB file of this version, or a broken one. */
export class DatabaseUnreadable extends Error {}

// The file lock that keeps other processes out is the process's own, so it does not keep out a second opening here;
// worse, closing that one would release the lock.
const openHere = new Set<string>();

export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const duckdb = await loadDuckDB();
  if (openHere.has(options.file)) throw new DatabaseInUse();
  openHere.add(options.file);
  let instance: DuckDBInstance | undefined;
  try {
    instance = await duckdb.DuckDBInstance.create(options.file, {
      threads: String(options.threads ?? 2),
      memory_limit: options.memory,
      temp_directory: options.temp,
      // Whatever order matters is asked for; keeping that of the files would take memory.
      preserve_insertion_order: 'false',
      // What is free goes back to the system soon: by default up to 128 MB a thread are kept.
      allocator_flush_threshold: '16MB',
      allocator_bulk_deallocation_flush_threshold: '16MB',
      // Rows of a bucket that wait to be written: with the default of 524,288 nearly all of them would, and be spilled.
      partitioned_write_flush_threshold: '100000',
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
    });
    const connection = await instance.connect();
    // Time zones must not depend on where the job runs, or a resumed run could write other texts than the first.
    await connection.run("SET TimeZone = 'UTC'");
    return new OpenDatabase(options.file, instance, connection, options.signal);
  } catch (error) {
    instance?.closeSync();
    openHere.delete(options.file);
    if (/Could not set lock|already open|being used by another process/i.test(String(error)))
      throw new DatabaseInUse();
    if (/not a valid DuckDB|corrupt|Serialization Error|version number|replaying WAL/i.test(String(error))) {
      throw new DatabaseUnreadable(undefined, { cause: error });
    }
    throw error;
  }
}

class OpenDatabase implements Database {
  readonly #file: string;
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;
  readonly #signal: AbortSignal | undefined;
  #open = true;

  constructor(file: string, instance: DuckDBInstance, connection: DuckDBConnection, signal?: AbortSignal) {
    this.#file = file;
    this.#instance = instance;
    this.#connection = connection;
    this.#signal = signal;
  }

  async run(sql: string, values?: DuckDBValue[]): Promise<number> {
    const result = await this.#interruptible(() => this.#connection.run(sql, values));
    return result.rowsChanged;
  }

  async rows(sql: string, values?: DuckDBValue[]): Promise<Row[]> {
    const reader = await this.#interruptible(() => this.#connection.runAndReadAll(sql, values));
    return reader.getRowObjectsJS();
  }

  async transaction<T>(work: () => Promise<T>): Promise<T> {
    await this.run('BEGIN');
    try {
      const result = await work();
      await this.run('COMMIT');
      return result;
    } catch (error) {
      // Fails where the error already ended the transaction; either way nothing of it is left.
      await this.#connection.run('ROLLBACK').catch(() => undefined);
      throw error;
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#connection.closeSync();
    this.#instance.closeSync();
    openHere.delete(this.#file);
  }

  async #interruptible<T>(query: () => Promise<T>): Promise<T> {
    const signal = this.#signal;
    signal?.throwIfAborted();
    let repeat: NodeJS.Timeout | undefined;
    // An interrupt that comes before the query has really started is lost, so it is repeated until it took.
    const interrupt = () => {
      this.#connection.interrupt();
      repeat ??= setInterval(interrupt, 10);
    };
    signal?.addEventListener('abort', interrupt, { once: true });
    try {
      return await query();
    } catch (error) {
      signal?.throwIfAborted();
      throw explained(error);
    } finally {
      signal?.removeEventListener('abort', interrupt);
      clearInterval(repeat);
    }
  }
}

export async function loadDuckDB(): Promise<typeof import('@duckdb/node-api')> {
  try {
    return await import('@duckdb/node-api');
  } catch (error) {
    // The second code is that of its native part, which is a package of its own for each platform.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') throw error;
    const install = 'Install it: npm install @duckdb/node-api';
    throw new ReconciliationInputError('@duckdb/node-api', 'the package', 'none installed', install);
  }
}

function explained(error: unknown): unknown {
  if (!(error instanceof Error) || !error.message.startsWith('Out of Memory Error')) return error;
  return new Error('DuckDB ran out of memory. Give the reconciliation more, for example memory: 2GB.', {
    cause: error,
  });
}

/** A name inside SQL. Values are parameters; names cannot be. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text inside SQL, for the places that take no parameter: CREATE TABLE AS over read_csv, COPY. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A path to read: DuckDB takes `*`, `?` and `[` in it for a pattern. */
export function pathLiteral(path: string): string {
  return literal(path.replace(/[*?[]/g, '[$&]'));
}
