// One side's file, as far as it can be judged without DuckDB: that it is there, is a file, can be read, is CSV or
// Parquet, and which columns a CSV has. Cheap enough to run in the host before a job is submitted.

import { createHash } from 'node:crypto';
import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { type CsvHeader, readCsvHeader } from './csvHeader.ts';
import { ReconciliationInputError } from './inputError.ts';

export type Side = 'left' | 'right';

export interface Source {
  readonly side: Side;
  /** As the messages name it. */
  readonly path: string;
  readonly real: string;
  readonly size: number;
  /** Changes with the file: its path, size, time and content (samples of it, all of a small one). */
  readonly fingerprint: string;
  /** Null for Parquet, whose columns DuckDB tells. */
  readonly csv: CsvHeader | null;
}

const headerBytes = 1 << 20;
const sampleBytes = 1 << 16;
const samples = 16;

export async function inspectSource(side: Side, path: string): Promise<Source> {
  try {
    const info = await stat(path);
    if (!info.isFile()) {
      const got = info.isDirectory() ? 'a directory' : 'something that is no regular file';
      throw new ReconciliationInputError(path, 'a CSV or Parquet file', got, 'Give the path of a file.');
    }
    const file = await open(path);
    try {
      return await inspect(side, path, file);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw readable(path, error);
  }
}

/** Throws when the file is no longer what it was: rows of two versions must not be mixed. */
export async function checkUnchanged(source: Source): Promise<void> {
  const now = await inspectSource(source.side, source.path);
  if (now.fingerprint === source.fingerprint) return;
  throw new ReconciliationInputError(
    source.path,
    'a file at rest',
    'one that changed while it was read',
    'Run again when nothing writes to it any more.',
  );
}

async function inspect(side: Side, path: string, file: FileHandle): Promise<Source> {
  const info = await file.stat({ bigint: true });
  const size = Number(info.size);
  if (size === 0) {
    throw new ReconciliationInputError(
      path,
      'a header and rows',
      'an empty file',
      'Check the export that made it.',
    );
  }
  const start = await readAt(file, 0, headerBytes);
  refuseOtherKinds(path, start);
  const parquet = start.subarray(0, 4).toString('latin1') === 'PAR1';
  if (parquet && (await readAt(file, Math.max(4, size - 4), 4)).toString('latin1') !== 'PAR1') {
    throw new ReconciliationInputError(
      path,
      'a whole Parquet file',
      'one without its end',
      'Copy or export it again.',
    );
  }
  const csv = parquet ? null : readCsvHeader(path, start, start.length === size);
  const real = await realpath(path);
  const hash = createHash('sha256').update(JSON.stringify([real, size, String(info.mtimeNs)]));
  for (let sample = 0; sample < samples; sample += 1) {
    const position = Math.floor((Math.max(0, size - sampleBytes) * sample) / (samples - 1));
    hash.update(await readAt(file, position, sampleBytes));
    if (size <= sampleBytes) break;
  }
  return { side, path, real, size, fingerprint: hash.digest('hex'), csv };
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

const otherKinds: readonly [bytes: number[], kind: string, advice: string][] = [
  [[0x1f, 0x8b], 'a gzip file', 'Unpack it first: gunzip.'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'a zstd file', 'Unpack it first: unzstd.'],
  [
    [0x50, 0x4b, 0x03, 0x04],
    'a zip archive or an Excel workbook',
    'Unpack it, or save the sheet as CSV (UTF-8).',
  ],
  [[0xff, 0xfe], 'UTF-16 text', 'Convert it: iconv -f UTF-16 -t UTF-8.'],
  [[0xfe, 0xff], 'UTF-16 text', 'Convert it: iconv -f UTF-16 -t UTF-8.'],
];

function refuseOtherKinds(path: string, start: Buffer): void {
  for (const [bytes, kind, advice] of otherKinds) {
    if (bytes.every((byte, index) => start[index] === byte)) {
      throw new ReconciliationInputError(path, 'CSV (UTF-8) or Parquet', kind, advice);
    }
  }
}

function readable(path: string, error: unknown): unknown {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new ReconciliationInputError(path, 'a file', 'no such file', 'Check the path.');
    case 'EACCES':
    case 'EPERM':
      return new ReconciliationInputError(
        path,
        'a file that can be read',
        'permission denied',
        'Check its rights.',
      );
    default:
      return error;
  }
}
