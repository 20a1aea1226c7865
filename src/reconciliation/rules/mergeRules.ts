// The rules of a run: those of the input's `rules` (a file, often), and what the input itself says, which wins.

import { checkRules, type Refuse, ruleFields } from './checkRules.ts';
import type { ReconciliationRules } from './rules.ts';

/** Of wrong ones `refuse` is told, with the path in the input. */
export function mergeRules(input: Record<string, unknown>, refuse: Refuse): ReconciliationRules {
  const given = ruleFields
    .filter((field) => input[field] !== undefined)
    .map((field) => [field, input[field]]);
  const here = checkRules(Object.fromEntries(given), [], refuse);
  const file = input.rules === undefined ? {} : checkRules(input.rules, ['rules'], refuse);
  if (here === null || file === null) return {};
  const columns = [file.columns, here.columns].flatMap((each) => Object.keys(each ?? {}));
  const { $schema: _, ...rules } = { ...file, ...here } as ReconciliationRules & { $schema?: string };
  return {
    ...rules,
    types: { ...file.types, ...here.types },
    tolerance: { ...file.tolerance, ...here.tolerance },
    columns: Object.fromEntries(
      columns.map((name) => [name, { ...own(file.columns, name), ...own(here.columns, name) }]),
    ),
  };
}

function own<T>(record: Record<string, T> | undefined, name: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined;
}
