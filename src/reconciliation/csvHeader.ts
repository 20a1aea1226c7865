// Reads the first record of a CSV file, so that the names of the columns never depend on a guess: the first line
// is the header, always. The only thing found out is the delimiter.

import { isUtf8 } from 'node:buffer';
import { ReconciliationInputError } from './inputError.ts';

export interface CsvHeader {
  readonly columns: readonly string[];
  readonly delimiter: string;
}

const delimiters = [',', ';', '\t', '|'];

/** `start` is the beginning of the file; `whole` says that nothing follows it. */
export function readCsvHeader(path: string, start: Buffer, whole: boolean): CsvHeader {
  const bom = start[0] === 0xef && start[1] === 0xbb && start[2] === 0xbf ? 3 : 0;
  const bytes = start.subarray(bom);
  checkUtf8(path, bytes, whole);
  const text = bytes.toString('utf8');
  if (text.trim() === '') {
    throw new ReconciliationInputError(
      path,
      'a header and rows',
      'an empty file',
      'Check the export that made it.',
    );
  }
  const end = endOfRecord(text);
  if (end === -1 && !whole) {
    throw new ReconciliationInputError(
      path,
      'a header within the first megabyte',
      'none',
      'Check its quotes: one that opens in the header and never closes swallows the rest.',
    );
  }
  const record = end === -1 ? text : text.slice(0, end);
  const delimiter = mostFrequent(record, /\.(tsv|tab)$/i.test(path) ? '\t' : ',');
  const columns = splitRecord(path, record, delimiter);
  checkNames(path, columns);
  if (whole && (end === -1 || text.slice(end).trim() === '')) {
    throw new ReconciliationInputError(
      path,
      'rows below the header',
      'none',
      'Check the export that made it.',
    );
  }
  return { columns, delimiter };
}

function checkUtf8(path: string, bytes: Buffer, whole: boolean): void {
  // The end may cut a character in two: leave its bytes out.
  let end = bytes.length;
  if (!whole) while (end > 0 && (bytes[end - 1]! & 0b1000_0000) !== 0) end -= 1;
  if (isUtf8(bytes.subarray(0, end))) return;
  let line = 1;
  let from = 0;
  for (;;) {
    const newline = bytes.indexOf(10, from);
    if (newline === -1 || !isUtf8(bytes.subarray(from, newline))) break;
    line += 1;
    from = newline + 1;
  }
  throw notUtf8(path, line);
}

export function notUtf8(path: string, line: number): ReconciliationInputError {
  return new ReconciliationInputError(
    path,
    'UTF-8 text',
    `other bytes at line ${line}`,
    'Convert it, for example with iconv -f WINDOWS-1252 -t UTF-8.',
  );
}

/** Where the first line end outside quotes stands, or -1. */
function endOfRecord(text: string): number {
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === '"') quoted = !quoted;
    else if (!quoted && (char === '\n' || char === '\r')) return at;
  }
  return -1;
}

/** The usual delimiter of such a file, unless another one stands in the header more often. */
function mostFrequent(record: string, usual: string): string {
  const bare = record.replace(/"[^"]*"/g, '');
  const count = (delimiter: string) => bare.split(delimiter).length - 1;
  return delimiters.reduce((best, delimiter) => (count(delimiter) > count(best) ? delimiter : best), usual);
}

function splitRecord(path: string, record: string, delimiter: string): string[] {
  const names: string[] = [];
  let name = '';
  let quoted = false;
  for (let at = 0; at < record.length; at += 1) {
    const char = record[at]!;
    if (char === '"') {
      if (quoted && record[at + 1] === '"') {
        name += '"';
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
