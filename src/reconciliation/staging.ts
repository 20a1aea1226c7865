// The private DuckDB file of a run: both sides, staged once, and which chunks are done. It, and not the engine's
// checkpoint, decides what is left to do. Either it is whole (its last write is `meta`) or it counts as absent, and
// whoever has it open is the only run in this out folder.

import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Database, DatabaseInUse, DatabaseUnreadable, loadDuckDB, openDatabase } from './database.ts';
import { exactDecimal } from './exactDecimal.ts';
import type { CheckedInput } from './input.ts';
import { ReconciliationInputError } from './inputError.ts';
import { columnsOf, commonTypes, hashKeys, loadSide } from './load.ts';
import { duckdbShare } from './memory.ts';
import { openRows } from './partitions.ts';
import { type Plan, planColumns } from './plan.ts';
import { stagingName } from './reportFiles.ts';
import { limitOfKeys, limitOfPart } from './sample.ts';
import { checkUnchanged, type Side, type Source } from './source.ts';

export interface Staging {
  readonly id: string;
  readonly buckets: number;
  readonly plan: Plan;
  readonly folder: string;
  readonly database: Database;
}

export interface StagingRequest {
  readonly input: CheckedInput;
  readonly sources: { left: Source; right: Source };
  readonly fingerprint: string;
  readonly buckets: number;
  /** The staging the last checkpoint came from. */
  readonly expected: string | null;
  readonly signal: AbortSignal;
}

const removedPrefix = `${stagingName}-removed-`;

/** The staging of an earlier attempt or run where it still holds, else a new one. */
export async function resumeOrStage(request: StagingRequest): Promise<Staging> {
  const { input } = request;
  // Before a folder is made, so that without DuckDB none is left.
  await loadDuckDB();
  const created = await makeOut(input.out);
  await removeLeftovers(input.out);
  const found = await openStaging(input, request.signal);
  if (input.checkpoint && found.staging !== null && found.fingerprint === request.fingerprint) {
    // `fresh` is for the first attempt: the later ones resume what it began.
    if (!input.fresh || found.staging.id === request.expected) return found.staging;
  }
  await removeStaging(input.out, found.database);
  const { database } = await openStaging(input, request.signal);
  try {
    if (!input.checkpoint) {
      // The file only keeps others out: all of it is in memory, and what memory cannot hold in the spill folder.
      await database.run("ATTACH ':memory:' AS in_one_piece");
      await database.run('USE in_one_piece');
    }
    return await stage(request, database);
  } catch (error) {
    await removeStaging(input.out, database);
    if (created !== undefined) await removeEmptyFolders(input.out, created);
    throw error;
  }
}

interface Found {
  database: Database;
  staging: Staging | null;
  fingerprint: string | null;
}

/** Opens the file as it is found, or an empty one. The caller closes it, or removes it. */
export async function openStaging(input: CheckedInput, signal?: AbortSignal): Promise<Found> {
  const folder = join(input.out, stagingName);
  const file = join(folder, 'staging.duckdb');
  const open = async () => {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const { memoryLimit: memory, threads } = duckdbShare(input.memory);
    const temp = join(folder, 'temp');
    const database = await openDatabase({ file, temp, memory, threads, signal });
    // What a killed run has spilled: nobody else can be at it, for the file is ours now.
    await rm(temp, { recursive: true, force: true });
    return database;
  };
  let database: Database;
  try {
    database = await open().catch(async (error) => {
      if (!(error instanceof DatabaseUnreadable)) throw error;
      // It is only staging: begin with a new one.
      await rm(folder, { recursive: true, force: true });
      return open();
    });
    // Another run that just finished may have taken the folder away after the file was opened.
    if (!existsSync(file)) {
      database.close();
      throw new DatabaseInUse();
    }
  } catch (error) {
    if (!(error instanceof DatabaseInUse)) throw error;
    const expected = 'an out folder that no other run works in';
    throw new ReconciliationInputError(
      input.out,
      expected,
      'one in use',
      'Wait for that run, or choose another out.',
    );
  }
  try {
    return { database, ...(await readMeta(folder, database)) };
  } catch (error) {
    database.close();
    throw error;
  }
}

async function readMeta(folder: string, database: Database): Promise<Omit<Found, 'database'>> {
  const tables = await database.rows(`SELECT 1 FROM duckdb_tables() WHERE table_name = 'meta'`);
  if (tables.length === 0) return { staging: null, fingerprint: null };
  const [row] = await database.rows('SELECT id, fingerprint, buckets, plan FROM meta');
  const plan = JSON.parse(String(row!.plan)) as Plan;
  await openRows(database, folder);
  return {
    staging: { id: String(row!.id), buckets: Number(row!.buckets), plan, folder, database },
    fingerprint: String(row!.fingerprint),
  };
}

