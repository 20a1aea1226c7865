// The private DuckDB file of a run: both sides, staged once, and which chunks are done. It, and not the engine's
// checkpoint, decides what is left to do. Either it is whole (its last write is `meta`) or it counts as absent, and
// whoever has it open is the only run in this out folder.

import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Database, DatabaseInUse, DatabaseUnreadable, loadDuckDB, openDatabase } from './database.ts';
import type { CheckedInput } from './input.ts';
import { ReconciliationInputError } from './inputError.ts';
import { commonTypes, hashKeys, loadSide } from './load.ts';
import { duckdbShare } from './memory.ts';
import { openRows } from './partitions.ts';
import { settlePass } from './passes/plannedPass.ts';
import { type Plan, planColumns } from './plan.ts';
import { stagingName } from './reportFiles.ts';
import { findTypes } from './rules/findTypes.ts';
import { readingMacros } from './rules/readingMacros.ts';
import { limitOfKeys, limitOfPart } from './sample.ts';
import { checkUnchanged, type OpenSource, type Side, type Source } from './source.ts';
import { part, type Report, reportReading } from './stagingProgress.ts';

export interface Staging {
  readonly id: string;
  readonly buckets: number;
  /** Chunks in all: a bucket each, and as many for each matching pass. */
  readonly steps: number;
  readonly plan: Plan;
  readonly folder: string;
  readonly database: Database;
  /** Made by this attempt, not found. */
  readonly isNew: boolean;
}

