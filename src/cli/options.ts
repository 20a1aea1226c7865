// Option values that are more than a word, from text. A value that cannot be used is refused here, by commander's
// own error, which names the option.

import { readFileSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';
import type { ColumnType, ReconciliationRules } from '../reconciliation/index.ts';

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
