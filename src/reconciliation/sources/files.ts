// The files that a path or a pattern names: that they are there, can be read, and whether they are still what they were.

import { createHash } from 'node:crypto';
import { glob, open, realpath, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { listNames, ReconciliationInputError } from '../inputError.ts';
import type { OpenRequest } from './source.ts';
import { readAt } from './textFile.ts';

export interface FoundFile {
  /** As messages name it. */
  readonly path: string;
  readonly real: string;
  readonly size: number;
  /** Its name, size, time and content (samples of it, all of a small one), as a hash. */
  readonly fingerprint: string;
}

const sampleBytes = 1 << 16;
const samples = 16;

/** One file, or those that a pattern names, sorted. A file that is really called so comes before the pattern. */
export async function findFiles(path: string): Promise<FoundFile[]> {
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  if (isThere || !/[*?[{]/.test(path)) return [await findFile(path)];
  const names: string[] = [];
  for await (const entry of glob(path, { withFileTypes: false })) names.push(entry);
  const files: FoundFile[] = [];
  for (const name of names.sort()) {
    const info = await stat(name).catch(() => null);
    if (info === null || !info.isDirectory()) files.push(await findFile(name));
  }
  if (files.length > 0) return files;
  throw new ReconciliationInputError(
    path,
    'a pattern that names a file',
    'no file of such a name',
    'Check the path; quote the pattern, so that the shell leaves it alone.',
  );
}

export async function findFile(
  path: string,
  expected = 'a CSV, JSON Lines or Parquet file',
): Promise<FoundFile> {
  try {
    const info = await stat(path, { bigint: true });
    if (!info.isFile()) {
      const got = info.isDirectory() ? 'a directory' : 'something that is no regular file';
      throw new ReconciliationInputError(path, expected, got, 'Give the path of a file.');
    }
    return { path, ...(await identify(path)) };
  } catch (error) {
    throw readable(path, error);
  }
}

async function identify(path: string): Promise<Omit<FoundFile, 'path'>> {
  const file = await open(path);
  try {
    const info = await file.stat({ bigint: true });
    const size = Number(info.size);
    if (size === 0) {
      const advice = 'Check the export that made it.';
      throw new ReconciliationInputError(path, 'a header and rows', 'an empty file', advice);
    }
    const real = await realpath(path);
    // By its name and not its folder, so that what came by standard input is known again.
    const hash = createHash('sha256').update(JSON.stringify([basename(real), size, String(info.mtimeNs)]));
    for (let sample = 0; sample < samples; sample += 1) {
      const position = Math.floor((Math.max(0, size - sampleBytes) * sample) / (samples - 1));
      hash.update(await readAt(file, position, sampleBytes));
      if (size <= sampleBytes) break;
    }
    return { real, size, fingerprint: hash.digest('hex') };
  } finally {
    await file.close();
  }
}

/** `more`: what else makes another source of the same files. */
export function fingerprintOfFiles(files: readonly FoundFile[], more: unknown): string {
  const parts = [files.map((file) => file.fingerprint), more];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

export function checkSameColumns(
  firstPath: string,
  first: readonly string[],
  path: string,
  columns: readonly string[],
): void {
  if (first.length === columns.length && first.every((name, index) => name === columns[index])) return;
  throw new ReconciliationInputError(
    path,
    `the columns of ${firstPath} (${listNames(first)})`,
    listNames(columns),
    'The files of one side must have the same columns in the same order.',
  );
}

/** Of one among several: what a message about a row adds. */
export function nameIn(files: readonly { path: string }[], index: number): string | null {
  return files.length === 1 ? null : basename(files[index]!.path);
}

/** One file after the other; tells how far all of them are, by bytes. */
export async function prepared<F extends { size: number }, T>(
  files: readonly F[],
  { progress }: OpenRequest,
  prepare: (file: F, index: number, read: (bytes: number) => void) => Promise<T>,
): Promise<T[]> {
  const total = files.reduce((sum, file) => sum + file.size, 0);
  let done = 0;
  const made: T[] = [];
  for (const [index, file] of files.entries()) {
    made.push(
      await prepare(file, index, (bytes) => {
        done += bytes;
        progress(done / total);
      }),
    );
  }
  return made;
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
