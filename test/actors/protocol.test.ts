// What crosses from a job's process: errors of any kind, and the words of its watchdog among what the job itself writes.

import { expect, test } from 'vitest';
import { toFailure, toWord } from '../../src/actors/isolation/protocol.ts';

test('a word is its watchdog’s if it knows the secret and says a cause', () => {
  expect(toWord({ secret: 's', cause: 'progress' }, 's')).toEqual({ cause: 'progress' });
  expect(toWord({ secret: 's', cause: 'memory', usedMb: 70.5, limitMb: '64' }, 's')).toEqual({
    cause: 'memory',
    usedMb: 70.5,
    limitMb: 64,
  });
  for (const said of [
    { secret: 'other', cause: 'job' },
    { secret: 's', cause: 'boredom' },
    { cause: 'job' },
    null,
    7,
  ]) {
    expect(toWord(said, 's')).toBeUndefined();
  }
});

test.each(['job', 'heartbeat', 'progress', 'queue', 'deadline', 'lease'] as const)(
  '%s is a cause',
  (cause) => {
    expect(toWord({ secret: 's', cause }, 's')).toEqual({ cause });
  },
);

test.each([
  ['text', { name: 'Error', message: 'text' }],
  [undefined, { name: 'Error', message: 'undefined' }],
  [Object.create(null), { name: 'Error', message: 'a value was thrown that cannot be shown' }],
  [
    Object.assign(new TypeError('no'), { code: 'E_NO', stack: 'at home' }),
    { name: 'TypeError', message: 'no', code: 'E_NO', stack: 'at home' },
  ],
  [
    Object.assign(new Error('no'), { code: 7, stack: undefined, retryable: false }),
    { name: 'Error', message: 'no', retryable: false },
  ],
])('%o, thrown, is a failure that can be stored', (thrown, failure) => {
  expect(toFailure(thrown)).toStrictEqual(failure);
});

test('an error whose fields throw when they are read is to be retried as any other', () => {
  const thrown = new Proxy(new Error('hidden'), {
    get() {
      throw new Error('do not look');
    },
  });
  expect(toFailure(thrown)).toEqual({ name: 'Error', message: 'a value was thrown that cannot be shown' });
});

test('a message without end is cut', () => {
  const { message } = toFailure(new Error('x'.repeat(100_000)));
  expect(message).toBe(`${'x'.repeat(65_536)}… (100000 characters)`);
  const whole = 'x'.repeat(65_536);
  expect(toFailure(new Error(whole)).message).toBe(whole);
});
