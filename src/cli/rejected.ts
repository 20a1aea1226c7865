// Rows that could not be read: the one line about them names the first, by file and line.

import { join } from 'node:path';
import type { ReconciliationInput, ReconciliationSummary } from '../reconciliation/index.ts';
import { formatCount } from './printable.ts';
import { longNameOf } from './sourceNames.ts';
import { shownPath } from './summaryTable.ts';

/** Null where every row could be read. */
export function rejectedLine(
  { rejected, firstRejected, report, format }: ReconciliationSummary,
  input: ReconciliationInput,
): string | null {
  if (firstRejected === null) return null;
  const count = rejected.left + rejected.right;
  const { side, line, reason } = firstRejected;
  const rows = count === 1 ? '1 malformed row is' : `${formatCount(count)} malformed rows are`;
  const path = shownPath(join(report, `rejected.${format}`));
  return `${longNameOf(input[side])} line ${line}: ${reason}. ${rows} left out of the comparison and kept in ${path}: correct, and run again.`;
}
