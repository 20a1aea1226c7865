// What a reconciliation is asked to do, and the check of it: a Standard Schema, so that submit refuses a wrong
// input before anything is stored. Paths leave it absolute, because the job runs in a process of its own.

import { resolve } from 'node:path';
import type { ReconciliationInputError } from './inputError.ts';
import { leastMemory, memoryBytes } from './memory.ts';
import { formats, type ReportFormat } from './reportFiles.ts';
import { ruleFields } from './rules/checkRules.ts';
import { mergeRules } from './rules/mergeRules.ts';
import type { ColumnOptions, ColumnType, MatchingPass, ReconciliationRules } from './rules/rules.ts';
import { absoluteSource, isAddress, parseAddress, shownSource } from './sources/address.ts';
import type { CsvOptions } from './sources/csvHeader.ts';
import { checkCsvOptions } from './sources/csvOptions.ts';

/** What is compared with what, by which key and rules, and where the reports go. `key` is needed, here or in `rules`. */
export interface ReconciliationInput extends ReconciliationRules {
  /**
   * A CSV, JSON Lines or Parquet file, the first two also packed (.gz, .zst); a pattern that names several; or a table:
   * `sqlite:FILE?table=NAME`, `postgres://…?table=NAME`, with `?query=SELECT …` for what a query gives. The sides may differ in kind.
   */
  left: string;
  right: string;
  /** Columns that have another name on the right: `{ amount: 'betrag' }`. All other names here are those of the left. */
  map?: Record<string, string>;
  /** How CSV is read, where it should not be found out; `left` and `right` say so for one side. */
  csv?: CsvOptions & { left?: CsvOptions; right?: CsvOptions };
  /** What a rules file holds. What stands beside it here wins; `types`, `tolerance` and `columns` column by column. */
  rules?: ReconciliationRules;
  /** The folder of the reports; made if missing. Running again with the same one resumes. */
  out: string;
  /** Start over even where an earlier run can be resumed. Default false. */
  fresh?: boolean;
  /** What the job's process may use before it spills to disk, e.g. `512MB` (the default) or `2GB`; 256MB at least. */
  memory?: string;
  /** What the reports for programs are written as. Default `csv`. */
  format?: ReportFormat;
  /**
   * Ends the run at the end of the chunk in which this many differences were found: mismatched rows, rows of one side
   * only, duplicate keys. The counts are then of the rows compared so far, and the summary says so. Default: never.
   */
  stopAfter?: number;
  /**
   * Compares the rows of some keys only: so many keys (`1000`), or so many of a hundred (`'5%'`). Which ones, their hash
   * says: the same ones on both sides and each time. Default: all.
   */
  sample?: number | string;
  /**
   * False: in one piece, in memory as long as it lasts, which is quicker; a run that was killed begins again. Default
   * true: in chunks, each run once.
   */
  checkpoint?: boolean;
}

/** An input after the check: every field there, paths absolute, the rules merged. */
export interface CheckedInput {
  left: string;
  right: string;
  map: Record<string, string>;
  csv: { left: CsvOptions; right: CsvOptions };
  key: string[];
  compare: string[] | null;
  ignore: string[];
  tolerance: Record<string, number | string>;
  types: Record<string, ColumnType>;
  columns: Record<string, ColumnOptions>;
  duplicates: 'report' | 'pair';
  passes: MatchingPass[];
  out: string;
  fresh: boolean;
  memory: string;
  format: ReportFormat;
  stopAfter: number | null;
  /** `1000` keys or `5%` of them. */
  sample: string | null;
  checkpoint: boolean;
}

interface Issue {
  readonly message: string;
  readonly expected: string;
  readonly got: string;
  readonly path: readonly PropertyKey[];
}
type Outcome =
  | { readonly value: CheckedInput; readonly issues?: undefined }
  | { readonly issues: readonly Issue[] };

const fields = [
  ...['left', 'right', 'map', 'csv', ...ruleFields, 'rules', 'out', 'fresh', 'memory'],
  ...['format', 'stopAfter', 'sample', 'checkpoint'],
];

