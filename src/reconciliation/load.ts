// Reads one side into its table of the staging file: each row once, with the bucket of its key, in the order of the
// buckets, so that a chunk reads its own part of the table and nothing else. Rows that cannot be read are kept too.

import type { Database } from './database.ts';
import { listNames, ReconciliationInputError } from './inputError.ts';
import { writeRows } from './partitions.ts';
import type { Plan } from './plan.ts';
import { normal } from './rules/sameValue.ts';
import { isInSample, sampleHash } from './sample.ts';
import type { OpenSource, Side, Source, TypedColumn } from './source.ts';
import { isAddress } from './sources/address.ts';

/**
 * The types the rows are staged in. A column both sides have gets one type: the one a UNION of them has (an
 * INTEGER and a BIGINT meet as BIGINT, DECIMALs at their widest), text where a side is text or no type holds both.
 */
export async function commonTypes(
  database: Database,
  plan: Plan,
  left: readonly TypedColumn[],
  right: readonly TypedColumn[],
): Promise<Record<Side, string[]>> {
  const types = { left: left.map((column) => column.type), right: right.map((column) => column.type) };
  for (const { left, right } of plan.shared) {
    if (types.right[right] === types.left[left]) continue;
    const common = await commonType(database, types.left[left]!, types.right[right]!);
    types.left[left] = common;
    types.right[right] = common;
  }
  return types;
}

async function commonType(database: Database, one: string, other: string): Promise<string> {
  if (one === 'VARCHAR' || other === 'VARCHAR') return 'VARCHAR';
  try {
    const [row] = await database.rows(`DESCRIBE (SELECT NULL::${one} AS v UNION ALL SELECT NULL::${other})`);
    return String(row!.column_type);
  } catch {
    return 'VARCHAR';
  }
}

/** Fills `left_rows` or `right_rows`, and `rejected` with what could not be read. Resolves with the row count. */
export async function loadSide(
  database: Database,
  source: Source,
  opened: OpenSource,
  plan: Plan,
  types: string[],
  /** `folder`: of the staging. `sample`: what the sample's hash of a key stays below; null: all keys. */
  { buckets, folder, sample }: { buckets: number; folder: string; sample: bigint | null },
): Promise<void> {
  const { side } = source;
  const letter = side === 'left' ? 'l' : 'r';
  const columns = types.map((type, index) => `CAST(c${index} AS ${type}) AS ${letter}${index}`);
  const key = keyOf(side, plan, types);
  try {
    const bucket = buckets === 1 ? '0' : `hash(${key.join(', ')}) % ${buckets}`;
    const select = `SELECT CAST(${bucket} AS USMALLINT) AS bucket, ${columns.join(', ')}
      FROM ${opened.relation} ${sample === null ? '' : `WHERE ${isInSample(key, sample)}`}`;
    // One bucket is read in one go, and from memory.
    if (buckets === 1) await database.run(`CREATE TABLE ${side}_rows AS ${select}`);
    else await writeRows(database, folder, side, select, types);
  } catch (error) {
    throw unreadable(source, await opened.explain(error));
  }
  await opened.keepRejected();
  // A table may be empty, and a sample; a file without rows is a wrong export.
  if (sample === null && !isAddress(source.path)) await refuseEmpty(database, source, opened);
}

/** As it is looked up by. */
function keyOf(side: Side, plan: Plan, types: string[]): string[] {
  return plan.key.map((column) =>
    normal(column.rule, side, `CAST(c${column[side]} AS ${types[column[side]]})`),
  );
}

/** Adds to the table `hashes` the sample's hash of each key. */
export async function hashKeys(
  database: Database,
  source: Source,
  opened: OpenSource,
  plan: Plan,
  types: string[],
): Promise<void> {
  const hash = sampleHash(keyOf(source.side, plan, types));
  try {
    await database.run(`INSERT INTO hashes SELECT DISTINCT ${hash} FROM ${opened.relation}`);
  } catch (error) {
    throw unreadable(source, await opened.explain(error));
  }
}

async function refuseEmpty(database: Database, source: Source, { columns }: OpenSource): Promise<void> {
  const [{ count } = { count: 0 }] = await database.rows(
    `SELECT count(*)::DOUBLE AS count FROM ${source.side}_rows`,
  );
  if (count !== 0) return;
  const rejected = await database.rows(
    'SELECT line::DOUBLE AS line, reason FROM rejected WHERE side = $1 ORDER BY position LIMIT 1',
    [source.side],
  );
  if (rejected.length === 0) {
    throw new ReconciliationInputError(source.path, 'rows', 'none', 'Check the export that made it.');
  }
  throw new ReconciliationInputError(
    source.path,
    `rows with the header's columns (${listNames(columns.map((column) => column.name))})`,
    `only malformed ones, the first at line ${rejected[0]!.line}: ${rejected[0]!.reason}`,
    'Check its delimiter and quotes.',
  );
}

function unreadable(source: Source, error: unknown): unknown {
  const message = error instanceof Error ? error.message : '';
  if (!/^(Invalid Input|Conversion|Invalid|Not implemented|Binder) Error|^Out of Range/i.test(message))
    return error;
  const advice = 'Export it again, or as CSV.';
  return new ReconciliationInputError(
    source.path,
    'rows that DuckDB can read',
    message.split('\n')[0]!,
    advice,
  );
}
