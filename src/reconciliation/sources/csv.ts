// CSV and TSV: every field is text, exactly as it stands there, so that leading zeros and long numbers are kept. An empty field is
// NULL, an empty pair of quotes is an empty text. Rows that do not fit are kept apart, by file and line; none is dropped unseen.

import { join } from 'node:path';
import { type Database, literal, pathLiteral } from '../database.ts';
import { ReconciliationInputError } from '../inputError.ts';
import { type CsvHeader, type CsvOptions, readCsvHeader } from './csvHeader.ts';
import { checkSameColumns, type FoundFile, fingerprintOfFiles, nameIn, prepared } from './files.ts';
import { lineOfOtherEnd, linesAt } from './lines.ts';
import type { OpenRequest, OpenSource, Side, Source } from './source.ts';
import { notUtf8, plainText, readTextFile, type TextFile } from './textFile.ts';

/** `key`: by the names of this side. */
export async function csvSource(
  side: Side,
  path: string,
  found: readonly FoundFile[],
  options: CsvOptions,
  key: readonly string[],
): Promise<Source> {
  const files: TextFile[] = [];
  let dialect: CsvHeader | null = null;
  for (const { path, real, size } of found) {
    const file = await readTextFile(path, real, size, options.encoding ?? null);
    const header = readCsvHeader(path, file.start, file.whole, options, key);
    if (dialect !== null) checkSame(found[0]!.path, dialect, path, header);
    dialect ??= header;
    files.push({ ...file, start: Buffer.alloc(0) });
  }
  const { columns, ...syntax } = dialect!;
  const encodings = files.map((file) => file.encoding);
  return {
    side,
    path,
    size: files.reduce((sum, { size, packing }) => sum + size * (packing === null ? 1 : 5), 0),
    files: found.map((file) => file.real),
    fingerprint: fingerprintOfFiles(found, ['csv', columns, syntax, encodings]),
    columns,
    contents: async () => '',
    open: (request) => openCsv(side, path, files, dialect!, request),
  };
}

function checkSame(firstPath: string, first: CsvHeader, path: string, header: CsvHeader): void {
  checkSameColumns(firstPath, first.columns, path, header.columns);
  if (header.delimiter === first.delimiter && header.quote === first.quote) return;
  const show = ({ delimiter, quote }: CsvHeader) =>
    `the delimiter ${JSON.stringify(delimiter)} and the quote ${JSON.stringify(quote)}`;
  throw new ReconciliationInputError(
    path,
    `${show(first)}, as ${firstPath} has`,
    show(header),
    'Export them alike, or say csv.delimiter and csv.quote.',
  );
}

async function openCsv(
  side: Side,
  path: string,
  files: readonly TextFile[],
  header: CsvHeader,
  request: OpenRequest,
): Promise<OpenSource> {
  const { database, folder, signal } = request;
  const plain = await prepared(files, request, (file, index, read) =>
    plainText(file, join(folder, `${side}-${index}.csv`), signal, read),
  );
  await checkUnnamed(database, path, plain, header);
  const rejects = `store_rejects = true, rejects_limit = 0, rejects_table = '${side}_errors', rejects_scan = '${side}_scans'`;
  return {
    columns: header.columns.map((name) => ({ name, type: 'VARCHAR' })),
    relation: readCsv(plain, header, rejects),
    bytes: files.reduce((sum, file) => sum + file.size, 0),
    contents: '',
    keepRejected: () => keepRejected(database, side, files, plain),
    explain: (error) => explain(path, files, plain, error),
  };
}

function readCsv(plain: readonly string[], header: CsvHeader, more: string): string {
  const names = Array.from({ length: header.columns.length + header.unnamed }, (_, index) => `c${index}`);
  // Nothing is left to DuckDB's sniffer.
  return `read_csv([${plain.map(pathLiteral).join(', ')}], auto_detect = false, header = ${header.header},
    delim = ${literal(header.delimiter)}, quote = ${literal(header.quote)}, escape = ${literal(header.quote)},
    strict_mode = true, compression = 'none', nullstr = '', allow_quoted_nulls = false,
    columns = {${names.map((name) => `'${name}': 'VARCHAR'`).join(', ')}}, ${more})`;
}

