// The numbers of a finished run, and the check that they balance: each row of each side is in exactly one of them.

import { progressOf } from './compare.ts';
import type { Staging } from './staging.ts';

/** What a reconciliation found. Counts are rows, unless said. */
export interface ReconciliationSummary {
  /** Rows read on each side; malformed ones are not among them. */
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
  /** Malformed rows: kept in rejected.csv, in none of the other numbers. */
  rejected: { left: number; right: number };
  /** How many mismatched rows differ in each compared column. */
  columns: Record<string, number>;
  /** The folder of the reports. */
  report: string;
  /** Chunks in all, and how often one was run: the same number, however often the job was killed. */
  chunks: { total: number; run: number };
  /** The run these reports came from. */
  staging: string;
}

export async function summarise(staging: Staging, report: string): Promise<ReconciliationSummary> {
  const { database, plan } = staging;
  const one = async (sql: string) => (await database.rows(sql))[0] as Record<string, number>;
  const { done, counts } = await progressOf(staging);
  const chunks = await one(
    `SELECT sum(runs)::DOUBLE AS run,
       sum(left_duplicate_keys)::DOUBLE AS "leftKeys", sum(right_duplicate_keys)::DOUBLE AS "rightKeys",
       sum(left_duplicate_rows)::DOUBLE AS "leftRows", sum(right_duplicate_rows)::DOUBLE AS "rightRows" FROM chunks`,
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
  const perField = await database.rows('SELECT field, count(*)::DOUBLE AS n FROM differences GROUP BY field');
  const differences = new Map(perField.map((row) => [Number(row.field), row.n as number]));

  const { left, right, matched, mismatched, onlyLeft, onlyRight } = counts;
  balance('chunks done', done, staging.buckets);
  balance('left rows', left, staged.left!);
  balance('right rows', right, staged.right!);
  balance('left rows', matched + mismatched + onlyLeft + chunks.leftRows!, left);
  // Matched rows were counted on the left, so this one holds only if the join lost and doubled nothing.
  balance('right rows', matched + mismatched + onlyRight + chunks.rightRows!, right);
  balance('rows only left', stored.onlyLeft!, onlyLeft);
  balance('rows only right', stored.onlyRight!, onlyRight);
  balance('left rows of duplicate keys', stored.left!, chunks.leftRows!);
  balance('right rows of duplicate keys', stored.right!, chunks.rightRows!);

  return {
    ...{ left, right, matched, mismatched, onlyLeft, onlyRight },
    duplicateKeys: { left: chunks.leftKeys!, right: chunks.rightKeys! },
    duplicateRows: { left: chunks.leftRows!, right: chunks.rightRows! },
    rejected: { left: staged.leftRejected!, right: staged.rightRejected! },
    columns: Object.fromEntries(plan.compared.map(({ name }, field) => [name, differences.get(field) ?? 0])),
    report,
    chunks: { total: staging.buckets, run: chunks.run! },
    staging: staging.id,
  };
}

function balance(what: string, got: number, expected: number): void {
  if (got === expected) return;
  throw new Error(
    `the reconciliation does not balance: ${what}: expected ${expected}, got ${got}. Nothing was reported.`,
  );
}
