// The error by which a job says that another attempt is pointless: known by what it says.

import { expect, test } from 'vitest';
import { isRetryable, NonRetryableError } from '../../src/actors/nonRetryable.ts';

test('it says by name, code and field that it is not to be retried', () => {
  expect(new NonRetryableError('no such customer')).toMatchObject({
    name: 'NonRetryableError',
    message: 'no such customer',
    code: 'ERR_UNSTUCK_NON_RETRYABLE',
    retryable: false,
  });
});

test.each([{ retryable: false }, { code: 'ERR_UNSTUCK_NON_RETRYABLE' }, new NonRetryableError('no')])(
  '%o is not retried, of whatever class it is',
  (thrown) => {
    expect(isRetryable(thrown)).toBe(false);
  },
);

test.each([
  'ERR_UNSTUCK_NON_RETRYABLE',
  null,
  undefined,
  7,
  {},
  { retryable: true },
  { retryable: undefined, code: 'E_NO' },
  new Error('no'),
])('%o is retried', (thrown) => {
  expect(isRetryable(thrown)).toBe(true);
});
