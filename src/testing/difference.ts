// Two values that should have been equal, as a person reads what differs.

import { inspect, isDeepStrictEqual } from 'node:util';

/** `expected … got …` for values; for lists and objects the first place that differs. */
export function difference(expected: unknown, got: unknown): string {
  const [place, wanted, was] = firstDifference(expected, got, '');
  const at = place === '' ? '' : `at ${place} `;
  return `${at}expected ${show(wanted)}, got ${show(was)}`;
}

function firstDifference(expected: unknown, got: unknown, place: string): [string, unknown, unknown] {
  if (isRecord(expected) && isRecord(got) && Array.isArray(expected) === Array.isArray(got)) {
    for (const key of new Set([...Object.keys(expected), ...Object.keys(got)])) {
      if (isDeepStrictEqual(expected[key], got[key])) continue;
      const inner = Array.isArray(expected) ? `${place}[${key}]` : `${place === '' ? '' : `${place}.`}${key}`;
      return firstDifference(expected[key], got[key], inner);
    }
  }
  return [place, expected, got];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function show(value: unknown): string {
  return value === undefined
    ? 'nothing'
    : inspect(value, { breakLength: Infinity, depth: 4, maxStringLength: 200 });
}
