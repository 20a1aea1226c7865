// Children kept ready: who gets which, and what becomes of the others.

import { beforeEach, expect, test } from 'vitest';
import type { Child } from '../../src/actors/isolation/child.ts';
import { Spares } from '../../src/actors/isolation/spares.ts';
import { FakeChild } from './fakeChild.ts';

let started: FakeChild[];
/** What starting one throws, if it does. */
let trouble: Error | null;
beforeEach(() => {
  started = [];
  trouble = null;
});

function spares(count: number): Spares {
  const start = (): Child => {
    if (trouble !== null) throw trouble;
    const child = new FakeChild();
    started.push(child);
    return child;
  };
  return new Spares(start, count, 'file:///warm.js');
}

const isEnded = (child: FakeChild | undefined) => child?.done.includes('kill');

test('a spare that cannot be started is missed only by the attempt that needs it', async () => {
  const kept = spares(2);
  trouble = new Error('spawn E2BIG');
  kept.fill();
  expect(() => kept.take(null)).toThrow('spawn E2BIG');
  trouble = null;
  kept.fill();
  expect(started).toHaveLength(2);
  expect(started[0]?.done).toEqual([{ type: 'warm', module: 'file:///warm.js' }]);
  await kept.close();
  expect(started.every(isEnded)).toBe(true);
});

test('a used child goes to its owner alone, the last that came back first', () => {
  const kept = spares(0);
  const [a, b, c] = [kept.take('one'), kept.take('one'), kept.take('two')];
  kept.rest(a, 'one');
  kept.rest(b, 'one');
  kept.rest(c, 'two');
  expect(kept.take('two')).toBe(c);
  expect(kept.take('two')).not.toBe(a);
  expect(kept.take('one')).toBe(b);
  expect(kept.take(null)).not.toBe(a);
  expect(kept.take('one')).toBe(a);
});

test('one that has seen an older environment is ended', () => {
  const kept = spares(1);
  kept.fill();
  const used = kept.take('one');
  kept.rest(used, 'one');
  process.env.UNSTUCK_TEST = 'new';
  try {
    expect(kept.take('one')).toBe(started[2]);
    expect(started.slice(0, 2).map(isEnded)).toEqual([true, true]);
  } finally {
    delete process.env.UNSTUCK_TEST;
  }
});

test('one that died while it waited is forgotten', async () => {
  const kept = spares(1);
  kept.fill();
  started[0]?.kill();
  await new Promise(setImmediate);
  expect(kept.take(null)).toBe(started[1]);
});

test('one that comes back after the close is ended all the same', async () => {
  const kept = spares(0);
  const child = kept.take('one');
  await kept.close();
  kept.rest(child, 'one');
  await child.gone;
  expect(isEnded(started[0])).toBe(true);
});
