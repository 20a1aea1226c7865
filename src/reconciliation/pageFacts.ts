// What the report for people shows, read from the staging: the first rows of each report, and the largest
// differences of numbers. Bounded, whatever the files hold: rows, texts and the page as a whole.

import { basename } from 'node:path';
import { literal } from './database.ts';
import type { CheckedInput } from './input.ts';
import { listNames } from './inputError.ts';
import type { PageFacts, PageTable } from './page.ts';
import type { Report } from './report.ts';
import type { TableName } from './reportFiles.ts';
import type { Staging } from './staging.ts';
import type { ReconciliationSummary } from './summary.ts';

/** Rows of a table that the page holds, as long as they are no more than this many characters. */
const pageRows = 1000;
const pageCharacters = 1_000_000;
/** Of a text. */
const cellCharacters = 300;
/** Of each column. */
const largest = 20;

export async function pageFacts(
  staging: Staging,
  input: CheckedInput,
  summary: ReconciliationSummary,
  reports: readonly Report[],
): Promise<PageFacts> {
  const [left, right] = [titleOf(input.left), titleOf(input.right)];
  const { plan } = staging;
  const titles: Record<TableName, string> = {
    differences: 'Differences',
    'only-left': `Only in ${left}`,
    'only-right': `Only in ${right}`,
    duplicates: 'Duplicate keys',
    matches: 'Matched by other means than the key',
    rejected: 'Rows that could not be read',
  };
  const totals: Record<TableName, number> = {
    differences: Object.values(summary.columns).reduce((sum, n) => sum + n, 0),
    'only-left': summary.onlyLeft,
    'only-right': summary.onlyRight,
    duplicates: summary.duplicateRows.left + summary.duplicateRows.right,
    matches: summary.passes.reduce((sum, { left, right }) => sum + left + right, 0),
    rejected: summary.rejected.left + summary.rejected.right,
  };
  const tables: PageTable[] = [];
  const file = (name: TableName) => `${name}.${input.format}`;
  const largestRows = totals.differences === 0 ? [] : await largestDifferences(staging);
  if (largestRows.length > 0) {
    tables.push({
      id: 'largest',
      title: 'Largest differences',
      columns: [...plan.key.map(({ name }) => name), 'column', 'left', 'right', 'difference'],
      rows: largestRows,
      total: largestRows.length,
      note: `Where both sides are numbers: the largest ${largest} of each column.`,
      file: file('differences'),
    });
  }
  for (const { name, header, query } of reports) {
    if (name === 'rejected' && totals.rejected === 0) continue;
    const rows =
      totals[name] === 0 ? [] : await firstRows(staging, header.length, `${query} LIMIT ${pageRows}`);
    tables.push({
      ...{ id: name, title: titles[name], columns: header, rows, total: totals[name], file: file(name) },
    });
  }
  const tolerances = Object.entries(input.tolerance).map(([column, amount]) => `${column} ${amount}`);
  return {
    ...{ left, right, summary, tables },
    asked: [
      ['Key', listNames(input.key)],
      [
        'Compared',
        plan.compared.length === 0 ? 'nothing but the key' : listNames(plan.compared.map(({ name }) => name)),
      ],
      ...(tolerances.length === 0 ? [] : [['Tolerance', tolerances.join(', ')] as const]),
      ['Texts', `cut after ${cellCharacters} characters here, whole in the files`],
    ],
  };
}

/** A file by its name alone; of an address neither the user, nor the password, nor what it asks for. */
export function titleOf(source: string): string {
  const address = /^([a-z][a-z0-9+.-]+):\/\//i.test(source) ? URL.parse(source) : null;
  if (address === null) return basename(source);
  const table = address.searchParams.get('table');
  return `${address.protocol}//${address.host}${address.pathname}${table === null ? '' : ` ${table}`}`;
}

/** As texts; ends before the page would grow beyond its bound. */
async function firstRows(
  { database }: Staging,
  columns: number,
  query: string,
): Promise<(string | null)[][]> {
  const names = Array.from({ length: columns }, (_, index) => `a${index}`);
  const cells = names.map((name) => `left(CAST(${name} AS VARCHAR), ${cellCharacters + 1}) AS ${name}`);
  const found = await database.rows(`SELECT ${cells.join(', ')} FROM (${query}) AS t(${names.join(', ')})`);
  const rows: (string | null)[][] = [];
  let characters = 0;
  for (const row of found) {
    const texts = names.map((name) => cut(row[name] as string | null));
    characters += texts.reduce((sum, text) => sum + (text?.length ?? 4), 0);
    if (rows.length > 0 && characters > pageCharacters) break;
    rows.push(texts);
  }
  return rows;
}

function cut(text: string | null): string | null {
  return text === null || text.length <= cellCharacters ? text : `${text.slice(0, cellCharacters)}…`;
}

/** Found by their DOUBLE, which is quick, and told exactly. */
async function largestDifferences(staging: Staging): Promise<(string | null)[][]> {
  const { plan } = staging;
  const keys = plan.key.map((_, index) => `k${index}`).join(', ');
  const fields = plan.compared.map((column, index) => `(${index}, ${literal(column.name)})`);
  return firstRows(
    staging,
    plan.key.length + 4,
    `SELECT ${keys}, name, "left", "right", rtrim(rtrim(CAST(distance AS VARCHAR), '0'), '.')
     FROM (SELECT *, abs(exact("left") - exact("right")) AS distance FROM (
       SELECT *, abs(TRY_CAST("left" AS DOUBLE) - TRY_CAST("right" AS DOUBLE)) AS near FROM differences
       WHERE isfinite(near)
       QUALIFY row_number() OVER (PARTITION BY field ORDER BY near DESC, ${keys}) <= ${largest}))
     JOIN (VALUES ${fields.join(', ')}) fields(field, name) USING (field)
     WHERE distance > 0 ORDER BY distance DESC, ${keys}, field`,
  );
}