/** Columns behind the last name come from spreadsheets, and are empty. A value in one would be lost. */
async function checkUnnamed(
  database: Database,
  path: string,
  plain: readonly string[],
  header: CsvHeader,
): Promise<void> {
  for (let more = 0; more < header.unnamed; more += 1) {
    const index = header.columns.length + more;
    const [row] = await database.rows(
      `SELECT left(c${index}, 40) AS text FROM ${readCsv(plain, header, 'ignore_errors = true')} WHERE c${index} <> '' LIMIT 1`,
    );
    if (row === undefined) continue;
    throw new ReconciliationInputError(
      path,
      `a name for column ${index + 1}, which has values`,
      `none, and the value ${JSON.stringify(row.text)}`,
      'Name it in the header, or remove it.',
    );
  }
}

async function keepRejected(
  database: Database,
  side: Side,
  files: readonly TextFile[],
  plain: readonly string[],
): Promise<void> {
  for (const [index, file] of files.entries()) {
    // The files by the order in which they were named: DuckDB's own numbers are of its scan.
    const of = `(SELECT e.* FROM ${side}_errors e JOIN ${side}_scans s USING (scan_id, file_id)
      WHERE s.file_path = ${literal(plain[index]!)})`;
    const [encoding] = await database.rows(
      `SELECT (min(line_byte_position) - 1)::DOUBLE AS position FROM ${of} WHERE error_type = 'INVALID ENCODING'`,
    );
    const position = encoding!.position as number | null;
    if (position !== null) throw notUtf8(file.path, (await linesAt(plain[index]!, [position]))[0]!);
    await keepOf(database, side, nameIn(files, index), plain[index]!, of);
  }
}

/** `name`: of the file, where there are several. */
async function keepOf(
  database: Database,
  side: Side,
  name: string | null,
  plain: string,
  errors: string,
): Promise<void> {
  // A row can be wrong in several ways: the first is told. DuckDB counts bytes from 1.
  await database.run(
    `INSERT INTO rejected
     SELECT $1, line_byte_position - 1, NULL,
       $2 || first(CASE error_type
         WHEN 'MISSING COLUMNS' THEN ${columnCount}
         WHEN 'TOO MANY COLUMNS' THEN ${columnCount}
         WHEN 'UNQUOTED VALUE' THEN 'expected a closed quote, got text after one or the end of the file'
         WHEN 'LINE SIZE OVER MAXIMUM' THEN 'expected at most 2000000 bytes, got more'
         ELSE lower(error_type::VARCHAR) || ': ' || regexp_extract(error_message, '[^\\n]*') END ORDER BY byte_position),
       first(left(trim(csv_line, e'\\r\\n'), 10000) ORDER BY byte_position)
     FROM ${errors} GROUP BY line_byte_position`,
    [side, name === null ? '' : `${name}: `],
  );
  const rows = await database.rows(
    'SELECT position::DOUBLE AS position FROM rejected WHERE side = $1 AND line IS NULL ORDER BY position',
    [side],
  );
  if (rows.length === 0) return;
  const lines = await linesAt(
    plain,
    rows.map((row) => row.position as number),
  );
  // One statement for any number of rows: the lines go in as one JSON text.
  await database.run(
    `UPDATE rejected SET line = numbered.line
     FROM (SELECT unnest(from_json($2, '["BIGINT"]')) AS line, unnest(from_json($3, '["BIGINT"]')) AS position) numbered
     WHERE side = $1 AND rejected.line IS NULL AND rejected.position = numbered.position`,
    [side, JSON.stringify(lines), JSON.stringify(rows.map((row) => row.position))],
  );
}

const columnCount = `regexp_replace(error_message, '(?s).*Columns: (\\d+) Found: (\\d+).*', 'expected \\1 columns, got \\2')`;

async function explain(
  path: string,
  files: readonly TextFile[],
  plain: readonly string[],
  error: unknown,
): Promise<unknown> {
  if (!(error instanceof Error) || !error.message.includes('invalid state')) return error;
  for (const [index, file] of files.entries()) {
    const line = await lineOfOtherEnd(plain[index]!);
    if (line === null) continue;
    return otherLineEnd(file.path, `another at line ${line}`);
  }
  return otherLineEnd(path, 'several');
}

function otherLineEnd(path: string, got: string): ReconciliationInputError {
  const advice = 'Convert it, for example with dos2unix.';
  return new ReconciliationInputError(path, 'one kind of line end throughout', got, advice);
}
