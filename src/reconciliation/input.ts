// What a reconciliation is asked to do, and the check of it: a Standard Schema, so that submit refuses a wrong
// input before anything is stored. Paths leave it absolute, because the job runs in a process of its own.

import { resolve } from 'node:path';
import { leastMemory, memoryBytes } from './memory.ts';
import { formats, type ReportFormat } from './reportFiles.ts';

/** What is compared with what, by which key, and where the reports go. */
export interface ReconciliationInput {
  /** A CSV or Parquet file. The sides may differ in kind. */
  left: string;
  right: string;
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

/** An input after the check: every field there, paths absolute, tolerances as decimal text. */
export interface CheckedInput {
  left: string;
  right: string;
  key: string[];
  compare: string[] | null;
  ignore: string[];
  tolerance: Record<string, string>;
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
  ...['left', 'right', 'key', 'compare', 'ignore', 'tolerance', 'out', 'fresh', 'memory'],
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
  const names = (field: string, least: number): string[] => {
    const given = input[field];
    const what = least > 0 ? 'a list of at least one column name' : 'a list of column names';
    if (!Array.isArray(given) || given.length < least || !given.every(isName)) refuse([field], what, given);
    else if (new Set(given).size < given.length) refuse([field], 'each column once', given);
    else return given;
    return [];
  };

  const checked: CheckedInput = {
    left: path('left', 'the path of a CSV or Parquet file'),
    right: path('right', 'the path of a CSV or Parquet file'),
    key: names('key', 1),
    compare: input.compare === undefined ? null : names('compare', 1),
    ignore: input.ignore === undefined ? [] : names('ignore', 0),
    tolerance: {},
    out: path('out', 'the path of a folder for the reports'),
    fresh: input.fresh === true,
    memory: '512MB',
    format: 'csv',
    stopAfter: null,
    sample: null,
    checkpoint: input.checkpoint !== false,
  };

  const { tolerance, fresh, memory } = input;
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