export function validateInput(value: unknown): Outcome {
  const issues: Issue[] = [];
  const refuse = (path: PropertyKey[], expected: string, got: unknown) => {
    issues.push({ path, expected, got: show(got), message: `expected ${expected}, got ${show(got)}` });
  };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    refuse([], 'an object with left, right, key and out', value);
    return { issues };
  }
  const input = value as Record<string, unknown>;
  for (const field of Object.keys(input)) {
    if (!fields.includes(field))
      refuse([field], `no such field (the fields are ${fields.join(', ')})`, input[field]);
  }

  const path = (field: string, what: string): string => {
    const given = input[field];
    if (typeof given === 'string' && given.trim() !== '' && !given.includes('\0')) return resolve(given);
    refuse([field], what, given);
    return '';
  };
  const source = (field: 'left' | 'right'): string => {
    const given = input[field];
    if (given === '-') {
      refuse([field], 'a file or a table (standard input is read by the command line only)', given);
      return '';
    }
    if (typeof given !== 'string' || !isAddress(given))
      return path(field, 'the path of a CSV, JSON Lines or Parquet file, or the address of a table');
    if (given.includes('\0')) refuse([field], 'an address without NUL', shownSource(given));
    try {
      parseAddress(given);
    } catch (error) {
      const { expected, got } = error as ReconciliationInputError;
      issues.push({ path: [field], expected, got, message: `expected ${expected}, got ${got}` });
    }
    return absoluteSource(given);
  };

  const checked: CheckedInput = {
    left: source('left'),
    right: source('right'),
    map: {},
    csv: checkCsvOptions(input.csv, refuse),
    key: [],
    compare: null,
    ignore: [],
    tolerance: {},
    types: {},
    columns: {},
    duplicates: 'report',
    passes: [],
    out: path('out', 'the path of a folder for the reports'),
    fresh: input.fresh === true,
    memory: '512MB',
    format: 'csv',
    stopAfter: null,
    sample: null,
    checkpoint: input.checkpoint !== false,
  };

  const { fresh, memory } = input;
  if (input.map !== undefined) {
    const pairs = typeof input.map === 'object' && input.map !== null ? Object.entries(input.map) : [];
    const rights = pairs.map(([, right]) => right);
    if (pairs.length === 0 || Array.isArray(input.map) || !pairs.flat().every(isName))
      refuse(
        ['map'],
        "an object of names on the left and on the right, such as { amount: 'betrag' }",
        input.map,
      );
    else if (new Set(rights).size < rights.length)
      refuse(['map'], 'each column of the right once', input.map);
    else checked.map = Object.fromEntries(pairs);
  }
  const wrong = issues.length;
  Object.assign(checked, mergeRules(input, refuse));
  if (issues.length === wrong && checked.key.length === 0)
    refuse(['key'], 'a list of at least one column name', input.key);
  if (fresh !== undefined && typeof fresh !== 'boolean') refuse(['fresh'], 'true or false', fresh);
  if (memory !== undefined) {
    const bytes = typeof memory === 'string' ? memoryBytes(memory) : null;
    if (bytes === null) refuse(['memory'], "an amount such as '512MB' or '2GB'", memory);
    else if (bytes < leastMemory) refuse(['memory'], "at least '256MB'", memory);
    else checked.memory = memory as string;
  }
  const { format, stopAfter, sample, checkpoint } = input;
  if (format !== undefined) {
    const known = formats.find((one) => one === format);
    if (known === undefined) refuse(['format'], `one of ${formats.join(', ')}`, format);
    else checked.format = known;
  }
  if (stopAfter !== undefined) {
    if (Number.isSafeInteger(stopAfter) && (stopAfter as number) >= 1)
      checked.stopAfter = stopAfter as number;
    else refuse(['stopAfter'], 'a whole number, 1 or more', stopAfter);
  }
  if (sample !== undefined) {
    const text = typeof sample === 'number' ? String(sample) : sample;
    if (typeof text === 'string' && isSample(text)) checked.sample = text;
    else refuse(['sample'], "a number of keys such as 1000, or a part of them such as '5%'", sample);
  }
  if (checkpoint !== undefined && typeof checkpoint !== 'boolean')
    refuse(['checkpoint'], 'true or false', checkpoint);
  return issues.length > 0 ? { issues } : { value: checked };
}

function isName(name: unknown): name is string {
  return typeof name === 'string' && name !== '';
}

/** The check as `defineChunkedJob` takes it. */
export const inputSchema = {
  '~standard': {
    version: 1,
    vendor: 'unstuck',
    validate: validateInput,
    types: undefined as { readonly input: ReconciliationInput; readonly output: CheckedInput } | undefined,
  },
} as const;

function isSample(text: string): boolean {
  if (/^[1-9]\d{0,11}$/.test(text)) return true;
  return /^\d{1,3}(\.\d{1,7})?%$/.test(text) && Number.parseFloat(text) > 0 && Number.parseFloat(text) <= 100;
}

function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'function' || typeof value === 'bigint' || typeof value === 'symbol')
    return `a ${typeof value}`;
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
