// Children kept ready: who gets which, and what becomes of the others.

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
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
afterEach(() => {
  vi.useRealTimers();
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

test('as many are kept as were asked for, in the place of each that is taken too', async () => {
  const kept = spares(2);
  kept.fill();
  kept.fill();
  expect(started).toHaveLength(2);
  expect(kept.take(null)).toBe(started[0]);
  expect(started).toHaveLength(3);
  expect(kept.take('one')).toBe(started[1]);
  expect(started).toHaveLength(4);
  // None of them was used or ended for it.
  expect(started.map(isEnded)).toEqual([false, false, false, false]);
  await kept.close();
  expect(started.map(isEnded)).toEqual([false, false, true, true]);
  kept.fill();
  expect(started).toHaveLength(4);
});

test('one that waits does not keep the host running; at the close it is waited for', async () => {
  const kept = spares(1);
  kept.fill();
  const used = kept.take('one');
  kept.rest(used, 'one');
  expect(started.map(({ holds }) => holds)).toEqual([false, false]);
  await kept.close();
  expect(started.map(({ holds }) => holds)).toEqual([true, true]);
  expect(started.map(isEnded)).toEqual([true, true]);
});

test('a used one that is not needed for a minute is ended, one that is taken again is not', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const kept = spares(0);
  const [idle, used] = [kept.take('one'), kept.take('two')];
  kept.rest(idle, 'one');
  kept.rest(used, 'two');
  vi.advanceTimersByTime(59_999);
  expect(kept.take('two')).toBe(used);
  expect(started.map(isEnded)).toEqual([false, false]);
  vi.advanceTimersByTime(60_000);
  expect(started.map(isEnded)).toEqual([true, false]);
  expect(kept.take('one')).toBe(started[2]);
  expect(vi.getTimerCount()).toBe(0);
});

test('of one that is gone or ended no timer is left', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const kept = spares(0);
  const [died, ended] = [kept.take('one'), kept.take('two')];
  for (const [child, owner] of [
    [died, 'one'],
    [ended, 'two'],
  ] as const)
    kept.rest(child, owner);
  died.kill();
  await died.gone;
  await kept.close();
  expect(vi.getTimerCount()).toBe(0);
  // Not ended a second time.
  expect(started.map(({ done }) => done)).toEqual([['kill'], ['kill']]);
});

test('a close waits until those that it ends are gone', async () => {
  const kept = spares(1);
  kept.fill();
  const [child] = started;
  Object.assign(child ?? expect.unreachable(), { diesAtOnce: false });
  let isClosed = false;
  const closed = kept.close().then(() => {
    isClosed = true;
  });
  await new Promise(setImmediate);
  expect([isEnded(child), isClosed]).toEqual([true, false]);
  child?.die();
  await closed;
});

test('a close waits until no handle is left of those that are gone', async () => {
  const kept = spares(0);
  const child = kept.take(null) as FakeChild;
  const closing = Promise.withResolvers<void>();
  child.closed = closing.promise;
  child.kill();
  await child.gone;
  let isClosed = false;
  const closed = kept.close().then(() => {
    isClosed = true;
  });
  await new Promise(setImmediate);
  expect(isClosed).toBe(false);
  closing.resolve();
  await closed;
});
