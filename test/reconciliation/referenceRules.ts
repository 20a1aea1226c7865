// How values are read and held against each other, written a second time, the plain way: one value at a time, numbers
// as whole numbers of 10^-18, moments as microseconds.

import type { ColumnOptions, ColumnType, ReconciliationRules } from '../../src/reconciliation/index.ts';
import type { Cell } from './reference.ts';

type Side = 'left' | 'right';

export interface Rule {
  type: ColumnType;
  limit: number | string | undefined;
  options: ColumnOptions;
}

/** `values`: all of the column, for the type that nobody told. */
export function ruleFor(
  name: string,
  rules: ReconciliationRules,
  use: 'key' | 'compared',
  values: Record<Side, Cell[]>,
): Rule {
  const limit = rules.tolerance?.[name];
  const options = { ...(use === 'compared' ? rules.columns?.['*'] : {}), ...rules.columns?.[name] };
  const told =
    rules.types?.[name] ??
    (options.numbers !== undefined ? 'decimal' : undefined) ??
    (options.dates !== undefined ? 'date' : undefined) ??
    (limit === undefined ? undefined : /[a-z]/.test(String(limit)) ? 'timestamp' : 'decimal') ??
    (use === 'key' ? 'text' : rules.types?.['*']);
  return { type: told ?? foundType(values), limit, options };
}

function foundType({ left, right }: Record<Side, Cell[]>): ColumnType {
  const one = kindOf(left) ?? kindOf(right);
  const other = kindOf(right) ?? kindOf(left);
  if (one === null || other === null) return 'text';
  const both = new Set([one, other]);
  if (both.size === 1) return one === 'moment' || one === 'zoned' ? 'timestamp' : one;
  const within = (...types: string[]) => [one, other].every((type) => types.includes(type));
  if (within('integer', 'decimal')) return 'decimal';
  return within('date', 'moment') ? 'timestamp' : 'text';
}

/** Null: nothing in it. */
function kindOf(all: Cell[]): 'moment' | 'zoned' | ColumnType | null {
  const values = all.filter((value) => value !== null && value !== '') as string[];
  if (values.length === 0) return null;
  if (values.every((value) => /^(0|-?[1-9]\d{0,18})(\.\d{1,18})?$|^-0\.\d*[1-9]\d*$/.test(value))) {
    const digits = values.map((value) => value.split('.')[1] ?? '');
    const isFixed = new Set(digits.map((each) => each.length)).size === 1;
    const isShortest = digits.every((each) => !each.endsWith('0'));
    if (!isFixed && !isShortest) return 'text';
    return digits.every((each) => each === '') ? 'integer' : 'decimal';
  }
  const shapes = new Set(values.map((value) => value.replace(/[+-]\d\d(:?\d\d)?$/, '').replace(/\d/g, '9')));
  if (shapes.size === 1 && values.every((value) => momentOf(value) !== null)) {
    const zones = values.filter((value) => value.length > 10 && /(Z|[+-]\d\d(:?\d\d)?)$/.test(value)).length;
    if (zones > 0) return zones === values.length ? 'zoned' : 'text';
    return values.every((value) => value.length === 10) ? 'date' : 'moment';
  }
  const spellings = [/^(true|false)$/, /^(TRUE|FALSE)$/, /^(True|False)$/];
  return spellings.some((spelling) => values.every((value) => spelling.test(value))) ? 'boolean' : 'text';
}

export function isSame(rule: Rule, left: Cell, right: Cell): boolean {
  if (left === right) return true;
  const [one, other] = [readCell(rule, 'left', left), readCell(rule, 'right', right)];
  if (one === null || other === null) return textOf(rule, left) === textOf(rule, right);
  return isWithin(rule.limit, one, other);
}

export function isWithin(limit: Rule['limit'], one: bigint, other: bigint): boolean {
  const distance = one > other ? one - other : other - one;
  if (limit === undefined) return distance === 0n;
  const text = String(limit);
  if (text.endsWith('%')) {
    const [, larger] = [one, other]
      .map((value) => (value < 0n ? -value : value))
      .sort((a, b) => (a < b ? -1 : 1));
    return distance * 100n * 10n ** 18n <= larger! * units(text.slice(0, -1))!;
  }
  return distance <= limitIn(text);
}

/** In the units that values are read in. */
export function limitIn(text: string): bigint {
  const time = /^(\d+) ?([smhdw])/.exec(text);
  if (time === null) return units(text)!;
  const seconds = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }[time[2]!]!;
  return BigInt(time[1]!) * BigInt(seconds) * 1_000_000n;
}

