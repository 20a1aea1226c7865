// What a chunk's own code may send: one statement, and none that would end its transaction, however it is written.

import { expect, test } from 'vitest';
import { toSend } from '../../src/postgres/sql.ts';

test.each([
  ['COMMIT', 'COMMIT'],
  ['commit and chain', 'COMMIT'],
  ['  End;', 'END'],
  [';; abort', 'ABORT'],
  ['-- at last\n\tCOMMIT', 'COMMIT'],
  ['-- at last\r COMMIT', 'COMMIT'],
  ['/* a /* b */ c */ COMMIT', 'COMMIT'],
  ['/**/COMMIT/**/', 'COMMIT'],
  ['/*/ */ COMMIT', 'COMMIT'],
  ['BEGIN', 'BEGIN'],
  ['start transaction', 'START'],
  ['ROLLBACK', 'ROLLBACK'],
  ['ROLLBACK WORK', 'ROLLBACK'],
  ['rollback transaction and chain', 'ROLLBACK'],
  ['ROLLBACK PREPARED $1', 'ROLLBACK'],
  ['ROLLBACK tomorrow', 'ROLLBACK'],
  ["PREPARE TRANSACTION 'a'", 'PREPARE TRANSACTION'],
  ["PREPARE /* it */ transaction 'a'", 'PREPARE TRANSACTION'],
])('%j is refused', (text, word) => {
  const refused = expect.objectContaining({
    code: 'ERR_UNSTUCK_INPUT',
    message: expect.stringContaining(`expected a statement within the chunk's transaction, got ${word}.`),
  });
  expect(() => toSend(text, undefined)).toThrow(refused);
  expect(() => toSend({ text }, [])).toThrow(refused);
});

test.each([
  'ROLLBACK TO here',
  'rollback to savepoint here',
  'ROLLBACK WORK TO here',
  'ROLLBACK /* not all */ TRANSACTION -- only\n TO here',
  'SAVEPOINT here',
  'RELEASE here',
  'SELECT 1',
  'SELECT 1 AS commit',
  'PREPARE transactions AS SELECT 1',
  'endless',
  'commits',
  '/* COMMIT */ SELECT 1',
  '-- COMMIT',
  '/* COMMIT',
  '',
])('%j is sent, by itself', (text) => {
  expect(toSend(text, undefined)).toEqual({ text, values: [], queryMode: 'extended' });
});

test('what pg takes beside the text goes with it, and nothing else', () => {
  const types = {};
  const whole = { text: 'SELECT $1', values: [1], rowMode: 'array', name: 'one', types } as const;
  expect(toSend({ ...whole, rows: 1, query_timeout: 1 } as never, undefined)).toEqual({
    ...whole,
    queryMode: 'extended',
  });
  expect(toSend(whole, [2]).values).toEqual([2]);
  expect(toSend('SELECT $1', [3]).values).toEqual([3]);
});

test.each([
  ['a text, or an object with a text', undefined, undefined],
  ['a text, or an object with a text', {}, undefined],
  // As cursors and streams are.
  ['a text, or an object with a text', { text: 'SELECT 1', submit() {} }, undefined],
  ['an array of values', 'SELECT $1', 1],
  ['an array of values', { text: 'SELECT $1', values: 1 }, undefined],
  ['an array of values', 'SELECT 1', () => {}],
])('expected %s, got something else', (expected, statement, values) => {
  expect(() => toSend(statement as never, values as never)).toThrow(
    expect.objectContaining({
      code: 'ERR_UNSTUCK_INPUT',
      message: `query: expected ${expected}, got something else.`,
    }),
  );
});
