// The rule of one column, made from what was told about it: what its values are compared as, how they are read, how
// far they may lie apart. Plain JSON, because the staging keeps it.

import { ReconciliationInputError } from '../inputError.ts';
import { type Limit, parseLimit } from './limit.ts';
import type { ColumnOptions, ColumnType, ForSides, ReconciliationRules } from './rules.ts';

type Side = 'left' | 'right';

export interface ColumnRule {
  /** Null until it is found. */
  readonly type: ColumnType | null;
  readonly limit: Limit | null;
  readonly ignoreCase: boolean;
  readonly whitespace: 'keep' | 'trim' | 'collapse';
  readonly nfc: boolean;
  readonly emptyIsNull: boolean;
  /** The marks of a side's numbers; null: as the type reads them. */
  readonly numbers: Readonly<Record<Side, NumberMarks | null>>;
  readonly dates: Readonly<Record<Side, readonly string[] | null>>;
}

export interface NumberMarks {
  readonly thousands: string;
  readonly decimal: string;
}

type ValueRules = Pick<ReconciliationRules, 'types' | 'tolerance' | 'columns'>;

/** `*` holds for compared columns; a key is read only as it is told itself. */
export function ruleOf(name: string, rules: ValueRules, use: 'key' | 'compared'): ColumnRule {
  const limit = parsedLimit(own(rules.tolerance, name));
  const options: ColumnOptions = {
    ...(use === 'compared' ? own(rules.columns, '*') : undefined),
    ...own(rules.columns, name),
  };
  const numbers = bySide(options.numbers, marksOf);
  const dates = bySide(options.dates, (formats) => (typeof formats === 'string' ? [formats] : formats));
  const implied = impliedType(limit, own(rules.columns, name));
  const general = use === 'compared' ? own(rules.types, '*') : 'text';
  const type = own(rules.types, name) ?? implied ?? general ?? null;
  refuseContradiction(name, type, limit, options);
  return {
    type,
    limit,
    ignoreCase: options.ignoreCase ?? false,
    whitespace: options.whitespace ?? 'keep',
    nfc: options.unicode === 'NFC',
    emptyIsNull: options.emptyIsNull ?? false,
    numbers,
    dates,
  };
}

/** Of a pass, where the amount or the time is what counts: its own limit, and the reading of the column. */
export function limitedRule(rule: ColumnRule, limit: Limit): ColumnRule {
  const fits =
    limit.kind === 'window'
      ? rule.type === 'date' || rule.type === 'timestamp'
      : rule.type === 'integer' || rule.type === 'decimal';
  return { ...rule, limit, type: fits ? rule.type : limit.kind === 'window' ? 'timestamp' : 'decimal' };
}

/** A tolerance was checked before; this is for the compiler. */
function parsedLimit(given: number | string | undefined): Limit | null {
  return given === undefined ? null : parseLimit(given);
}

function impliedType(limit: Limit | null, options: ColumnOptions | undefined): ColumnType | null {
  if (options?.numbers !== undefined) return 'decimal';
  if (options?.dates !== undefined) {
    // A format with an hour, or a whole of date and time, is a moment.
    return /%[HIMSpfgncsXz]/.test(JSON.stringify(options.dates)) ? 'timestamp' : 'date';
  }
  if (limit === null) return null;
  return limit.kind === 'window' ? 'timestamp' : 'decimal';
}

function refuseContradiction(
  name: string,
  type: ColumnType | null,
  limit: Limit | null,
  options: ColumnOptions,
): void {
  const isNumber = type === 'integer' || type === 'decimal';
  const isTime = type === 'date' || type === 'timestamp';
  const refuse = (field: string, expected: string, got: unknown) => {
    const advice = 'Change the type of the column, or leave this out.';
    throw new ReconciliationInputError(`${field}.${name}`, expected, JSON.stringify(got), advice);
  };
  if (limit !== null && type !== null) {
    if (limit.kind === 'window' ? !isTime : !isNumber) {
      const takes = isNumber ? 'a number or a percentage' : isTime ? "a time such as '2 days'" : 'none';
      refuse('tolerance', `${takes}, for a column of the type ${type}`, limit);
    }
  }
  if (options.numbers !== undefined && type !== null && !isNumber)
    refuse('columns', `no number format, for a column of the type ${type}`, options.numbers);
  if (options.dates !== undefined && type !== null && !isTime)
    refuse('columns', `no date format, for a column of the type ${type}`, options.dates);
}

function marksOf(picture: string): NumberMarks {
  const [, thousands = '', decimal = '.'] = /^1(.?)234(.)56$/u.exec(picture) ?? [];
  return { thousands, decimal };
}

function bySide<T, R>(given: ForSides<T> | undefined, read: (value: T) => R): Record<Side, R | null> {
  if (given === undefined) return { left: null, right: null };
  const isSided =
    typeof given === 'object' &&
    given !== null &&
    !Array.isArray(given) &&
    ('left' in given || 'right' in given);
  const of = (side: Side) => (isSided ? (given as { left?: T; right?: T })[side] : (given as T));
  const [left, right] = [of('left'), of('right')];
  return { left: left === undefined ? null : read(left), right: right === undefined ? null : read(right) };
}

function own<T>(record: Record<string, T> | undefined, name: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined;
}
