// Which kind of source a side is: by its address, else by what is in its files, whatever they are called. Each kind has a file in
// sources/. Cheap enough to run in the host before a job is submitted.

import { open } from 'node:fs/promises';
import type { CheckedInput } from './input.ts';
import { ReconciliationInputError } from './inputError.ts';
import { keyOf } from './mapping.ts';
import { isAddress, parseAddress } from './sources/address.ts';
import { csvSource } from './sources/csv.ts';
import { type FoundFile, findFiles } from './sources/files.ts';
import { jsonLinesSource } from './sources/jsonLines.ts';
import { isParquet, parquetSource } from './sources/parquet.ts';
import { postgresSource } from './sources/postgres.ts';
import type { Side, Source } from './sources/source.ts';
import { sqliteSource } from './sources/sqlite.ts';
import { firstBytes, readAt, readTextFile } from './sources/textFile.ts';

export type { OpenSource, Side, Source, TypedColumn } from './sources/source.ts';

type SourceInput = Pick<CheckedInput, 'left' | 'right' | 'csv' | 'key' | 'map'>;

/** Throws a ReconciliationInputError that names the source as `input` does. */
export async function inspectSource(side: Side, input: SourceInput): Promise<Source> {
  const path = input[side];
  if (isAddress(path)) {
    return parseAddress(path).kind === 'sqlite' ? sqliteSource(side, path) : postgresSource(side, path);
  }
  const files = await findFiles(path);
  if (await areParquet(path, files)) return parquetSource(side, path, files);
  const options = input.csv[side];
  const first = files[0]!;
  await refuseDatabase(first);
  const { start } = await readTextFile(first.path, first.real, first.size, options.encoding ?? null);
  // No CSV begins so; a file that is called .json may be an array, which is told.
  const isJson =
    /^\s*\{/.test(start.toString('utf8', 0, 1024)) || /\.(jsonl|ndjson|json)(\.gz|\.zst)?$/i.test(first.real);
  return isJson
    ? jsonLinesSource(side, path, files, options.encoding ?? null)
    : csvSource(side, path, files, options, keyOf(input, side));
}

/** Throws when a file is no longer what it was: rows of two versions must not be mixed. A table is read in one snapshot. */
export async function checkUnchanged(source: Source, input: SourceInput): Promise<void> {
  if (isAddress(source.path)) return;
  const now = await inspectSource(source.side, input);
  if (now.fingerprint === source.fingerprint) return;
  throw new ReconciliationInputError(
    source.path,
    'a file at rest',
    'one that changed while it was read',
    'Run again when nothing writes to it any more.',
  );
}

async function areParquet(path: string, files: readonly FoundFile[]): Promise<boolean> {
  const kinds: boolean[] = [];
  for (const file of files) kinds.push(await isParquet(file.path, file.real, await lastBytes(file)));
  const other = kinds.findIndex((kind) => kind !== kinds[0]);
  if (other === -1) return kinds[0]!;
  const name = (isIt: boolean) => (isIt ? 'Parquet' : 'text');
  throw new ReconciliationInputError(
    path,
    'files of one kind',
    `${name(kinds[0]!)} in ${files[0]!.path} and ${name(kinds[other]!)} in ${files[other]!.path}`,
    'Name the files of one kind by a narrower pattern.',
  );
}

async function lastBytes({ real, size }: FoundFile): Promise<Buffer> {
  const file = await open(real);
  try {
    return await readAt(file, Math.max(4, size - 4), 4);
  } finally {
    await file.close();
  }
}

async function refuseDatabase({ path, real }: FoundFile): Promise<void> {
  if ((await firstBytes(real, 15)).toString('latin1') !== 'SQLite format 3') return;
  const advice = `Name the table: sqlite:${path}?table=NAME`;
  throw new ReconciliationInputError(path, 'CSV, JSON Lines or Parquet', 'an SQLite file', advice);
}
