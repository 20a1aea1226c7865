import { expect, test } from 'vitest';
import { formatDuration, parseDuration } from '../../src/cli/durations.ts';

test.each([
  ['60', 60],
  ['0.5', 0.5],
  ['500ms', 0.5],
  ['90s', 90],
  ['10m', 600],
  ['2h', 7200],
  ['1.5h', 5400],
  ['1d', 86_400],
])('%s is %d seconds', (text, seconds) => {
  expect(parseDuration(text)).toBe(seconds);
});

test.each(['0', '0s', '-1', 'abc', '', '1x', '10 0', '1h30m', 'Infinity', 'NaN', '0x10', '1e3'])(
  '%j is refused with what was expected',
  (text) => {
    expect(() => parseDuration(text)).toThrow('Expected a duration above 0');
  },
);

test.each([
  [0.0421, '0.04 s'],
  [1.026, '1 s'],
  [12.34, '12.3 s'],
  [59.97, '1 min'],
  [307, '5 min 7 s'],
  [3599.7, '1 h'],
  [7500, '2 h 5 min'],
  [90_000, '1 d 1 h'],
])('%d seconds are shown as %s', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});
