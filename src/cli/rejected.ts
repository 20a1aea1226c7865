// Rows that could not be read: the one line about them names the first, by file and line.

import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReconciliationInput, ReconciliationSummary } from '../reconciliation/index.ts';
import { formatCount } from './printable.ts';
import { longNameOf } from './sourceNames.ts';
import { shownPath } from './summaryTable.ts';

/** Null where every row could be read. */
export async function rejectedLine(
  { rejected, report }: ReconciliationSummary,
  input: ReconciliationInput,
): Promise<string | null> {
  const count = rejected.left + rejected.right;
  if (count === 0) return null;
  const path = join(report, 'rejected.csv');
  const first = (await firstRejected(path, input)) ?? 'expected rows as the header has them, got others';
  const rows = count === 1 ? '1 malformed row is' : `${formatCount(count)} malformed rows are`;
  return `${first}. ${rows} left out of the comparison and kept in ${shownPath(path)}: correct, and run again.`;
}

/** The report's lines are side, line, reason, text; only the last may span several. */
async function firstRejected(path: string, input: ReconciliationInput): Promise<string | null> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4096), 0, 4096, 0);
    const text = buffer.toString('utf8', 0, bytesRead);
    const found = /^(left|right),(\d+),(?:"((?:[^"]|"")*)"|([^,]*)),/m.exec(text);
    if (found === null) return null;
    const [, side, line, quoted, bare] = found;
    return `${longNameOf(input[side as 'left' | 'right'])} line ${line}: ${(quoted ?? bare ?? '').replaceAll('""', '"')}`;
  } finally {
    await file.close();
  }
}
