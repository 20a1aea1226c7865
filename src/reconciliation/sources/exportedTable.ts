// Rows on their way from where they are to DuckDB: a CSV file in the private folder, in which NULL and the empty text are two
// things, and whose first column is never empty, so that a row of NULLs is a row.

import { type FileHandle, open } from 'node:fs/promises';
import { type Database, pathLiteral } from '../database.ts';
import { ReconciliationInputError } from '../inputError.ts';
import type { OpenSource, Side, TypedColumn } from './source.ts';

/** What DuckDB takes as one row. */
export const longestRow = 2_000_000;

export class TableWriter {
  readonly #file: FileHandle;
  #text = '';
  bytes = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async create(path: string): Promise<TableWriter> {
    return new TableWriter(await open(path, 'w', 0o600));
  }

  /** Resolves when more may come. False: the row is too long, and not written. */
  async write(fields: readonly (string | null)[]): Promise<boolean> {
    let row = '1';
    for (const field of fields) row += field === null ? ',' : `,"${field.replaceAll('"', '""')}"`;
    if (row.length > longestRow / 3 && Buffer.byteLength(row) >= longestRow) return false;
    this.#text += `${row}\n`;
    if (this.#text.length > 1 << 18) await this.#flush();
    return true;
  }

  async #flush(): Promise<void> {
    const block = Buffer.from(this.#text);
    this.#text = '';
    this.bytes += block.length;
    await this.#file.writeFile(block);
  }

  /** Once more than once is the same. */
  async close(): Promise<void> {
    try {
      await this.#flush();
    } finally {
      await this.#file.close();
    }
  }
}

interface ExportedFile {
  readonly path: string;
  readonly bytes: number;
}

/** `file`: as TableWriter makes it, with a column of anything before those named. */
export function exportedTable(
  database: Database,
  side: Side,
  path: string,
  file: ExportedFile,
  columns: readonly TypedColumn[],
  contents: string,
): OpenSource {
  const typed = columns.map(({ type }, index) => `CAST(e${index} AS ${type}) AS c${index}`);
  const rejects = `store_rejects = true, rejects_limit = 0, rejects_table = '${side}_errors', rejects_scan = '${side}_scans'`;
  return {
    columns,
    relation: `(SELECT ${typed.join(', ')} FROM ${readExported(file, columns.length, rejects)})`,
    bytes: file.bytes,
    contents,
    async keepRejected() {
      const [error] = await database.rows(`SELECT error_type::VARCHAR AS kind FROM ${side}_errors LIMIT 1`);
      if (error === undefined) return;
      if (error.kind === 'LINE SIZE OVER MAXIMUM') throw rowTooLong(path);
      throw new Error(`${path}: its rows were exported wrongly: ${String(error.kind)}`);
    },
    explain: async (error) => error,
  };
}

/** Count and sum of the checksums in the first column. */
export async function contentsOf(database: Database, file: ExportedFile, columns: number): Promise<string> {
  const [row] = await database.rows(
    `SELECT count(*) || ' ' || coalesce(sum(CAST(e AS BIGINT)), 0) AS contents
     FROM ${readExported(file, columns, 'ignore_errors = true')}`,
  );
  return String(row!.contents);
}

function readExported({ path }: ExportedFile, columns: number, more: string): string {
  const names = ['e', ...Array.from({ length: columns }, (_, index) => `e${index}`)];
  return `read_csv(${pathLiteral(path)}, auto_detect = false, header = false, delim = ',', quote = '"', escape = '"',
    strict_mode = true, compression = 'none', nullstr = '', allow_quoted_nulls = false,
    columns = {${names.map((name) => `'${name}': 'VARCHAR'`).join(', ')}}, ${more})`;
}

export function rowTooLong(path: string): ReconciliationInputError {
  return new ReconciliationInputError(
    path,
    `rows of at most ${longestRow} bytes`,
    'a longer one',
    'Leave its long column out, with ?query=SELECT ….',
  );
}
