// A table or a query of an SQLite file, read by node:sqlite, which never writes to it. Its columns have the type of what is
// really in them: SQLite keeps any value in any column. Integers are exact past 2^53; a blob is `\x` and its bytes in hexadecimal,
// as PostgreSQL shows one.

import { join } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { setImmediate as turn } from 'node:timers/promises';
import { identifier } from '../database.ts';
import { listNames, ReconciliationInputError } from '../inputError.ts';
import { type Address, parseAddress, shownSource } from './address.ts';
import { exportedTable, rowTooLong, TableWriter } from './exportedTable.ts';
import { type FoundFile, findFile, fingerprintOfFiles } from './files.ts';
import type { OpenRequest, OpenSource, Side, Source, TypedColumn } from './source.ts';
import { firstBytes } from './textFile.ts';

type Value = null | bigint | number | string | Uint8Array;

export async function sqliteSource(side: Side, address: string): Promise<Source> {
  const path = shownSource(address);
  const { place, asked } = parseAddress(address);
  const name = place.replace(/^sqlite:(\/\/(?=\/))?/i, '');
  const file = await findFile(name, 'an SQLite file');
  if ((await firstBytes(file.real, 16)).toString('latin1') !== 'SQLite format 3\0')
    throw new ReconciliationInputError(name, 'an SQLite file', 'another file', 'Check the path.');
  // What was written and is not in the file yet.
  const log = await findFile(`${file.real}-wal`).catch(() => null);
  const files = log === null ? [file] : [file, log];
  const columns = await reading(path, file, asked, async (statement) => namesOf(path, statement));
  return {
    side,
    path,
    size: files.reduce((sum, { size }) => sum + size, 0),
    files: [file.real],
    fingerprint: fingerprintOfFiles(files, ['sqlite', asked]),
    columns,
    contents: async () => '',
    open: (request) => openSqlite(side, path, file, asked, request),
  };
}

async function openSqlite(
  side: Side,
  path: string,
  file: FoundFile,
  asked: Address['asked'],
  { database, folder, signal, progress }: OpenRequest,
): Promise<OpenSource> {
  return reading(path, file, asked, async (statement) => {
    const names = namesOf(path, statement);
    const kinds = names.map(() => new ColumnKind());
    const table = join(folder, `${side}.csv`);
    const writer = await TableWriter.create(table);
    try {
      let rows = 0;
      for (const row of statement.iterate() as Iterable<unknown> as Iterable<Value[]>) {
        const isWritten = await writer.write(row.map((value, index) => kinds[index]!.textOf(value)));
        if (!isWritten) throw rowTooLong(path);
        rows += 1;
        if (rows % 1000 !== 0) continue;
        // Reading is synchronous: signs of life and requests to stop come in between.
        await turn();
        signal.throwIfAborted();
        progress(Math.min(0.99, writer.bytes / file.size));
      }
    } catch (error) {
      throw refused(path, error);
    } finally {
      await writer.close();
    }
    const columns: TypedColumn[] = names.map((name, index) => ({ name, type: kinds[index]!.type }));
    return exportedTable(database, side, path, { path: table, bytes: writer.bytes }, columns, '');
  });
}

/** What is in a column: BIGINT or DOUBLE where all of it is such numbers, else text. */
class ColumnKind {
  #integers = false;
  #reals = false;
  #texts = false;
  /** An integer that a DOUBLE would round. */
  #long = false;

  textOf(value: Value): string | null {
    switch (typeof value) {
      case 'bigint':
        this.#integers = true;
        this.#long ||= value > 2n ** 53n || value < -(2n ** 53n);
        return String(value);
      case 'number': {
        this.#reals = true;
        const text = String(value);
        return /^-?\d+$/.test(text) ? `${text}.0` : text;
      }
      case 'string':
        this.#texts = true;
        return value;
      default:
        if (value === null) return null;
        this.#texts = true;
        return `\\x${Buffer.from(value).toString('hex')}`;
    }
  }

  get type(): string {
    if (this.#texts || (this.#integers && this.#reals && this.#long)) return 'VARCHAR';
    if (this.#reals) return 'DOUBLE';
    return this.#integers ? 'BIGINT' : 'VARCHAR';
  }
}

async function reading<T>(
  path: string,
  file: FoundFile,
  asked: Address['asked'],
  read: (statement: StatementSync) => Promise<T>,
): Promise<T> {
  // Loaded on first use: Node 22 warns that it is experimental.
  const { DatabaseSync } = await import('node:sqlite');
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file.real, { readOnly: true, timeout: 5000 });
    const statement = database.prepare('table' in asked ? ofTable(path, database, asked.table) : asked.query);
    statement.setReadBigInts(true);
    statement.setReturnArrays(true);
    return await read(statement);
  } catch (error) {
    throw refused(path, error);
  } finally {
    database?.close();
  }
}

function ofTable(path: string, database: DatabaseSync, name: string): string {
  const found = database
    .prepare(
      `SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY name`,
    )
    .all()
    .map((row) => String(row.name));
  // SQLite takes a name in any case.
  const exact = found.find((other) => other.toLowerCase() === name.toLowerCase());
  if (exact !== undefined) return `SELECT * FROM ${identifier(exact)}`;
  throw new ReconciliationInputError(
    path,
    found.length === 0 ? 'a table' : `one of the tables ${listNames(found)}`,
    JSON.stringify(name),
    'Check the spelling.',
  );
}

function namesOf(path: string, statement: StatementSync): string[] {
  const names = statement.columns().map((column) => column.name);
  checkQueryNames(path, names);
  return names;
}

/** Throws where rows could not be told apart by column. */
export function checkQueryNames(path: string, names: readonly string[]): void {
  const advice = 'Name them in the query: SELECT a AS b, ….';
  if (names.length === 0)
    throw new ReconciliationInputError(path, 'a query with rows', 'a statement without', 'Ask with SELECT.');
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw new ReconciliationInputError(path, 'each column once', `${JSON.stringify(twice)} twice`, advice);
}

function refused(path: string, error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code !== 'ERR_SQLITE_ERROR') return error;
  const advice = /locked|busy/.test(message) ? 'Wait for who writes to it.' : 'Correct it and run again.';
  return new ReconciliationInputError(path, 'a table or a query that SQLite can read', message, advice);
}