/** What two values that are the same have in common, tolerance apart, and in its order. */
export function normalOf(rule: Rule, side: Side, value: Cell): Cell {
  const read = readCell(rule, side, value);
  if (read === null) {
    const text = textOf(rule, value);
    return text === null || rule.type === 'text' ? text : `≠${text}`;
  }
  if (rule.type === 'boolean') return String(read === 1n);
  if (rule.type === 'integer' || rule.type === 'decimal') {
    const digits = String(read < 0n ? -read : read).padStart(19, '0');
    return `${read < 0n ? '-' : ''}${digits.slice(0, -18)}.${digits.slice(-18)}`;
  }
  const iso = new Date(Number(read / 1000n)).toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)}`;
}

export function readCell(rule: Rule, side: Side, value: Cell): bigint | null {
  if (value === null) return null;
  switch (rule.type) {
    case 'text':
      return null;
    case 'boolean': {
      const word = value.replace(/^ +| +$/g, '').toLowerCase();
      if (['true', 't', 'yes', 'y', 'on', '1'].includes(word)) return 1n;
      return ['false', 'f', 'no', 'n', 'off', '0'].includes(word) ? 0n : null;
    }
    case 'integer':
    case 'decimal': {
      const number = plainNumber(sideOf(rule.options.numbers, side), value);
      if (number === null || (rule.type === 'integer' && !/^\s*[+-]?\d+\s*$/.test(number))) return null;
      return units(number);
    }
    default: {
      const format = sideOf(rule.options.dates, side);
      const moment = format === undefined ? momentOf(value) : dayOf(value);
      if (moment === null) return null;
      const day = 86_400_000_000n;
      return rule.type === 'date' ? (moment / day) * day : moment;
    }
  }
}

export function textOf({ options }: Rule, value: Cell): Cell {
  if (value === null) return null;
  let text = value;
  if (options.whitespace !== undefined) text = text.trim();
  if (options.whitespace === 'collapse') text = text.replace(/\s+/g, ' ');
  if (options.ignoreCase) text = text.toLowerCase();
  if (options.unicode === 'NFC') text = text.normalize('NFC');
  return options.emptyIsNull && text === '' ? null : text;
}

function sideOf<T>(option: T | { left?: T; right?: T } | undefined, side: Side): T | undefined {
  if (typeof option !== 'object' || option === null || Array.isArray(option)) return option as T | undefined;
  return (option as { left?: T; right?: T })[side];
}

function plainNumber(picture: string | undefined, value: string): string | null {
  if (picture === undefined) return value;
  const [, thousands = '', decimal = '.'] = /^1(.?)234(.)56$/.exec(picture)!;
  const [whole = '', fraction, ...more] = value.trim().split(decimal);
  if (more.length > 0 || (fraction !== undefined && !/^\d*$/.test(fraction))) return null;
  const isPlain = /^[+-]?\d+$/.test(whole);
  const groups = whole.replace(/^[+-]/, '').split(thousands === '' ? '\0' : thousands);
  const isGrouped =
    thousands !== '' &&
    groups.length > 1 &&
    /^\d{1,3}$/.test(groups[0]!) &&
    groups.slice(1).every((group) => /^\d{3}$/.test(group));
  if (!isPlain && !isGrouped) return null;
  const sign = whole.startsWith('-') ? '-' : '';
  return `${sign}${groups.join('')}${fraction === undefined ? '' : `.${fraction}`}`;
}

/** `31.12.2025`, the one format that is used here. */
function dayOf(value: string): bigint | null {
  const [, day, month, year] = /^ *(\d{1,2})\.(\d{1,2})\.(\d{4}) *$/.exec(value) ?? [];
  if (day === undefined) return null;
  return momentOf(`${year}-${month!.padStart(2, '0')}-${day.padStart(2, '0')}`);
}

function momentOf(value: string): bigint | null {
  const pattern =
    /^\s*(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?)?(?: ?(Z|[+-]\d{2}(?::?\d{2})?))?\s*$/;
  const [, day, time, seconds = '00', fraction = '', zone] = pattern.exec(value) ?? [];
  if (day === undefined || (zone !== undefined && time === undefined)) return null;
  const ms = Date.parse(`${day}T${time ?? '00:00'}:${seconds}Z`);
  // The Date of 31 February is one in March.
  if (Number.isNaN(ms) || !new Date(ms).toISOString().startsWith(day)) return null;
  const [, sign, hours = '0', minutes = '0'] = /([+-])(\d{2}):?(\d{2})?$/.exec(zone ?? '') ?? [];
  const offset = (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -1 : 1);
  return BigInt(ms - offset * 60_000) * 1000n + BigInt(fraction.padEnd(6, '0'));
}

/** A decimal number in units of 10^-18; null where it is none or does not fit. */
export function units(text: string): bigint | null {
  const parts = /^\s*([+-]?)(\d*)(?:\.(\d*))?\s*$/.exec(text);
  if (parts === null) return null;
  const [, sign, whole = '', fraction = ''] = parts;
  if (`${whole}${fraction}` === '' || whole.length > 19 || fraction.length > 18) return null;
  return BigInt(`${sign === '-' ? '-' : ''}${whole}${fraction.padEnd(18, '0')}`);
}
