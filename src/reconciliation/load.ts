// Reads one side into its table of the staging file: each row once, with the bucket of its key, in the order of the
// buckets, so that a chunk reads its own part of the table and nothing else. Rows that cannot be read are kept too.

import { notUtf8 } from './csvHeader.ts';
import { type Database, literal, pathLiteral } from './database.ts';
import { listNames, ReconciliationInputError } from './inputError.ts';
import { lineOfOtherEnd, linesAt } from './lines.ts';
import { writeRows } from './partitions.ts';
import type { Plan } from './plan.ts';
import { isInSample, sampleHash } from './sample.ts';
import type { Side, Source } from './source.ts';

export interface TypedColumn {
  readonly name: string;
  readonly type: string;
}

/** The columns of a file: text for CSV, always; as the file says for Parquet. */
export async function columnsOf(database: Database, source: Source): Promise<TypedColumn[]> {
  if (source.csv !== null) return source.csv.columns.map((name) => ({ name, type: 'VARCHAR' }));
  try {
    const rows = await database.rows(`DESCRIBE SELECT * FROM read_parquet(${pathLiteral(source.real)})`);
    return rows.map((row) => ({ name: String(row.column_name), type: String(row.column_type) }));
  } catch (error) {
    throw await unreadable(source, error);
  }
}

/**
 * The types the rows are staged in. A column both sides have gets one type: the one a UNION of them has (an
 * INTEGER and a BIGINT meet as BIGINT, DECIMALs at their widest), text where a side is text or no type holds both.
 */
export async function commonTypes(
  database: Database,
  plan: Plan,
  left: TypedColumn[],
  right: TypedColumn[],
): Promise<Record<Side, string[]>> {
  const types = { left: left.map((column) => column.type), right: right.map((column) => column.type) };
  for (const [index, { name, type }] of left.entries()) {
    const other = plan.right.indexOf(name);
    if (other === -1 || types.right[other] === type) continue;
    const common = await commonType(database, type, types.right[other]!);
    types.left[index] = common;
    types.right[other] = common;
  }
  return types;
}

async function commonType(database: Database, one: string, other: string): Promise<string> {
  if (one === 'VARCHAR' || other === 'VARCHAR') return 'VARCHAR';
  try {
    const [row] = await database.rows(`DESCRIBE (SELECT NULL::${one} AS v UNION ALL SELECT NULL::${other})`);
    return String(row!.column_type);
  } catch {
    return 'VARCHAR';
  }
}

/** Fills `left_rows` or `right_rows`, and `rejected` with what could not be read. Resolves with the row count. */
export async function loadSide(
  database: Database,
  source: Source,
  plan: Plan,
  types: string[],
  buckets: number,
  /** Of the staging. */
  folder: string,
  /** What the sample's hash of a key stays below; null: all keys. */
  sample: bigint | null = null,
): Promise<void> {
  const { side } = source;
  const letter = side === 'left' ? 'l' : 'r';
  const columns = types.map((type, index) => `CAST(c${index} AS ${type}) AS ${letter}${index}`);
  const key = keyOf(side, plan, types);
  try {
    const select = `SELECT CAST(hash(${key.join(', ')}) % ${buckets} AS USMALLINT) AS bucket, ${columns.join(', ')}
      FROM ${reader(source, types.length)} ${sample === null ? '' : `WHERE ${isInSample(key, sample)}`}`;
    // One bucket is read in one go, and from memory.
    if (buckets === 1) await database.run(`CREATE TABLE ${side}_rows AS ${select}`);
    else await writeRows(database, folder, side, select, types);
  } catch (error) {
    throw await unreadable(source, error);
  }
  if (source.csv !== null) await keepRejected(database, source);
  if (sample === null) await refuseEmpty(database, source);
}

function keyOf(side: Side, plan: Plan, types: string[]): string[] {
  return plan.key.map((column) => `CAST(c${column[side]} AS ${types[column[side]]})`);
}

/** Adds to the table `hashes` the sample's hash of each key. */
export async function hashKeys(
  database: Database,
  source: Source,
  plan: Plan,
  types: string[],
): Promise<void> {
  const hash = sampleHash(keyOf(source.side, plan, types));
  try {
    await database.run(`INSERT INTO hashes SELECT DISTINCT ${hash} FROM ${reader(source, types.length)}`);
  } catch (error) {
    throw await unreadable(source, error);
  }
}

