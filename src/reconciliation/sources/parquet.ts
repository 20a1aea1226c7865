// Parquet: typed columns, as the file says. DuckDB reads it where it is.

import { type Database, pathLiteral } from '../database.ts';
import { ReconciliationInputError } from '../inputError.ts';
import { checkSameColumns, type FoundFile, fingerprintOfFiles } from './files.ts';
import type { OpenSource, Side, Source, TypedColumn } from './source.ts';
import { firstBytes } from './textFile.ts';

export function parquetSource(side: Side, path: string, files: readonly FoundFile[]): Source {
  return {
    side,
    path,
    // It is packed: its rows are about four times what the file is.
    size: files.reduce((sum, file) => sum + file.size * 4, 0),
    files: files.map((file) => file.real),
    fingerprint: fingerprintOfFiles(files, 'parquet'),
    columns: null,
    contents: async () => '',
    open: ({ database }) => openParquet(database, path, files),
  };
}

/** By its first bytes, whatever its name is. Throws where it begins so and has no end. */
export async function isParquet(path: string, real: string, end: Buffer): Promise<boolean> {
  if ((await firstBytes(real, 4)).toString('latin1') !== 'PAR1') return false;
  if (end.toString('latin1') === 'PAR1') return true;
  throw new ReconciliationInputError(
    path,
    'a whole Parquet file',
    'one without its end',
    'Copy or export it again.',
  );
}

async function openParquet(
  database: Database,
  path: string,
  files: readonly FoundFile[],
): Promise<OpenSource> {
  let columns: TypedColumn[] = [];
  for (const file of files) {
    const found = await describe(database, file);
    if (file === files[0]) columns = found;
    else checkSameColumns(files[0]!.path, shown(columns), file.path, shown(found));
  }
  const paths = files.map((file) => pathLiteral(file.real)).join(', ');
  const names = columns.map((_, index) => `c${index}`).join(', ');
  return {
    columns,
    relation: `read_parquet([${paths}]) AS t(${names})`,
    bytes: files.reduce((sum, file) => sum + file.size, 0),
    contents: '',
    keepRejected: async () => undefined,
    explain: async (error) => unreadable(path, error),
  };
}

async function describe(database: Database, file: FoundFile): Promise<TypedColumn[]> {
  try {
    const rows = await database.rows(`DESCRIBE SELECT * FROM read_parquet(${pathLiteral(file.real)})`);
    return rows.map((row) => ({ name: String(row.column_name), type: String(row.column_type) }));
  } catch (error) {
    throw unreadable(file.path, error);
  }
}

/** As a message about files that are not alike shows them. */
function shown(columns: readonly TypedColumn[]): string[] {
  return columns.map(({ name, type }) => `${name} ${type}`);
}

function unreadable(path: string, error: unknown): unknown {
  const message = error instanceof Error ? error.message : '';
  if (!/^(Invalid Input|Invalid|Not implemented) Error|^(TProtocol|Out of Range)/i.test(message))
    return error;
  const advice = 'Export it again, or as CSV.';
  const expected = 'a Parquet file that DuckDB can read';
  return new ReconciliationInputError(path, expected, message.split('\n')[0]!, advice);
}
