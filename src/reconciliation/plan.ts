// Which columns are the key, which are compared and which are only carried into the reports, by name on each side.
// Every wrong column name is found here, before a row is read.

import type { CheckedInput } from './input.ts';
import { listNames, ReconciliationInputError } from './inputError.ts';
import { keyOf, rightName } from './mapping.ts';
import { type PlannedPass, planPasses } from './passes/plannedPass.ts';
import { type ColumnRule, ruleOf } from './rules/columnRule.ts';
import type { Side } from './source.ts';

/** A column both sides have, by its position on each. `name`: that of the left. */
export interface SharedColumn {
  readonly name: string;
  readonly left: number;
  readonly right: number;
}

export interface RuledColumn extends SharedColumn {
  readonly rule: ColumnRule;
}

export interface Plan {
  /** Every column of a side, in the order of its file. */
  readonly left: readonly string[];
  readonly right: readonly string[];
  /** Every column both sides have. */
  readonly shared: readonly SharedColumn[];
  readonly key: readonly RuledColumn[];
  readonly compared: readonly RuledColumn[];
  readonly duplicates: 'report' | 'pair';
  /** What is tried with the rows that no key matched, in this order. */
  readonly passes: readonly PlannedPass[];
}

interface Table {
  readonly path: string;
  readonly columns: readonly string[];
}

export function checkKey(input: CheckedInput, table: Table, side: Side): void {
  checkMap(input, table, side);
  for (const name of keyOf(input, side)) {
    if (table.columns.includes(name)) continue;
    const got = `the columns ${listNames(table.columns)}`;
    const advice = 'The key must stand in both files under one name, letter for letter.';
    throw new ReconciliationInputError(table.path, `the key column ${JSON.stringify(name)}`, got, advice);
  }
}

export function planColumns(input: CheckedInput, left: Table, right: Table): Plan {
  checkKey(input, left, 'left');
  checkKey(input, right, 'right');
  const shared = left.columns
    .map((name, index) => ({ name, left: index, right: right.columns.indexOf(rightName(input, name) ?? '') }))
    .filter((column) => column.right !== -1);
  const names = shared.map((column) => column.name);
  const comparable = names.filter((name) => !input.key.includes(name));

  for (const name of input.compare ?? []) {
    if (input.ignore.includes(name)) {
      refuse(
        'compare',
        'columns that are not ignored',
        name,
        'Name it in compare or in ignore, not in both.',
      );
    }
    if (!comparable.includes(name)) {
      refuse('compare', `columns that both files have and that are no key (${listNames(comparable)})`, name);
    }
  }
  for (const name of input.ignore) {
    if (input.key.includes(name)) refuse('ignore', 'columns that are no key', name, 'Remove it from ignore.');
    if (!left.columns.includes(name) && !right.columns.includes(name)) {
      refuse('ignore', `columns of one of the files (both have ${listNames(comparable)})`, name);
    }
  }
  const chosen = input.compare ?? comparable.filter((name) => !input.ignore.includes(name));
  for (const name of Object.keys(input.tolerance)) {
    if (!chosen.includes(name)) refuse('tolerance', `compared columns (${listNames(chosen)})`, name);
  }

  for (const field of ['types', 'columns'] as const) {
    for (const name of Object.keys(input[field])) {
      if (name !== '*' && !names.includes(name))
        refuse(field, `columns that both files have (${listNames(names)})`, name);
    }
  }
  const ruled = (column: SharedColumn): RuledColumn => {
    const use = input.key.includes(column.name) ? 'key' : 'compared';
    return { ...column, rule: ruleOf(column.name, input, use) };
  };
  const columnOf = (name: string) => {
    const column = shared[names.indexOf(name)];
    return column === undefined ? null : ruled(column);
  };
  return {
    left: left.columns,
    right: right.columns,
    shared,
    key: input.key.map((name) => columnOf(name)!),
    compared: shared.filter((column) => chosen.includes(column.name)).map(ruled),
    duplicates: input.duplicates,
    passes: planPasses(input.passes, columnOf, listNames(names)),
  };
}

/** Where the column of that name of the left is on a side; a column that only the right has, by its own name. -1: nowhere. */
export function columnOn({ left, right, shared }: Plan, side: Side, name: string): number {
  if (side === 'left') return left.indexOf(name);
  const pair = shared.find((column) => column.name === name);
  if (pair !== undefined) return pair.right;
  const index = right.indexOf(name);
  return shared.some((column) => column.right === index) ? -1 : index;
}

/** The names under which all columns of both sides stand together: those of the left, then what only the right has. */
export function allNames(plan: Plan): string[] {
  const paired = new Set(plan.shared.map((column) => column.right));
  return [...new Set([...plan.left, ...plan.right.filter((_, index) => !paired.has(index))])];
}

function checkMap({ map }: CheckedInput, table: Table, side: Side): void {
  for (const [left, right] of Object.entries(map)) {
    const name = side === 'left' ? left : right;
    if (table.columns.includes(name)) continue;
    const meant = `${JSON.stringify(left)} to ${JSON.stringify(right)}`;
    refuse(
      'map',
      `a column of ${table.path} (${listNames(table.columns)})`,
      name,
      `It was to map ${meant}, left to right: check the spelling.`,
    );
  }
}

function refuse(
  field: string,
  expected: string,
  name: string,
  advice = 'Check the spelling, letter for letter.',
) {
  throw new ReconciliationInputError(field, expected, JSON.stringify(name), advice);
}
