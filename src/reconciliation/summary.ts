// The numbers of a finished run, and the check that they balance: each row of each side is in exactly one of them.

import { progressOf } from './compare.ts';
import type { CheckedInput } from './input.ts';
import type { ReportFormat } from './reportFiles.ts';
import type { ColumnType } from './rules/rules.ts';
import type { Staging } from './staging.ts';

/** What a matching pass did. One row may match several, so each side has a count of its own. */
export interface PassSummary {
  pass: string;
  matches: number;
  /** Rows of each side that it matched. */
  left: number;
  right: number;
  /** Rows that had more candidates, or more ways to add up, than the pass looks at: for these a match may be missing. */
  bounded: number;
}

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
  /** What each matching pass did with the rows that no key matched; they are in none of the counts above. */
  passes: PassSummary[];
  /** Pairs made of rows whose key stands more than once (`duplicates: 'pair'`); they are matched or mismatched. */
  duplicatePairs: number;
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
  /** What each compared column was compared as, told or found. */
  types: Record<string, ColumnType>;
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
       sum(duplicate_pairs)::DOUBLE AS pairs,
       coalesce(sum(left_rows) FILTER (NOT done), 0)::DOUBLE AS "leftUndone",
       coalesce(sum(right_rows) FILTER (NOT done), 0)::DOUBLE AS "rightUndone" FROM chunks`,
  );
  const passes = await passesOf(staging);
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
  if (input.stopAfter === null) balance('chunks done', done, staging.steps);
  balance('left rows', counts.left + rejected.left, left);
  balance('right rows', counts.right + rejected.right, right);
  const byPass = (side: 'left' | 'right') => passes.reduce((sum, pass) => sum + pass[side], 0);
  balance(
    'left rows',
    matched + mismatched + byPass('left') + onlyLeft + chunks.leftRows! + rejected.left,
    left,
  );
  // Matched rows were counted on the left, so this one holds only if the join lost and doubled nothing.
  balance(
    'right rows',
    matched + mismatched + byPass('right') + onlyRight + chunks.rightRows! + rejected.right,
    right,
  );
  // Paired duplicates may differ under one key.
  if (plan.duplicates === 'report') balance('mismatched rows', differing.n!, mismatched);
  balance('rows only left', stored.onlyLeft!, onlyLeft);
  balance('rows only right', stored.onlyRight!, onlyRight);
  balance('left rows of duplicate keys', stored.left!, chunks.leftRows!);
  balance('right rows of duplicate keys', stored.right!, chunks.rightRows!);

  return {
    ...{ left, right, matched, mismatched, onlyLeft, onlyRight },
    passes,
    duplicatePairs: chunks.pairs!,
    duplicateKeys: { left: chunks.leftKeys!, right: chunks.rightKeys! },
    duplicateRows: { left: chunks.leftRows!, right: chunks.rightRows! },
    rejected,
    firstRejected: (first[0] as ReconciliationSummary['firstRejected'] | undefined) ?? null,
    columns: Object.fromEntries(plan.compared.map(({ name }, field) => [name, differences.get(field) ?? 0])),
    types: Object.fromEntries(plan.compared.map(({ name, rule }) => [name, rule.type!])),
    stoppedEarly: done === staging.steps ? null : { after: input.stopAfter!, notCompared },
    sample: input.sample,
    report: input.out,
    format: input.format,
    chunks: { total: staging.steps, run: chunks.run! },
    staging: staging.id,
  };
}

async function passesOf({ database, plan, buckets }: Staging): Promise<PassSummary[]> {
  if (plan.passes.length === 0) return [];
  const rows = await database.rows(
    `SELECT bucket // ${buckets} - 1 AS pass, sum(pass_matches)::DOUBLE AS matches, sum(pass_left)::DOUBLE AS "left",
       sum(pass_right)::DOUBLE AS "right", sum(pass_bounded)::DOUBLE AS bounded
     FROM chunks WHERE bucket >= ${buckets} GROUP BY pass ORDER BY pass`,
  );
  const stored = await database.rows(
    `SELECT pass, count(DISTINCT match)::DOUBLE AS matches, count_if(side = 'left')::DOUBLE AS "left",
       count_if(side = 'right')::DOUBLE AS "right"
     FROM pass_rows GROUP BY pass`,
  );
  const [all] = await database.rows(
    'SELECT count(*)::DOUBLE AS n, count(DISTINCT (side, n))::DOUBLE AS distinct_rows FROM pass_rows',
  );
  balance('rows that passes matched, each once', all!.distinct_rows as number, all!.n as number);
  return plan.passes.map(({ name }, index) => {
    const { matches, left, right, bounded } = rows[index] as unknown as PassSummary;
    const found = stored.find(({ pass }) => pass === index) ?? {
      matches: 0,
      left: 0,
      right: 0,
    };
    balance(`matches of the pass ${name}`, found.matches as number, matches);
    balance(`left rows of the pass ${name}`, found.left as number, left);
    balance(`right rows of the pass ${name}`, found.right as number, right);
    return { pass: name, matches, left, right, bounded };
  });
}

function balance(what: string, got: number, expected: number): void {
  if (got === expected) return;
  throw new Error(
    `the reconciliation does not balance: ${what}: expected ${expected}, got ${got}. Nothing was reported. ` +
      'Start over with fresh: true (--fresh), and report it if it comes again.',
  );
}
