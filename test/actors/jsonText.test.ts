// What may be stored as a payload, and how the rest is refused: by its path.

import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { InputError, payloadLimitBytes, toJsonText } from '../../src/actors/jsonText.ts';

/** Where it may not go deeper. */
function nested(levels: number): object {
  let value: object = {};
  for (let level = 0; level < levels; level += 1) value = { in: value };
  return value;
}

function inArrays(levels: number): unknown {
  let value: unknown = 7;
  for (let level = 0; level <= levels; level += 1) value = [value];
  return value;
}

/** Each says that it is written as the next. */
function writtenAs(levels: number): unknown {
  let value: unknown = 7;
  for (let level = 0; level <= levels; level += 1) {
    const inner = value;
    value = { toJSON: () => inner };
  }
  return value;
}

const circle: Record<string, unknown> = {};
circle.self = circle;
const ofNoClass = Object.create(Object.create(Object.create(null)));

test.each([
  [undefined, 'null'],
  [null, 'null'],
  ['text', '"text"'],
  [true, 'true'],
  [{ a: 1, absent: undefined }, '{"a":1}'],
  [{ at: new Date(0) }, '{"at":"1970-01-01T00:00:00.000Z"}'],
  [{ toJSON: 'a field like others' }, '{"toJSON":"a field like others"}'],
  [new URL('http://localhost/'), '"http://localhost/"'],
  [Object.assign(Object.create(null), { a: [1] }), '{"a":[1]}'],
])('%o is stored as %s', (value, text) => {
  expect(toJsonText(value, 'input')).toBe(text);
});

test.each([
  [{ rows: [1, Number.NaN] }, 'input.rows[1]: expected JSON, got NaN.'],
  [[undefined], 'input[0]: expected JSON, got undefined.'],
  [{ big: 1n }, 'input.big: expected JSON, got a bigint.'],
  [{ at: new Date(Number.NaN) }, 'input.at: expected JSON, got an invalid date.'],
  [{ by: new Map() }, 'input.by: expected JSON, got a Map.'],
  [{ by: new (class extends Set {})() }, 'input.by: expected JSON, got a '],
  [{ odd: ofNoClass }, 'input.odd: expected JSON, got a class instance.'],
  [circle, 'input.self: expected JSON, got a circle.'],
  [nested(501), 'expected JSON, got more than 500 levels.'],
  [inArrays(501), 'expected JSON, got more than 500 levels.'],
  [writtenAs(501), 'expected JSON, got more than 500 levels.'],
  ['x'.repeat(payloadLimitBytes), `input: expected at most ${payloadLimitBytes} bytes of JSON, got `],
])('what would come back changed is refused: %#', (value, message) => {
  expect(() => toJsonText(value, 'input')).toThrow(InputError);
  expect(() => toJsonText(value, 'input')).toThrow(message);
});

test('what is refused says so by name and code', () => {
  const refused = new InputError('no');
  expect([refused.name, refused.code]).toEqual(['InputError', 'ERR_UNSTUCK_INPUT']);
});

test.each([
  ['of 500 levels', nested(500)],
  ['of so many arrays', inArrays(500)],
  // Two bytes are its quotes.
  ['from another realm', runInNewContext('({ a: [{}] })')],
  ['of just as many bytes as may be', 'x'.repeat(payloadLimitBytes - 2)],
])('a payload %s is stored', (_, value) => {
  expect(toJsonText(value, 'input')).toBe(JSON.stringify(value));
});
