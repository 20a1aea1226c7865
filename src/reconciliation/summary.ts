// The numbers of a finished run, and the check that they balance: each row of each side is in exactly one of them.

import { progressOf } from './compare.ts';
import type { CheckedInput } from './input.ts';
import type { ReportFormat } from './reportFiles.ts';
import type { Staging } from './staging.ts';

/** What a reconciliation found. Counts are rows, unless said. */
export interface ReconciliationSummary {
  /**
   * Rows of each side, each of them in one class: matched, mismatched, only there, with a duplicate key, or rejected.
   * Of a sample or a run that was stopped early: the rows that were compared, and all that were rejected.
   */
  left: number;
  right: number;
  /** Keys that stand once on each side with every compared column equal, or within its tolerance. */
  matched: number;
  mismatched: number;
  onlyLeft: number;
  onlyRight: number;
  /** Distinct keys that stand more than once on that side. */
  duplicateKeys: { left: number; right: number };
  /** Rows of that side whose key stands more than once on either side; they are in none of the counts above. */
  duplicateRows: { left: number; right: number };
  /** Malformed rows: kept in a report of their own and compared with nothing. */
  rejected: { left: number; right: number };
  /** The first of them, by side and line. */
  firstRejected: { side: 'left' | 'right'; line: number; reason: string } | null;
  /** How many mismatched rows differ in each compared column. */
  columns: Record<string, number>;
  /** Where `stopAfter` ended the run: the number it was given, and how many rows were not compared. Else null. */
  stoppedEarly: { after: number; notCompared: { left: number; right: number } } | null;
  /** Which keys were looked at, as asked for: `1000` of them, `5%` of them. Null: all. */
  sample: string | null;
  /** The folder of the reports: report.html for people, the others in `format` for programs. */
  report: string;
  format: ReportFormat;
  /** Chunks in all, and how often one was run: the same number, however often the job was killed. */
  chunks: { total: number; run: number };
  /** The run these reports came from. */
  staging: string;
}

export async function summarise(staging: Staging, input: CheckedInput): Promise<ReconciliationSummary> {
  const { database, plan } = staging;
  const one = async (sql: string) => (await database.rows(sql))[0] as Record<string, number>;
  const { done, counts } = await progressOf(staging);
  const chunks = await one(
    `SELECT sum(runs)::DOUBLE AS run,
       sum(left_duplicate_keys)::DOUBLE AS "leftKeys", sum(right_duplicate_keys)::DOUBLE AS "rightKeys",
       sum(left_duplicate_rows)::DOUBLE AS "leftRows", sum(right_duplicate_rows)::DOUBLE AS "rightRows",
       coalesce(sum(left_rows) FILTER (NOT done), 0)::DOUBLE AS "leftUndone",
       coalesce(sum(right_rows) FILTER (NOT done), 0)::DOUBLE AS "rightUndone" FROM chunks`,
  );
  const staged = await one(
    `SELECT (SELECT count(*) FROM left_rows)::DOUBLE AS "left", (SELECT count(*) FROM right_rows)::DOUBLE AS "right",
       (SELECT count(*) FROM rejected WHERE side = 'left')::DOUBLE AS "leftRejected",
       (SELECT count(*) FROM rejected WHERE side = 'right')::DOUBLE AS "rightRejected"`,
  );
  const stored = await one(
    `SELECT (SELECT count(*) FROM only_left)::DOUBLE AS "onlyLeft", (SELECT count(*) FROM only_right)::DOUBLE AS "onlyRight",
       (SELECT count(*) FROM duplicate_left)::DOUBLE AS "left", (SELECT count(*) FROM duplicate_right)::DOUBLE AS "right"`,
  );
  const differing = await one(
    `SELECT count(*)::DOUBLE AS n FROM (SELECT DISTINCT ${plan.key.map((_, index) => `k${index}`).join(', ')} FROM differences)`,
  );
  const perField = await database.rows('SELECT field, count(*)::DOUBLE AS n FROM differences GROUP BY field');
  const differences = new Map(perField.map((row) => [Number(row.field), row.n as number]));
  const first = await database.rows(
    `SELECT side, line::DOUBLE AS line, reason FROM rejected ORDER BY side, position LIMIT 1`,
  );

  const { matched, mismatched, onlyLeft, onlyRight } = counts;
  const rejected = { left: staged.leftRejected!, right: staged.rightRejected! };
  const notCompared = { left: chunks.leftUndone!, right: chunks.rightUndone! };
  const left = staged.left! - notCompared.left + rejected.left;
  const right = staged.right! - notCompared.right + rejected.right;
  if (input.stopAfter === null) balance('chunks done', done, staging.buckets);
  balance('left rows', counts.left + rejected.left, left);
  balance('right rows', counts.right + rejected.right, right);
  balance('left rows', matched + mismatched + onlyLeft + chunks.leftRows! + rejected.left, left);
  // Matched rows were counted on the left, so this one holds only if the join lost and doubled nothing.
  balance('right rows', matched + mismatched + onlyRight + chunks.rightRows! + rejected.right, right);
  balance('mismatched rows', differing.n!, mismatched);
  balance('rows only left', stored.onlyLeft!, onlyLeft);
  balance('rows only right', stored.onlyRight!, onlyRight);
  balance('left rows of duplicate keys', stored.left!, chunks.leftRows!);
  balance('right rows of duplicate keys', stored.right!, chunks.rightRows!);

  return {
    ...{ left, right, matched, mismatched, onlyLeft, onlyRight },
    duplicateKeys: { left: chunks.leftKeys!, right: chunks.rightKeys! },
    duplicateRows: { left: chunks.leftRows!, right: chunks.rightRows! },
    rejected,
    firstRejected: (first[0] as ReconciliationSummary['firstRejected'] | undefined) ?? null,
    columns: Object.fromEntries(plan.compared.map(({ name }, field) => [name, differences.get(field) ?? 0])),
    stoppedEarly: done === staging.buckets ? null : { after: input.stopAfter!, notCompared },
    sample: input.sample,
    report: input.out,
    format: input.format,
    chunks: { total: staging.buckets, run: chunks.run! },
    staging: staging.id,
  };
}

function balance(what: string, got: number, expected: number): void {
  if (got === expected) return;
  throw new Error(
    `the reconciliation does not balance: ${what}: expected ${expected}, got ${got}. Nothing was reported. ` +
      'Start over with fresh: true (--fresh), and report it if it comes again.',
  );
}
