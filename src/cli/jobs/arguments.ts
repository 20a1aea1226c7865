// Arguments of the job commands that are more than a word. A value that cannot be used is refused here, by commander's
// own error, which names the option.

import { InvalidArgumentError } from 'commander';
import { isNodeName, nodeNameExpected } from '../../runtime/nodes.ts';
import { parseDuration } from '../durations.ts';

/** As a duration; `off` switches the timeout off. */
export function parseTimeout(text: string): number {
  return text === 'off' ? Infinity : parseDuration(text);
}

/** As a duration; 0 is none at all. */
export function parseGrace(text: string): number {
  return /^0(\.0+)?(ms|s|m|h|d)?$/.test(text) ? 0 : parseDuration(text);
}

export function parseNodeName(text: string): string {
  if (isNodeName(text)) return text;
  throw new InvalidArgumentError(`Expected ${nodeNameExpected}.`);
}

export function parseCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1) return count;
  throw new InvalidArgumentError('Expected a whole number, 1 or more.');
}

export function parseFinite(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('Expected a number.');
}

/** `1h`: so long ago. */
export function parsePast(text: string): Date {
  return parseMoment(text, -1);
}

/** `1h`: so long from now. */
export function parseFuture(text: string): Date {
  return parseMoment(text, 1);
}

/** With a date in it, and a time where there is one: what `Date` would make of other texts is anyone's guess. */
const moment = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/;

function parseMoment(text: string, direction: 1 | -1): Date {
  const date = moment.test(text) ? new Date(text) : relative(text, direction);
  if (date !== null && !Number.isNaN(date.getTime())) return date;
  throw new InvalidArgumentError(
    'Expected a duration such as 90s, 10m, 2h, 1d, or a date such as 2026-03-01 or 2026-03-01T14:30.',
  );
}

function relative(text: string, direction: 1 | -1): Date | null {
  try {
    return new Date(Date.now() + direction * parseDuration(text) * 1000);
  } catch {
    return null;
  }
}