async function stage(request: StagingRequest, database: Database): Promise<Staging> {
  const { input, sources, buckets } = request;
  const folder = join(input.out, stagingName);
  const left = await columnsOf(database, sources.left);
  const right = await columnsOf(database, sources.right);
  const plan = planColumns(
    input,
    { path: sources.left.path, columns: left.map((column) => column.name) },
    { path: sources.right.path, columns: right.map((column) => column.name) },
  );
  const types = await commonTypes(database, plan, left, right);
  await database.run(
    'CREATE TABLE rejected (side VARCHAR, position BIGINT, line BIGINT, reason VARCHAR, text VARCHAR)',
  );
  const sample = await sampleLimit(input, sources, plan, types, database);
  await loadSide(database, sources.left, plan, types.left, buckets, folder, sample);
  await loadSide(database, sources.right, plan, types.right, buckets, folder, sample);
  await checkUnchanged(sources.left);
  await checkUnchanged(sources.right);

  const id = randomUUID();
  const keyTypes = plan.key.map((column, index) => `k${index} ${types.left[column.left]}`);
  await database.transaction(async () => {
    await database.run(exactDecimal);
    await database.run(
      `CREATE TABLE chunks (bucket USMALLINT, runs INTEGER, done BOOLEAN,
         left_rows BIGINT, right_rows BIGINT, mismatched BIGINT, only_left BIGINT, only_right BIGINT,
         left_duplicate_keys BIGINT, right_duplicate_keys BIGINT, left_duplicate_rows BIGINT, right_duplicate_rows BIGINT)`,
    );
    await database.run(
      `INSERT INTO chunks
       SELECT range, 0, false, coalesce(l.n, 0), coalesce(r.n, 0), 0, 0, 0, 0, 0, 0, 0 FROM range(${buckets})
       LEFT JOIN (SELECT bucket, count(*) AS n FROM left_rows GROUP BY bucket) l ON l.bucket = range
       LEFT JOIN (SELECT bucket, count(*) AS n FROM right_rows GROUP BY bucket) r ON r.bucket = range`,
    );
    await database.run(
      `CREATE TABLE differences (${keyTypes.join(', ')}, field USMALLINT, "left" VARCHAR, "right" VARCHAR)`,
    );
    for (const side of ['left', 'right']) {
      for (const kind of ['only', 'duplicate']) {
        await database.run(
          `CREATE TABLE ${kind}_${side} AS SELECT * EXCLUDE (bucket) FROM ${side}_rows LIMIT 0`,
        );
      }
    }
    await database.run('CREATE TABLE meta (id VARCHAR, fingerprint VARCHAR, buckets INTEGER, plan VARCHAR)');
    const values = [id, request.fingerprint, buckets, JSON.stringify(plan)];
    await database.run('INSERT INTO meta VALUES ($1, $2, $3, $4)', values);
  });
  return { id, buckets, plan, folder, database };
}

/** What the sample's hash of a key stays below; null: all keys are compared. */
async function sampleLimit(
  { sample }: CheckedInput,
  sources: StagingRequest['sources'],
  plan: Plan,
  types: Record<Side, string[]>,
  database: Database,
): Promise<bigint | null> {
  if (sample === null) return null;
  if (sample.endsWith('%')) return limitOfPart(sample);
  // How many keys are below a hash only reading them shows.
  await database.run('CREATE TEMP TABLE hashes (hash UBIGINT)');
  await hashKeys(database, sources.left, plan, types.left);
  await hashKeys(database, sources.right, plan, types.right);
  const limit = await limitOfKeys(database, sample);
  await database.run('DROP TABLE hashes');
  return limit;
}

/** Away in one step while the file's lock is still held, so that no other run sees half of it. */
export async function removeStaging(out: string, database: Database): Promise<void> {
  const removed = join(out, `${removedPrefix}${randomUUID()}`);
  const staging = join(out, stagingName);
  // Windows renames no folder with an open file in it, and someone may have removed it: then it just goes.
  const renamed = await rename(staging, removed).then(
    () => true,
    () => false,
  );
  database.close();
  await rm(renamed ? removed : staging, { recursive: true, force: true });
}

/** Resolves with the first folder it had to make. */
async function makeOut(out: string): Promise<string | undefined> {
  try {
    return await mkdir(out, { recursive: true });
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    const advice = 'Check its rights, or choose another out.';
    throw new ReconciliationInputError(out, 'a folder that can be written', 'permission denied', advice);
  }
}

async function removeLeftovers(out: string): Promise<void> {
  for (const name of await readdir(out)) {
    if (name.startsWith(removedPrefix)) await rm(join(out, name), { recursive: true, force: true });
  }
}

/** From `folder` up to `first`, which mkdir made; stops at one that holds something. */
async function removeEmptyFolders(folder: string, first: string): Promise<void> {
  for (let path = folder; path.length >= first.length; path = dirname(path)) {
    try {
      await rmdir(path);
    } catch {
      return;
    }
  }
}
