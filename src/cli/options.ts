// Option values that are more than a word, from text. A value that cannot be used is refused here, by commander's
// own error, which names the option.

import { InvalidArgumentError } from 'commander';

/** `id,region`, and again: each adds to the list. */
export function addNames(text: string, names: string[] = []): string[] {
  const more = text.split(',').map((name) => name.trim());
  if (more.includes('')) throw new InvalidArgumentError('Expected column names, separated by commas.');
  return [...names, ...more];
}

/** `amount=0.01,rate=0.0001`, and again. Kept as text: it is compared exactly, in decimal. */
export function addTolerances(text: string, known: Record<string, string> = {}): Record<string, string> {
  const pairs = text.split(',').map((pair): [string, string] => {
    // The last one: a column's name may hold an equals sign, a number cannot.
    const at = pair.lastIndexOf('=');
    const column = pair.slice(0, at).trim();
    const amount = pair.slice(at + 1).trim();
    if (at > 0 && column !== '' && /^\d+(\.\d+)?$/.test(amount)) return [column, amount];
    throw new InvalidArgumentError('Expected COLUMN=NUMBER with a number of 0 or more, such as amount=0.01.');
  });
  return Object.fromEntries([...Object.entries(known), ...pairs]);
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