function reader(source: Source, columns: number): string {
  const path = pathLiteral(source.real);
  const names = Array.from({ length: columns }, (_, index) => `c${index}`);
  if (source.csv === null) return `read_parquet(${path}) AS t(${names.join(', ')})`;
  // Nothing is left to DuckDB's sniffer. An empty field is NULL, an empty pair of quotes is an empty text.
  return `read_csv(${path}, auto_detect = false, header = true, delim = ${literal(source.csv.delimiter)},
    quote = '"', escape = '"', strict_mode = true, compression = 'none', nullstr = '', allow_quoted_nulls = false,
    columns = {${names.map((name) => `'${name}': 'VARCHAR'`).join(', ')}},
    store_rejects = true, rejects_limit = 0,
    rejects_table = '${source.side}_errors', rejects_scan = '${source.side}_scans')`;
}

async function keepRejected(database: Database, source: Source): Promise<void> {
  const errors = `${source.side}_errors`;
  const encoding = await database.rows(
    `SELECT (min(line_byte_position) - 1)::DOUBLE AS position FROM ${errors} WHERE error_type = 'INVALID ENCODING'`,
  );
  const position = encoding[0]!.position as number | null;
  if (position !== null) throw notUtf8(source.path, (await linesAt(source.real, [position]))[0]!);

  // A row can be wrong in several ways: the first is told. DuckDB counts bytes from 1.
  await database.run(
    `INSERT INTO rejected
     SELECT $1, line_byte_position - 1, NULL,
       first(CASE error_type
         WHEN 'MISSING COLUMNS' THEN ${columnCount}
         WHEN 'TOO MANY COLUMNS' THEN ${columnCount}
         WHEN 'UNQUOTED VALUE' THEN 'expected a closed quote, got text after one or the end of the file'
         WHEN 'LINE SIZE OVER MAXIMUM' THEN 'expected at most 2000000 bytes, got more'
         ELSE lower(error_type::VARCHAR) || ': ' || regexp_extract(error_message, '[^\\n]*') END ORDER BY byte_position),
       first(left(trim(csv_line, e'\\r\\n'), 10000) ORDER BY byte_position)
     FROM ${errors} GROUP BY line_byte_position`,
    [source.side],
  );
  const rows = await database.rows(
    'SELECT position::DOUBLE AS position FROM rejected WHERE side = $1 ORDER BY position',
    [source.side],
  );
  if (rows.length === 0) return;
  const lines = await linesAt(
    source.real,
    rows.map((row) => row.position as number),
  );
  // One statement for any number of rows: the lines go in as one JSON text.
  await database.run(
    `UPDATE rejected SET line = numbered.line
     FROM (SELECT unnest(from_json($2, '["BIGINT"]')) AS line, unnest(from_json($3, '["BIGINT"]')) AS position) numbered
     WHERE side = $1 AND rejected.position = numbered.position`,
    [source.side, JSON.stringify(lines), JSON.stringify(rows.map((row) => row.position))],
  );
}

const columnCount = `regexp_replace(error_message, '(?s).*Columns: (\\d+) Found: (\\d+).*', 'expected \\1 columns, got \\2')`;

async function refuseEmpty(database: Database, source: Source): Promise<void> {
  const [{ count } = { count: 0 }] = await database.rows(
    `SELECT count(*)::DOUBLE AS count FROM ${source.side}_rows`,
  );
  if (count !== 0) return;
  const rejected = await database.rows(
    'SELECT line::DOUBLE AS line, reason FROM rejected WHERE side = $1 ORDER BY position LIMIT 1',
    [source.side],
  );
  if (rejected.length === 0) {
    throw new ReconciliationInputError(source.path, 'rows', 'none', 'Check the export that made it.');
  }
  throw new ReconciliationInputError(
    source.path,
    `rows with the header's columns (${listNames(source.csv?.columns ?? [])})`,
    `only malformed ones, the first at line ${rejected[0]!.line}: ${rejected[0]!.reason}`,
    'Check its delimiter and quotes.',
  );
}

async function unreadable(source: Source, error: unknown): Promise<unknown> {
  const message = error instanceof Error ? error.message : '';
  if (source.csv !== null && message.includes('invalid state')) {
    const line = await lineOfOtherEnd(source.real);
    return new ReconciliationInputError(
      source.path,
      'one kind of line end throughout',
      line === null ? 'several' : `another at line ${line}`,
      'Convert it, for example with dos2unix.',
    );
  }
  if (
    !/^(Invalid Input|Conversion|Invalid|Not implemented|Binder) Error|^(TProtocol|Out of Range)/i.test(
      message,
    )
  )
    return error;
  const kind =
    source.csv === null ? 'a Parquet file that DuckDB can read' : 'a CSV file that DuckDB can read';
  return new ReconciliationInputError(
    source.path,
    kind,
    message.split('\n')[0]!,
    'Export it again, or as CSV.',
  );
}
