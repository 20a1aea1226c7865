// Reads the first record of a CSV file, so that the names of the columns never depend on a guess: the first line
// is the header, unless it is said that there is none. What is found out is the delimiter and the quote.

import { ReconciliationInputError } from '../inputError.ts';

export interface CsvHeader {
  readonly columns: readonly string[];
  readonly delimiter: string;
  /** '' for none. */
  readonly quote: string;
  /** Whether the first line is one. */
  readonly header: boolean;
  /** Columns behind the last that has a name. They must be empty. */
  readonly unnamed: number;
}

/** What a user says of a CSV file; what is left out is found. */
export interface CsvOptions {
  /** One character. Default: the one of `,`, `;`, tab and `|` that stands most often in the first line. */
  delimiter?: string;
  /** One character, or '' for none. Default: `"`, or `'` where every name of the header stands in those. */
  quote?: string;
  /**
   * Whether the first line names the columns. Default true, unless the key is of names such as `column1`, which are those of a
   * file without one.
   */
  header?: boolean;
  /** As TextDecoder takes it: `windows-1252`, `iso-8859-2`, `utf-16le`. Default: UTF-8, or UTF-16 where the bytes show it. */
  encoding?: string;
}

const delimiters = [',', ';', '\t', '|'];

/** `start` is the beginning of its text; `whole` says that nothing follows it. `key`: by the names of this side. */
export function readCsvHeader(
  path: string,
  start: Buffer,
  whole: boolean,
  options: CsvOptions,
  key: readonly string[],
): CsvHeader {
  const text = start.toString('utf8');
  if (text.trim() === '') {
    throw new ReconciliationInputError(
      path,
      'a header and rows',
      'an empty file',
      'Check the export that made it.',
    );
  }
  const quote = options.quote ?? quoteOf(text);
  const end = endOfRecord(text, quote);
  if (end === -1 && !whole) {
    throw new ReconciliationInputError(
      path,
      'a header within the first megabyte',
      'none',
      'Check its quotes: one that opens in the header and never closes swallows the rest.',
    );
  }
  const record = end === -1 ? text : text.slice(0, end);
  const unpacked = path.replace(/\.(gz|zst)$/i, '');
  const delimiter =
    options.delimiter ?? mostFrequent(record, quote, /\.(tsv|tab)$/i.test(unpacked) ? '\t' : ',');
  const fields = splitRecord(path, record, delimiter, quote);
  const numbered = fields.map((_, index) => `column${index + 1}`);
  if (options.header === false || (options.header === undefined && isNumbered(key, fields, numbered)))
    return { columns: numbered, delimiter, quote, header: false, unnamed: 0 };
  refuseData(path, fields, key);
  const columns = [...fields];
  while (columns.length > 1 && columns.at(-1) === '') columns.pop();
  checkNames(path, columns);
  if (whole && (end === -1 || text.slice(end).trim() === '')) {
    throw new ReconciliationInputError(
      path,
      'rows below the header',
      'none',
      'Check the export that made it.',
    );
  }
  return { columns, delimiter, quote, header: true, unnamed: fields.length - columns.length };
}

/** The key can only be meant for a file without a header. */
function isNumbered(key: readonly string[], fields: readonly string[], numbered: readonly string[]): boolean {
  return key.length > 0 && key.every((name) => numbered.includes(name) && !fields.includes(name));
}

/** A first line of numbers and dates, none of which is a key, names nothing. */
function refuseData(path: string, fields: readonly string[], key: readonly string[]): void {
  if (key.some((name) => fields.includes(name))) return;
  const isData = (field: string) => field === '' || /^[-+]?[\d.,/: -]*\d[\d.,/: TZ-]*$/.test(field);
  if (!fields.every(isData)) return;
  throw new ReconciliationInputError(
    path,
    'a header',
    'a first line of numbers',
    'If it has no header, say csv.header false (--csv header=no): its columns are then column1, column2 and so on.',
  );
}

function quoteOf(text: string): string {
  return /^'[^'\r\n]*'([,;\t|]'[^'\r\n]*')*[\r\n]/.test(text) ? "'" : '"';
}

/** Where the first line end outside quotes stands, or -1. */
function endOfRecord(text: string, quote: string): number {
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === quote) quoted = !quoted;
    else if (!quoted && (char === '\n' || char === '\r')) return at;
  }
  return -1;
}

/** The usual delimiter of such a file, unless another one stands in the header more often. */
function mostFrequent(record: string, quote: string, usual: string): string {
  const bare = record
    .split(quote === '' ? '\n' : quote)
    .filter((_, index) => index % 2 === 0)
    .join('');
  const count = (delimiter: string) => bare.split(delimiter).length - 1;
  return delimiters.reduce((best, delimiter) => (count(delimiter) > count(best) ? delimiter : best), usual);
}

function splitRecord(path: string, record: string, delimiter: string, quote: string): string[] {
  const names: string[] = [];
  let name = '';
  let quoted = false;
  for (let at = 0; at < record.length; at += 1) {
    const char = record[at]!;
    if (char === quote) {
      if (quoted && record[at + 1] === quote) {
        name += quote;
        at += 1;
      } else quoted = !quoted;
    } else if (char === delimiter && !quoted) {
      names.push(name);
      name = '';
    } else name += char;
  }
  if (quoted) {
    throw new ReconciliationInputError(path, 'a header', 'one with an open quote', 'Close the quote.');
  }
  return [...names, name];
}

function checkNames(path: string, columns: readonly string[]): void {
  columns.forEach((name, index) => {
    if (name === '') {
      const got = `none for column ${index + 1} of ${columns.length}`;
      throw new ReconciliationInputError(
        path,
        'a name for each column',
        got,
        'Name it in the header, or remove it.',
      );
    }
    const first = columns.indexOf(name);
    if (first !== index) {
      const got = `${JSON.stringify(name)} for columns ${first + 1} and ${index + 1}`;
      throw new ReconciliationInputError(path, 'each header name once', got, 'Rename one of them.');
    }
  });
}
