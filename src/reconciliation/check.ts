// Answers bad input before a job is started: everything that can be known from the first megabyte of each file, or from
// the columns of a table, without DuckDB. What only reading all of it shows (its other rows, a Parquet schema) the job says itself.

import { realpath, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { type CheckedInput, type ReconciliationInput, validateInput } from './input.ts';
import { ReconciliationInputError } from './inputError.ts';
import { checkKey, planColumns } from './plan.ts';
import { reportNames } from './reportFiles.ts';
import { inspectSource, type Source } from './source.ts';

/**
 * Resolves when a reconciliation of this input can be started; rejects with a ReconciliationInputError that says
 * in one line what is wrong. Messages name the files as `input` does.
 */
export async function checkReconciliationInput(input: ReconciliationInput): Promise<void> {
  const outcome = validateInput(input);
  if (outcome.issues !== undefined) {
    const issue = outcome.issues[0]!;
    const subject = issue.path.join('.') || 'input';
    throw new ReconciliationInputError(subject, issue.expected, issue.got, 'Correct it and run again.');
  }
  await inspectSources({ ...outcome.value, left: input.left, right: input.right });
}

/** Both sides, checked as far as that is cheap. */
export async function inspectSources(input: CheckedInput): Promise<{ left: Source; right: Source }> {
  const left = await inspectSource('left', input);
  const right = await inspectSource('right', input);
  await checkOut(input.out, [left, right]);
  const tables = [left, right].map(({ path, columns }) => (columns === null ? null : { path, columns }));
  const [leftTable, rightTable] = tables;
  if (leftTable) checkKey(input, leftTable, 'left');
  if (rightTable) checkKey(input, rightTable, 'right');
  if (leftTable && rightTable) planColumns(input, leftTable, rightTable);
  return { left, right };
}

async function checkOut(out: string, sources: Source[]): Promise<void> {
  const info = await stat(out).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    if (error.code !== 'ENOTDIR') throw error;
    throw new ReconciliationInputError(
      out,
      'a folder for the reports',
      'a path below a file',
      'Choose another path.',
    );
  });
  if (info !== null && !info.isDirectory()) {
    throw new ReconciliationInputError(out, 'a folder for the reports', 'a file', 'Choose another path.');
  }
  const folder = info === null ? out : await realpath(out);
  for (const { path, files } of sources) {
    if (files.some((real) => dirname(real) === folder && reportNames.includes(basename(real)))) {
      const expected = 'a file that the reports do not replace';
      throw new ReconciliationInputError(
        path,
        expected,
        'the name of a report in out',
        'Choose another out.',
      );
    }
  }
}
