// JSON Lines: an object a line. All keys of all lines are columns, in the order in which they come first, and every value is text as
// it is written: 12345678901234567890 and 1.10 keep their digits. What is nested is canonical JSON. A null and a key that is not
// there are both NULL, for a table has no third; an empty text is an empty text. Lines that cannot be read are kept apart.

import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import type { Database } from '../database.ts';
import { ReconciliationInputError } from '../inputError.ts';
import { exportedTable, longestRow, TableWriter } from './exportedTable.ts';
import { type FoundFile, fingerprintOfFiles, nameIn, prepared } from './files.ts';
import { membersOf, textOf } from './jsonText.ts';
import type { OpenRequest, OpenSource, Side, Source } from './source.ts';
import { notUtf8, plainText, readTextFile, type TextFile } from './textFile.ts';

export async function jsonLinesSource(
  side: Side,
  path: string,
  found: readonly FoundFile[],
  encoding: string | null,
): Promise<Source> {
  const files: TextFile[] = [];
  for (const { path, real, size } of found) {
    const file = await readTextFile(path, real, size, encoding);
    checkFirstLine(path, file);
    files.push({ ...file, start: Buffer.alloc(0) });
  }
  const encodings = files.map((file) => file.encoding);
  return {
    side,
    path,
    size: files.reduce((sum, { size, packing }) => sum + size * (packing === null ? 1 : 5), 0),
    files: found.map((file) => file.real),
    fingerprint: fingerprintOfFiles(found, ['jsonl', encodings]),
    columns: null,
    contents: async () => '',
    open: (request) => openJsonLines(side, path, files, request),
  };
}

/** An array over many lines is JSON too, and no JSON Lines. */
function checkFirstLine(path: string, { start, whole }: TextFile): void {
  const text = start.toString('utf8');
  const lines = text.split('\n');
  if (!whole && lines.length > 1) lines.pop();
  const first = lines.find((line) => line.trim() !== '')?.trim();
  if (first === undefined)
    throw new ReconciliationInputError(path, 'rows', 'an empty file', 'Check the export that made it.');
  if (!first.startsWith('[')) return;
  const advice = 'Convert it, for example with jq -c .[]';
  throw new ReconciliationInputError(path, 'JSON Lines: an object on each line', 'a JSON array', advice);
}

async function openJsonLines(
  side: Side,
  path: string,
  files: readonly TextFile[],
  request: OpenRequest,
): Promise<OpenSource> {
  const { folder, signal, database } = request;
  const halves = [0, 0.3, 1];
  const half = (index: number): OpenRequest => ({
    ...request,
    progress: (done) => request.progress(halves[index]! + done * (halves[index + 1]! - halves[index]!)),
  });
  const plain: string[] = [];
  const names = new Map<string, number>();
  await prepared(files, half(0), async (file, index, read) => {
    plain.push(await plainText(file, join(folder, `${side}-${index}.jsonl`), signal, () => undefined));
    for await (const line of linesOf(file.path, plain[index]!, read, signal)) {
      const value = objectIn(line.text);
      if (typeof value === 'string') continue;
      for (const name of Object.keys(value)) if (!names.has(name)) names.set(name, names.size);
      if (names.size > mostKeys) throw tooManyKeys(file.path, line.number);
    }
  });
  const table = join(folder, `${side}.csv`);
  const writer = await TableWriter.create(table);
  const rejected: Rejected[] = [];
  try {
    await prepared(files, half(1), async (file, index, read) => {
      const name = nameIn(files, index);
      for await (const line of linesOf(file.path, plain[index]!, read, signal)) {
        const reason = await writeLine(writer, names, line.text);
        if (reason === null) continue;
        rejected.push({ ...line, file: index, reason: name === null ? reason : `${name}: ${reason}` });
        if (rejected.length >= 1000) await store(database, side, rejected.splice(0));
      }
    });
  } finally {
    await writer.close();
  }
  await store(database, side, rejected);
  const columns = [...names.keys()].map((name) => ({ name, type: 'VARCHAR' }));
  return exportedTable(database, side, path, { path: table, bytes: writer.bytes }, columns, '');
}

/** Each is a column of the staging, and of the reports. */
const mostKeys = 2000;

function tooManyKeys(path: string, line: number): ReconciliationInputError {
  const advice = 'Keys that are values, such as ids, belong into a field of their own.';
  return new ReconciliationInputError(path, `at most ${mostKeys} keys`, `more by line ${line}`, advice);
}

interface Line {
  readonly text: string;
  /** From 1. */
  readonly number: number;
}

/** Only a line feed ends a line: other line ends may stand inside a JSON text. */
async function* linesOf(
  path: string,
  plain: string,
  read: (bytes: number) => void,
  signal: AbortSignal,
): AsyncGenerator<Line> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let number = 0;
  let rest = '';
  const decoded = (block?: Buffer): string => {
    try {
      return decoder.decode(block, { stream: block !== undefined });
    } catch {
      throw notUtf8(path, number + 1);
    }
  };
  for await (const block of createReadStream(plain, {
    highWaterMark: 1 << 18,
    signal,
  }) as AsyncIterable<Buffer>) {
    const lines = (rest + decoded(block)).split('\n');
    rest = lines.pop()!;
    for (const text of lines) {
      number += 1;
      if (text.trim() !== '') yield { text, number };
    }
    read(block.length);
  }
  rest += decoded();
  if (rest.trim() !== '') yield { text: rest, number: number + 1 };
}

/** The object; or what is there instead. */
function objectIn(text: string): object | string {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
    return `expected an object, got ${Array.isArray(value) ? 'an array' : value === null ? 'null' : `a ${typeof value}`}`;
  } catch {
    return 'expected an object in JSON, got other text';
  }
}

/** Resolves with why it could not be written, or null. */
async function writeLine(
  writer: TableWriter,
  names: ReadonlyMap<string, number>,
  text: string,
): Promise<string | null> {
  const value = objectIn(text);
  if (typeof value === 'string') return value;
  const fields = new Array<string | null>(names.size).fill(null);
  const seen = new Set<string>();
  for (const [name, member] of membersOf(text)) {
    if (seen.has(name)) return `expected each key once, got ${JSON.stringify(name)} twice`;
    seen.add(name);
    const field = textOf(member);
    if (field?.isWellFormed() === false)
      return `expected text for ${JSON.stringify(name)}, got half a character`;
    fields[names.get(name)!] = field;
  }
  return (await writer.write(fields)) ? null : `expected at most ${longestRow} bytes, got more`;
}

interface Rejected extends Line {
  readonly file: number;
  readonly reason: string;
}

async function store(database: Database, side: Side, rows: readonly Rejected[]): Promise<void> {
  if (rows.length === 0) return;
  const texts = rows.map(({ text, number, file, reason }) => ({
    position: file * 2 ** 40 + number,
    line: number,
    reason,
    text: text.slice(0, 10_000),
  }));
  await database.run(
    `INSERT INTO rejected
     SELECT $1, r.position, r.line, r.reason, r.text
     FROM (SELECT unnest(from_json($2, '[{"position": "BIGINT", "line": "BIGINT", "reason": "VARCHAR", "text": "VARCHAR"}]')) AS r)`,
    [side, JSON.stringify(texts)],
  );
}
