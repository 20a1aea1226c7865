// What a reconciliation is asked to do, and the check of it: a Standard Schema, so that submit refuses a wrong
// input before anything is stored. Paths leave it absolute, because the job runs in a process of its own.

import { resolve } from 'node:path';
import { ruleFields } from './rules/checkRules.ts';
import { mergeRules } from './rules/mergeRules.ts';
import type { ColumnOptions, ColumnType, MatchingPass, ReconciliationRules } from './rules/rules.ts';

/** What is compared with what, by which key and rules, and where the reports go. `key` is needed, here or in `rules`. */
export interface ReconciliationInput extends ReconciliationRules {
  /** A CSV or Parquet file. The sides may differ in kind. */
  left: string;
  right: string;
  /** What a rules file holds. What stands beside it here wins; `types`, `tolerance` and `columns` column by column. */
  rules?: ReconciliationRules;
  /** The folder of the reports; made if missing. Running again with the same one resumes. */
  out: string;
  /** Start over even where an earlier run can be resumed. Default false. */
  fresh?: boolean;
  /** What DuckDB may use before it spills to disk, e.g. `512MB` (the default) or `2GB`. */
  memory?: string;
}

/** An input after the check: every field there, paths absolute, the rules merged. */
export interface CheckedInput {
  left: string;
  right: string;
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

const fields = ['left', 'right', ...ruleFields, 'rules', 'out', 'fresh', 'memory'];

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

  const checked: CheckedInput = {
    left: path('left', 'the path of a CSV or Parquet file'),
    right: path('right', 'the path of a CSV or Parquet file'),
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
  };

  const wrong = issues.length;
  Object.assign(checked, mergeRules(input, refuse));
  if (issues.length === wrong && checked.key.length === 0)
    refuse(['key'], 'a list of at least one column name', input.key);

  const { fresh, memory } = input;
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

function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'function' || typeof value === 'bigint' || typeof value === 'symbol')
    return `a ${typeof value}`;
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