export interface StagingRequest {
  readonly input: CheckedInput;
  readonly sources: { left: Source; right: Source };
  readonly fingerprint: string;
  readonly buckets: number;
  /** The staging the last checkpoint came from. */
  readonly expected: string | null;
  readonly signal: AbortSignal;
  readonly progress: Report;
  /** Is told why what an earlier run left is not gone on with. */
  readonly startsOver: (why: string) => void;
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
  try {
    if (input.checkpoint && (await isToBeResumed(request, found))) return found.staging!;
  } catch (error) {
    found.database.close();
    throw error;
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
  /** What the sources held whose fingerprints do not say. */
  contents: string | null;
}

async function isToBeResumed(request: StagingRequest, found: Found): Promise<boolean> {
  const { staging, fingerprint, contents } = found;
  const { input, sources, signal, startsOver } = request;
  if (staging === null) return false;
  if (fingerprint !== request.fingerprint) {
    startsOver('an input or an option has changed');
    return false;
  }
  // `fresh` is for the first attempt: the later ones resume what it began, and go on with the rows of tables that it read.
  if (staging.id === request.expected) return true;
  if (input.fresh) return false;
  const now = [await sources.left.contents(signal), await sources.right.contents(signal)];
  if (contents === JSON.stringify(now)) return true;
  startsOver('the rows of a table have changed');
  return false;
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
  if (tables.length === 0) return { staging: null, fingerprint: null, contents: null };
  const [row] = await database.rows('SELECT * FROM meta');
  const plan = JSON.parse(String(row!.plan)) as Plan;
  const buckets = Number(row!.buckets);
  await openRows(database, folder);
  return {
    staging: {
      ...{ id: String(row!.id), buckets, steps: stepsOf(buckets, plan.passes) },
      ...{ plan, folder, database, isNew: false },
    },
    fingerprint: String(row!.fingerprint),
    contents: String(row!.contents),
  };
}

async function stage(request: StagingRequest, database: Database): Promise<Staging> {
  const { input, sources, buckets } = request;
  for (const macro of readingMacros) await database.run(macro);
  await database.run(
    'CREATE TABLE rejected (side VARCHAR, position BIGINT, line BIGINT, reason VARCHAR, text VARCHAR)',
  );
  const { folder, opened, loading } = await openSources(request, database);
  const columns = { left: opened.left.columns, right: opened.right.columns };
  const told = planColumns(
    input,
    { path: sources.left.path, columns: columns.left.map((column) => column.name) },
    { path: sources.right.path, columns: columns.right.map((column) => column.name) },
  );
  const types = await commonTypes(database, told, columns.left, columns.right);
  const rows = join(input.out, stagingName);
  const sample = await sampleLimit(input, sources, opened, told, types, database);
  for (const side of ['left', 'right'] as const) {
    await reportReading(opened[side].bytes, loading[side], () =>
      loadSide(database, sources[side], opened[side], told, types[side], { buckets, folder: rows, sample }),
    );
    await checkUnchanged(sources[side], input);
  }
  await rm(folder, { recursive: true, force: true });
  const found = await findTypes(database, told, columns);
  const ruleOf = (name: string) => found.compared.find((column) => column.name === name)?.rule ?? null;
  const plan = { ...found, passes: found.passes.map((pass) => settlePass(pass, ruleOf)) };
  const steps = stepsOf(buckets, plan.passes);

  const id = randomUUID();
  const keyTypes = plan.key.map((column, index) => `k${index} ${types.left[column.left]}`);
  await database.transaction(async () => {
    await database.run(
      `CREATE TABLE chunks (bucket USMALLINT, runs INTEGER, done BOOLEAN,
         left_rows BIGINT, right_rows BIGINT, mismatched BIGINT, only_left BIGINT, only_right BIGINT,
         left_duplicate_keys BIGINT, right_duplicate_keys BIGINT, left_duplicate_rows BIGINT, right_duplicate_rows BIGINT,
         duplicate_pairs BIGINT DEFAULT 0, pass_matches BIGINT DEFAULT 0, pass_left BIGINT DEFAULT 0,
         pass_right BIGINT DEFAULT 0, pass_bounded BIGINT DEFAULT 0)`,
    );
    await database.run(
      `INSERT INTO chunks BY NAME
       SELECT range AS bucket, 0 AS runs, false AS done, coalesce(l.n, 0) AS left_rows, coalesce(r.n, 0) AS right_rows,
         0 AS mismatched, 0 AS only_left, 0 AS only_right, 0 AS left_duplicate_keys, 0 AS right_duplicate_keys,
         0 AS left_duplicate_rows, 0 AS right_duplicate_rows FROM range(${steps})
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
    await database.run(
      'CREATE TABLE meta (id VARCHAR, fingerprint VARCHAR, buckets INTEGER, plan VARCHAR, contents VARCHAR)',
    );
    const contents = JSON.stringify([opened.left.contents, opened.right.contents]);
    const values = [id, request.fingerprint, buckets, JSON.stringify(plan), contents];
    await database.run('INSERT INTO meta VALUES ($1, $2, $3, $4, $5)', values);
  });
  return { id, buckets, steps, plan, folder: join(input.out, stagingName), database, isNew: true };
}

interface Opened {
  /** With what was unpacked, converted or exported. */
  folder: string;
  opened: Record<Side, OpenSource>;
  loading: Record<Side, Report>;
}

/** Both sides, and what is left of the progress for reading them. A side's part of the progress is as large as it is. */
async function openSources(request: StagingRequest, database: Database): Promise<Opened> {
  const { input, sources, signal, progress } = request;
  const folder = join(input.out, stagingName, 'sources');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const share = sources.left.size / (sources.left.size + sources.right.size);
  let done = 0;
  const open = async (side: Side, size: number): Promise<OpenSource> => {
    const whole = part(progress, done, done + size / 2);
    let isPrepared = false;
    const opened = await sources[side].open({
      database,
      folder,
      signal,
      progress(done) {
        isPrepared = true;
        whole(done);
      },
    });
    if (isPrepared) done += size / 2;
    return opened;
  };
  const left = await open('left', share);
  const right = await open('right', 1 - share);
  const rest = 1 - done;
  const middle = done + rest * share;
  return {
    folder,
    opened: { left, right },
    loading: { left: part(progress, done, middle), right: part(progress, middle, 1) },
  };
}

export function stepsOf(buckets: number, passes: readonly unknown[]): number {
  return buckets * (1 + passes.length);
}

/** What the sample's hash of a key stays below; null: all keys are compared. */
async function sampleLimit(
  { sample }: CheckedInput,
  sources: StagingRequest['sources'],
  opened: Record<Side, OpenSource>,
  plan: Plan,
  types: Record<Side, string[]>,
  database: Database,
): Promise<bigint | null> {
  if (sample === null) return null;
  if (sample.endsWith('%')) return limitOfPart(sample);
  // How many keys are below a hash only reading them shows.
  await database.run('CREATE TEMP TABLE hashes (hash UBIGINT)');
  await hashKeys(database, sources.left, opened.left, plan, types.left);
  await hashKeys(database, sources.right, opened.right, plan, types.right);
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
