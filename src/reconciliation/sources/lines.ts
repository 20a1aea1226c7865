// Says at which line of a file something stands. DuckDB counts rows, and a row may hold line breaks; a person who
// opens the file in an editor counts lines.

import { createReadStream } from 'node:fs';

const LF = 10;
const CR = 13;
const QUOTE = 34;

/** The line (from 1) of the row at each byte position; `positions` ascending. */
export async function linesAt(path: string, positions: readonly number[]): Promise<number[]> {
  const lines: number[] = [];
  let line = 1;
  let at = 0;
  let previous = 0;
  for await (const block of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    for (const byte of block) {
      // A carriage return ends a line by itself only when no line feed follows it.
      if (previous === CR && byte !== LF) line += 1;
      // DuckDB counts the line ends and blank lines before a row as its beginning.
      const blank = byte === LF || byte === CR;
      while (!blank && lines.length < positions.length && positions[lines.length]! <= at) lines.push(line);
      if (byte === LF) line += 1;
      previous = byte;
      at += 1;
    }
    if (lines.length === positions.length) break;
  }
  while (lines.length < positions.length) lines.push(line);
  return lines;
}

/** The first line (from 1) that ends otherwise than the header does, or null. */
export async function lineOfOtherEnd(path: string): Promise<number | null> {
  let header: string | null = null;
  let line = 1;
  let quoted = false;
  let pendingCr = false;
  const ends = (kind: string): boolean => {
    header ??= kind;
    if (kind !== header) return true;
    line += 1;
    return false;
  };
  for await (const block of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    for (const byte of block) {
      if (pendingCr) {
        pendingCr = false;
        if (ends(byte === LF ? 'CRLF' : 'CR')) return line;
        if (byte === LF) continue;
      }
      if (byte === QUOTE) quoted = !quoted;
      else if (quoted) {
        if (byte === LF) line += 1;
      } else if (byte === CR) pendingCr = true;
      else if (byte === LF && ends('LF')) return line;
    }
  }
  return null;
}
