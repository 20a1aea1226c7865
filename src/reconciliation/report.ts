// Writes the reports: each beside, in the staging folder, then renamed into the out folder, so that none is ever
// seen half. The order of their rows depends on the data alone.

import { open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { identifier, literal } from './database.ts';
import { matchesName, matchesReport } from './passes/matchesReport.ts';
import { allNames, columnOn } from './plan.ts';
import { reportNames, summaryName } from './reportFiles.ts';
import type { Staging } from './staging.ts';
import { type ReconciliationSummary, summarise } from './summary.ts';

export async function writeReports(staging: Staging, out: string): Promise<ReconciliationSummary> {
  const summary = await summarise(staging, out);
  for (const { name, header, query } of reports(staging)) await writeCsv(staging, name, header, query);
  const path = join(staging.folder, summaryName);
  await writeFile(path, `${JSON.stringify(summary, null, 2)}\n`);
  await sync(path);

  await rm(join(out, summaryName), { force: true });
  for (const name of reportNames) {
    const isNone =
      (name === 'rejected.csv' && summary.rejected.left + summary.rejected.right === 0) ||
      (name === matchesName && summary.passes.length === 0);
    if (isNone) {
      await rm(join(out, name), { force: true });
    } else {
      await rename(join(staging.folder, name), join(out, name));
    }
  }
  return summary;
}

/** The summary of the run that `staging` names, if its reports stand in `out`. */
export async function readSummary(out: string, staging: string): Promise<ReconciliationSummary | null> {
  try {
    const summary = JSON.parse(await readFile(join(out, summaryName), 'utf8')) as ReconciliationSummary;
    return summary.staging === staging ? summary : null;
  } catch {
    return null;
  }
}

interface Report {
  name: string;
  header: string[];
  query: string;
}

function reports({ plan }: Staging): Report[] {
  const keyNames = plan.key.map((column) => column.name);
  const keys = plan.key.map((_, index) => `k${index}`).join(', ');
  const fields = plan.compared.map((column, index) => `(${index}, ${literal(column.name)})`);
  const only = (side: 'left' | 'right'): Report => {
    const letter = side[0];
    const all = plan[side].map((_, index) => `${letter}${index}`);
    const key = plan.key.map((column) => `${letter}${column[side]}`);
    return {
      name: `only-${side}.csv`,
      header: [...plan[side]],
      query: `SELECT ${all.join(', ')} FROM only_${side} ORDER BY ${[...key, ...all].join(', ')}`,
    };
  };
  return [
    {
      name: 'differences.csv',
      header: [...keyNames, 'column', 'left', 'right'],
      query:
        fields.length === 0
          ? `SELECT ${keys}, NULL, "left", "right" FROM differences WHERE false`
          : `SELECT ${keys}, name, "left", "right" FROM differences
             JOIN (VALUES ${fields.join(', ')}) fields(field, name) USING (field) ORDER BY ${keys}, field, "left", "right"`,
    },
    only('left'),
    only('right'),
    duplicates(plan),
    ...(plan.passes.length > 0 ? [matchesReport(plan)] : []),
    {
      name: 'rejected.csv',
      header: ['side', 'line', 'reason', 'text'],
      query: 'SELECT side, line, reason, text FROM rejected ORDER BY side, position',
    },
  ];
}

// One file for both sides: the key, then every other column of either, empty where a side has none.
function duplicates(plan: Staging['plan']): Report {
  const keyNames = plan.key.map((column) => column.name);
  const names = [...new Set([...keyNames, ...allNames(plan)])];
  const columns = names.map((name) => identifier(`c${names.indexOf(name)}`));
  const of = (side: 'left' | 'right') => {
    const cells = names.map((name, index) => {
      const at = columnOn(plan, side, name);
      const cell = at === -1 ? 'NULL' : `CAST(${side[0]}${at} AS VARCHAR)`;
      return `${cell} AS ${columns[index]}`;
    });
    return `SELECT '${side}' AS side, ${cells.join(', ')} FROM duplicate_${side}`;
  };
  const key = columns.slice(0, keyNames.length);
  const rest = columns.slice(keyNames.length);
  return {
    name: 'duplicates.csv',
    header: ['side', ...names],
    query: `SELECT * FROM (${of('left')} UNION ALL ${of('right')}) ORDER BY ${[...key, 'side', ...rest].join(', ')}`,
  };
}

async function writeCsv(
  { database, folder }: Staging,
  name: string,
  header: string[],
  query: string,
): Promise<void> {
  const path = join(folder, name);
  const head = `${header.map(csvField).join(',')}\n`;
  // DuckDB would rename header names that differ in case only, so the header is ours; and after a header of one's
  // own it writes an empty line where there are no rows.
  const [some] = await database.rows(`SELECT count(*)::DOUBLE AS n FROM (${query} LIMIT 1)`);
  if (some!.n === 0) await writeFile(path, head);
  else {
    const prefix = `PREFIX ${literal(head)}, SUFFIX ${literal('\n')}`;
    await database.run(`COPY (${query}) TO ${literal(path)} (FORMAT csv, HEADER false, ${prefix})`);
  }
  await sync(path);
}

function csvField(text: string): string {
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
