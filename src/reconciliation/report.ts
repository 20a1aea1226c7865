// Writes the reports: each beside, in the staging folder, then renamed into the out folder, so that none is ever
// seen half. The order of their rows depends on the data alone.

import { open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { identifier, literal } from './database.ts';
import type { CheckedInput } from './input.ts';
import { pageOf } from './page.ts';
import { pageFacts } from './pageFacts.ts';
import { matchesReport } from './passes/matchesReport.ts';
import { allNames, columnOn, type Plan } from './plan.ts';
import { pageName, type ReportFormat, reportNames, summaryName, type TableName } from './reportFiles.ts';
import type { Staging } from './staging.ts';
import { type ReconciliationSummary, summarise } from './summary.ts';

export async function writeReports(staging: Staging, input: CheckedInput): Promise<ReconciliationSummary> {
  const { out, format } = input;
  const summary = await summarise(staging, input);
  const written = new Set<string>([summaryName]);
  const write = async (name: string, text: string) => {
    await writeFile(join(staging.folder, name), text);
    await sync(join(staging.folder, name));
    written.add(name);
  };
  const reports = reportsOf(staging.plan);
  for (const report of reports) {
    if (report.name === 'rejected' && summary.rejected.left + summary.rejected.right === 0) continue;
    const name = `${report.name}.${format}`;
    await writers[format](staging, join(staging.folder, name), report);
    await sync(join(staging.folder, name));
    written.add(name);
  }
  await write(pageName, await pageOf(await pageFacts(staging, input, summary, reports)));
  await write(summaryName, `${JSON.stringify(summary, null, 2)}\n`);

  await rm(join(out, summaryName), { force: true });
  // Reports of an earlier run in another format go: what stands beside a summary belongs to it.
  for (const name of reportNames) {
    if (written.has(name)) await rename(join(staging.folder, name), join(out, name));
    else await rm(join(out, name), { force: true });
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

export interface Report {
  readonly name: TableName;
  readonly header: readonly string[];
  /** Ends with its ORDER BY, or selects nothing. */
  readonly query: string;
}

function reportsOf(plan: Plan): Report[] {
  const keyNames = plan.key.map((column) => column.name);
  const keys = plan.key.map((_, index) => `k${index}`).join(', ');
  const fields = plan.compared.map((column, index) => `(${index}, ${literal(column.name)})`);
  const only = (side: 'left' | 'right'): Report => {
    const letter = side[0];
    const all = plan[side].map((_, index) => `${letter}${index}`);
    const key = plan.key.map((column) => `${letter}${column[side]}`);
    return {
      name: `only-${side}`,
      header: [...plan[side]],
      query: `SELECT ${all.join(', ')} FROM only_${side} ORDER BY ${[...key, ...all].join(', ')}`,
    };
  };
  return [
    {
      name: 'differences',
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
      name: 'rejected',
      header: ['side', 'line', 'reason', 'text'],
      query: 'SELECT side, line, reason, text FROM rejected ORDER BY side, position',
    },
  ];
}

// One file for both sides: the key, then every other column of either, empty where a side has none.
function duplicates(plan: Plan): Report {
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
    name: 'duplicates',
    header: ['side', ...names],
    query: `SELECT * FROM (${of('left')} UNION ALL ${of('right')}) ORDER BY ${[...key, 'side', ...rest].join(', ')}`,
  };
}

type Writer = (staging: Staging, path: string, report: Report) => Promise<void>;

const writers: Record<ReportFormat, Writer> = { csv: writeCsv, jsonl: writeNamed, parquet: writeNamed };

async function writeCsv({ database }: Staging, path: string, { header, query }: Report): Promise<void> {
  const head = `${header.map(csvField).join(',')}\n`;
  // DuckDB would rename header names that differ in case only, so the header is ours; and after a header of one's
  // own it writes an empty line where there are no rows.
  const [some] = await database.rows(`SELECT count(*)::DOUBLE AS n FROM (${query} LIMIT 1)`);
  if (some!.n === 0) await writeFile(path, head);
  else {
    const prefix = `PREFIX ${literal(head)}, SUFFIX ${literal('\n')}`;
    await database.run(`COPY (${query}) TO ${literal(path)} (FORMAT csv, HEADER false, ${prefix})`);
  }
}

/** JSON Lines and Parquet, where each value goes by its column's name. */
async function writeNamed({ database }: Staging, path: string, { header, query }: Report): Promise<void> {
  const described = await database.rows(`DESCRIBE ${query}`);
  const names = distinctNames(header);
  const cells = names.map((name, index) => {
    // Parquet has no such integer: DuckDB would write the nearest DOUBLE.
    const isHuge = /^U?HUGEINT$/.test(String(described[index]!.column_type));
    return `${isHuge ? `CAST(a${index} AS VARCHAR)` : `a${index}`} AS ${identifier(name)}`;
  });
  const format = path.endsWith('.parquet') ? 'parquet' : 'json';
  const from = `(${query}) AS t(${names.map((_, index) => `a${index}`).join(', ')})`;
  await database.run(`COPY (SELECT ${cells.join(', ')} FROM ${from}) TO ${literal(path)} (FORMAT ${format})`);
}

/** A name that stands there before, in capitals or not, gets a number: `left`, `left_2`. */
function distinctNames(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    let distinct = name;
    for (let n = 2; taken.has(distinct.toLowerCase()); n += 1) distinct = `${name}_${n}`;
    taken.add(distinct.toLowerCase());
    return distinct;
  });
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
