// What a reconciliation is asked to do, and the check of it: a Standard Schema, so that submit refuses a wrong
// input before anything is stored. Paths leave it absolute, because the job runs in a process of its own.

import { resolve } from 'node:path';
import type { ReconciliationInputError } from './inputError.ts';
import { absoluteSource, isAddress, parseAddress, shownSource } from './sources/address.ts';
import type { CsvOptions } from './sources/csvHeader.ts';
import { checkCsvOptions } from './sources/csvOptions.ts';

/** What is compared with what, by which key, and where the reports go. */
export interface ReconciliationInput {
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
  /** The columns that name a row, on both sides. NULL is a value like any other: two NULLs are the same key. */
  key: string[];
  /** The columns to compare. Default: all that both sides have, but the key. */
  compare?: string[];
  /** Columns left out of the comparison. */
  ignore?: string[];
  /**
   * How far two numbers may lie apart and still match, by column: `{ amount: 0.01 }`. Exact in decimal, up to 19
   * digits before the point and 18 after; 0 compares as numbers. A value that is no such number compares as text.
   */
  tolerance?: Record<string, number | string>;
  /** The folder of the reports; made if missing. Running again with the same one resumes. */
  out: string;
  /** Start over even where an earlier run can be resumed. Default false. */
  fresh?: boolean;
  /** What DuckDB may use before it spills to disk, e.g. `512MB` (the default) or `2GB`. */
  memory?: string;
}

/** An input after the check: every field there, paths absolute, tolerances as decimal text. */
export interface CheckedInput {
  left: string;
  right: string;
  map: Record<string, string>;
  csv: { left: CsvOptions; right: CsvOptions };
  key: string[];
  compare: string[] | null;
  ignore: string[];
  tolerance: Record<string, string>;
  out: string;
  fresh: boolean;
  memory: string;
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
  'left',
  'right',
  'map',
  'csv',
  'key',
  'compare',
  'ignore',
  'tolerance',
  'out',
  'fresh',
  'memory',
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
  const names = (field: string, least: number): string[] => {
    const given = input[field];
    const what = least > 0 ? 'a list of at least one column name' : 'a list of column names';
    if (!Array.isArray(given) || given.length < least || !given.every(isName)) refuse([field], what, given);
    else if (new Set(given).size < given.length) refuse([field], 'each column once', given);
    else return given;
    return [];
  };

  const checked: CheckedInput = {
    left: source('left'),
    right: source('right'),
    map: {},
    csv: checkCsvOptions(input.csv, refuse),
    key: names('key', 1),
    compare: input.compare === undefined ? null : names('compare', 1),
    ignore: input.ignore === undefined ? [] : names('ignore', 0),
    tolerance: {},
    out: path('out', 'the path of a folder for the reports'),
    fresh: input.fresh === true,
    memory: '512MB',
  };

  const { tolerance, fresh, memory } = input;
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
  if (tolerance !== undefined) {
    if (typeof tolerance !== 'object' || tolerance === null || Array.isArray(tolerance)) {
      refuse(['tolerance'], 'an object of column names and numbers', tolerance);
    } else {
      const pairs = Object.entries(tolerance).map(([column, given]): [string, string] => {
        const text = typeof given === 'number' ? String(given) : given;
        if (typeof text === 'string' && /^\d{1,19}(\.\d{1,18})?$/.test(text)) return [column, text];
        refuse(['tolerance', column], "a decimal number, 0 or more, such as 0.01 or '0.0000001'", given);
        return [column, '0'];
      });
      // fromEntries defines own properties, so a column named __proto__ stays a column.
      checked.tolerance = Object.fromEntries(pairs);
    }
  }
  if (fresh !== undefined && typeof fresh !== 'boolean') refuse(['fresh'], 'true or false', fresh);
  if (memory !== undefined) {
    if (typeof memory === 'string' && /^[1-9]\d{0,5}(\.\d+)? ?[KMGT]i?B$/i.test(memory))
      checked.memory = memory;
    else refuse(['memory'], "an amount such as '512MB' or '2GB'", memory);
  }
  return issues.length > 0 ? { issues } : { value: checked };
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

function isName(name: unknown): name is string {
  return typeof name === 'string' && name !== '';
}

function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'function' || typeof value === 'bigint' || typeof value === 'symbol')
    return `a ${typeof value}`;
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
