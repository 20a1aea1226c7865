// Option values that are more than a word, from text. A value that cannot be used is refused here, by commander's
// own error, which names the option.

import { readFileSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';
import type { ColumnType, ReconciliationInput, ReconciliationRules } from '../reconciliation/index.ts';

/** `id,region`, and again: each adds to the list. */
export function addNames(text: string, names: string[] = []): string[] {
  const more = text.split(',').map((name) => name.trim());
  if (more.includes('')) throw new InvalidArgumentError('Expected column names, separated by commas.');
  return [...names, ...more];
}

/** `amount=0.01,rate=0.1%,booked=2 days`, and again. Kept as text: it is compared exactly, in decimal. */
export function addTolerances(text: string, known: Record<string, string> = {}): Record<string, string> {
  const pairs = text.split(',').map((pair): [string, string] => {
    // The last one: a column's name may hold an equals sign, a number cannot.
    const at = pair.lastIndexOf('=');
    const column = pair.slice(0, at).trim();
    const amount = pair.slice(at + 1).trim();
    if (at > 0 && column !== '' && /^\d+(\.\d+)?(%| ?[a-z]+)?$/.test(amount)) return [column, amount];
    throw new InvalidArgumentError(
      'Expected COLUMN=LIMIT with a number of 0 or more, a percentage or a time, such as amount=0.01 or booked=2d.',
    );
  });
  return Object.fromEntries([...Object.entries(known), ...pairs]);
}

/** `amount=betrag`, and again. A name may hold a comma. */
export function addPair(text: string, known: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf('=');
  const [left, right] = [text.slice(0, at).trim(), text.slice(at + 1).trim()];
  if (at > 0 && left !== '' && right !== '')
    return Object.fromEntries([...Object.entries(known), [left, right]]);
  throw new InvalidArgumentError('Expected LEFT=RIGHT, two column names, such as amount=betrag.');
}

type Csv = NonNullable<ReconciliationInput['csv']>;

const words: Record<string, string> = {
  tab: '\t',
  '\\t': '\t',
  comma: ',',
  semicolon: ';',
  pipe: '|',
  none: '',
};

/** `delimiter=;`, `left.encoding=windows-1252`, and again. */
export function addCsvOption(text: string, known: Csv = {}): Csv {
  const [, side, name, value = ''] =
    /^(?:(left|right)\.)?(delimiter|quote|header|encoding)=(.*)$/s.exec(text) ?? [];
  if (name === undefined) {
    throw new InvalidArgumentError(
      'Expected NAME=VALUE with delimiter, quote, header or encoding, such as delimiter=; or left.encoding=windows-1252.',
    );
  }
  const option = {
    [name]: name === 'header' ? yesOrNo(value) : name === 'encoding' ? value : (words[value] ?? value),
  };
  if (side === undefined) return { ...known, ...option };
  return { ...known, [side]: { ...known[side as 'left' | 'right'], ...option } };
}

function yesOrNo(text: string): boolean {
  if (/^(yes|true)$/.test(text)) return true;
  if (/^(no|false)$/.test(text)) return false;
  throw new InvalidArgumentError('Expected header=yes or header=no.');
}

/** `ref=text,amount=decimal`, and again. */
export function addTypes(text: string, known: Record<string, ColumnType> = {}): Record<string, ColumnType> {
  const pairs = text.split(',').map((pair): [string, ColumnType] => {
    const at = pair.lastIndexOf('=');
    const column = pair.slice(0, at).trim();
    const type = pair.slice(at + 1).trim();
    if (at > 0 && column !== '' && columnTypes.includes(type)) return [column, type as ColumnType];
    throw new InvalidArgumentError(`Expected COLUMN=TYPE with one of ${columnTypes.join(', ')}.`);
  });
  return Object.fromEntries([...Object.entries(known), ...pairs]);
}

const columnTypes = [
  'text',
  'integer',
  'decimal',
  'date',
  'timestamp',
  'boolean',
] satisfies ColumnType[] as string[];

export interface RulesFile {
  readonly path: string;
  /** What stands in it, not checked yet: the input's check does that, with the path of what is wrong. */
  readonly rules: ReconciliationRules;
}

export function readRules(path: string): RulesFile {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new InvalidArgumentError(`Expected a file that can be read: ${(error as Error).message}.`);
  }
  try {
    return { path, rules: JSON.parse(text) };
  } catch (error) {
    throw new InvalidArgumentError(`Expected JSON in it: ${(error as Error).message}.`);
  }
}

/** Of differences, keys: a whole number. */
export function parseCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(count) && count >= 1) return count;
  throw new InvalidArgumentError('Expected a whole number, 1 or more.');
}

export function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError('Expected a port, 0 to 65535.');
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `9464`, of this machine; `0.0.0.0:9464`, `[::]:9464`. */
export function parseAddress(text: string): Address {
  const [, given, port] = /^(?:(.+):)?(\d+)$/.exec(text) ?? [];
  const host = given === undefined ? '127.0.0.1' : URL.parse(`http://${given}/`)?.hostname;
  if (host === undefined || host === '' || port === undefined || Number(port) > 65_535)
    throw new InvalidArgumentError('Expected PORT or HOST:PORT, such as 9464 or 0.0.0.0:9464.');
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}
