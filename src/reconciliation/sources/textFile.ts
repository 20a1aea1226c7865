// A file of text, whatever it is packed and encoded in. What is no plain UTF-8 is written out as such, once, into the
// private folder: one way for all, in which a file that ends early or holds other bytes is an error and never fewer rows.

import { isUtf8 } from 'node:buffer';
import { createReadStream, createWriteStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { ReconciliationInputError } from '../inputError.ts';

export type Packing = 'gzip' | 'zstd' | null;

export interface TextFile {
  /** As messages name it. */
  readonly path: string;
  readonly real: string;
  /** Bytes on disk. */
  readonly size: number;
  readonly packing: Packing;
  /** As TextDecoder names it: `utf-8`, `utf-16le`, `windows-1252`, … */
  readonly encoding: string;
  /** Its beginning as UTF-8, without a byte order mark; `whole` says that nothing follows. */
  readonly start: Buffer;
  readonly whole: boolean;
}

const startBytes = 1 << 20;
const blockBytes = 1 << 18;

/** `encoding`: what the user says it is; null: UTF-8, or UTF-16 where the bytes show it. */
export async function readTextFile(
  path: string,
  real: string,
  size: number,
  encoding: string | null,
): Promise<TextFile> {
  const packing = packingOf(await firstBytes(real, 4));
  const { bytes, whole } =
    packing === null
      ? await firstBytes(real, startBytes).then((bytes) => ({ bytes, whole: bytes.length === size }))
      : await unpackedStart(path, real, packing);
  refuseOtherKinds(path, bytes);
  const found = encodingOf(bytes, encoding);
  let start = bytes.subarray(found.mark);
  if (!found.encoding.startsWith('utf-')) refuseUtf8(path, start, found.encoding);
  if (found.encoding !== 'utf-8') start = decodedStart(path, start, found.encoding, whole);
  else checkUtf8(path, start, whole);
  return { path, real, size, packing, encoding: found.encoding, start, whole };
}

/** The path of its text as plain UTF-8: its own where it is that, else that of a copy in `target`. */
export async function plainText(
  { path, real, packing, encoding }: TextFile,
  target: string,
  signal: AbortSignal,
  read: (bytes: number) => void,
): Promise<string> {
  if (packing === null && encoding === 'utf-8') return real;
  const source = createReadStream(real, { highWaterMark: blockBytes });
  source.on('data', (block) => read(block.length));
  const steps: Transform[] = [];
  if (packing !== null) steps.push(unpacker(packing));
  if (encoding !== 'utf-8') steps.push(decoder(path, encoding));
  try {
    await pipeline([source, ...steps, createWriteStream(target, { mode: 0o600 })], { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw packingError(path, packing, error);
  }
  return target;
}

export async function firstBytes(real: string, length: number): Promise<Buffer> {
  const file = await open(real);
  try {
    return await readAt(file, 0, length);
  } finally {
    await file.close();
  }
}

export async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

function packingOf(start: Buffer): Packing {
  if (start[0] === 0x1f && start[1] === 0x8b) return 'gzip';
  return start.length === 4 && start.readUInt32BE() === 0x28b52ffd ? 'zstd' : null;
}

function unpacker(packing: 'gzip' | 'zstd'): Transform {
  return packing === 'gzip' ? createGunzip() : createZstdDecompress();
}

/** Reads no more of the file than its start needs. */
async function unpackedStart(
  path: string,
  real: string,
  packing: 'gzip' | 'zstd',
): Promise<{ bytes: Buffer; whole: boolean }> {
  const source = createReadStream(real, { highWaterMark: blockBytes });
  const unpacked = unpacker(packing);
  source.on('error', (error) => unpacked.destroy(error));
  source.pipe(unpacked);
  const blocks: Buffer[] = [];
  let length = 0;
  try {
    for await (const block of unpacked as AsyncIterable<Buffer>) {
      blocks.push(block);
      length += block.length;
      if (length > startBytes) break;
    }
  } catch (error) {
    throw packingError(path, packing, error);
  } finally {
    source.destroy();
  }
  return { bytes: Buffer.concat(blocks).subarray(0, startBytes), whole: length <= startBytes };
}

function packingError(path: string, packing: Packing, error: unknown): unknown {
  const { code = '' } = error as NodeJS.ErrnoException;
  if (packing === null || !/^(Z_|ZSTD_|ERR_ZSTD|ERR_ZLIB|ERR_BUFFER_TOO)/.test(code)) return error;
  const got = /unexpected end/.test(String(error)) ? 'one that ends early' : 'one that is damaged';
  return new ReconciliationInputError(path, `a whole ${packing} file`, got, 'Copy or export it again.');
}

/** A byte order mark decides, then what the user says, then a NUL at every other byte, which no other text has. */
function encodingOf(bytes: Buffer, told: string | null): { encoding: string; mark: number } {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return { encoding: 'utf-8', mark: 3 };
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return { encoding: 'utf-16le', mark: 2 };
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return { encoding: 'utf-16be', mark: 2 };
  if (told !== null) return { encoding: new TextDecoder(told).encoding, mark: 0 };
  const some = bytes.subarray(0, 4096);
  const nuls = [0, 0];
  for (const [at, byte] of some.entries()) if (byte === 0) nuls[at % 2]! += 1;
  const pairs = Math.floor(some.length / 2);
  if (pairs >= 4 && nuls[1]! > 0.8 * pairs && nuls[0] === 0) return { encoding: 'utf-16le', mark: 0 };
  if (pairs >= 4 && nuls[0]! > 0.8 * pairs && nuls[1] === 0) return { encoding: 'utf-16be', mark: 0 };
  return { encoding: 'utf-8', mark: 0 };
}

/** Text that is UTF-8 beyond ASCII is hardly anything else by chance, and would be read wrong without a word. */
function refuseUtf8(path: string, bytes: Buffer, encoding: string): void {
  const isAscii = bytes.every((byte) => byte < 0x80);
  if (isAscii || !isUtf8(bytes.subarray(0, wholeCharacters(bytes)))) return;
  const advice = 'Say the encoding for the other side only: csv.left or csv.right (--csv left.encoding=…).';
  throw new ReconciliationInputError(path, `${encoding} text`, 'UTF-8', advice);
}

/** Where the last character that may be cut in two begins. */
function wholeCharacters(bytes: Buffer): number {
  let end = bytes.length;
  for (let back = 1; back <= 3 && back <= bytes.length; back += 1)
    if (bytes[bytes.length - back]! >= 0xc0) end = bytes.length - back;
  return end;
}

function decodedStart(path: string, bytes: Buffer, encoding: string, whole: boolean): Buffer {
  try {
    return Buffer.from(new TextDecoder(encoding, { fatal: true }).decode(bytes, { stream: !whole }));
  } catch (error) {
    throw notDecoded(path, encoding, error);
  }
}

function decoder(path: string, encoding: string): Transform {
  // Without a byte order mark: TextDecoder takes it away.
  const text = new TextDecoder(encoding, { fatal: true });
  const decoded = (block: Buffer | undefined, done: (error: Error | null, data?: Buffer) => void) => {
    try {
      done(null, Buffer.from(block === undefined ? text.decode() : text.decode(block, { stream: true })));
    } catch (error) {
      done(notDecoded(path, encoding, error));
    }
  };
  return new Transform({
    transform: (block, _, done) => decoded(block, done),
    flush: (done) => decoded(undefined, done),
  });
}

function notDecoded(path: string, encoding: string, error: unknown): Error {
  if (!(error instanceof TypeError)) return error as Error;
  const advice = 'Say another csv.encoding, or export it again as UTF-8.';
  return new ReconciliationInputError(path, `${encoding} text`, 'bytes that are none', advice);
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

/** Which other encoding it is the bytes do not tell: nearly every text is valid in all of the old ones. */
export function notUtf8(path: string, line: number): ReconciliationInputError {
  return new ReconciliationInputError(
    path,
    'UTF-8 text',
    `other bytes at line ${line}`,
    'Say what it is, such as csv.encoding windows-1252 (--csv encoding=windows-1252), or convert it, for example with iconv -f WINDOWS-1252 -t UTF-8.',
  );
}

function refuseOtherKinds(path: string, start: Buffer): void {
  if (start.length < 4 || start.readUInt32BE() !== 0x504b0304) return;
  throw new ReconciliationInputError(
    path,
    'CSV, JSON Lines or Parquet',
    'a zip archive or an Excel workbook',
    'Unpack it, or save the sheet as CSV (UTF-8).',
  );
}
