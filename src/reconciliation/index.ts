/**
 * The public names of `unstuck/reconciliation`. Importing it loads no DuckDB: only running the job does.
 *
 * @module unstuck/reconciliation
 */

import type { ReconciliationInput } from './input.ts';

export { checkReconciliationInput } from './check.ts';
export type { ReconciliationInput } from './input.ts';
export { ReconciliationInputError } from './inputError.ts';
export { default as reconciliation, type ReconciliationCheckpoint } from './job.ts';
export { type ReconciliationProgress, reconciliationProgress } from './progress.ts';
export type {
  ColumnOptions,
  ColumnType,
  ExactPass,
  ForSides,
  MatchingPass,
  NearPass,
  ReconciliationRules,
  SimilarPass,
  SumPass,
} from './rules/rules.ts';
export { shownSource } from './sources/address.ts';
export type { CsvOptions } from './sources/csvHeader.ts';
export type { PassSummary, ReconciliationSummary } from './summary.ts';

/** A processor whose registry holds `reconciliation` under that name. */
interface Submits<O, J> {
  submit(name: 'reconciliation', input: ReconciliationInput, options?: O): Promise<J>;
}

/**
 * Submits a reconciliation: `processor` was made with `jobs: { reconciliation }`.
 *
 *     const job = await startReconciliationJob(processor, { left: 'bank.csv', right: 'ledger.csv', key: ['id'], out: 'reconciled' });
 *     const { mismatched } = await job.result();
 */
export function startReconciliationJob<O, J>(
  processor: Submits<O, J>,
  input: ReconciliationInput,
  options?: O,
): Promise<J> {
  return processor.submit('reconciliation', input, options);
}
