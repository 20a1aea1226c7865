// The real clock where no time passes: test/runtime/clock.test.ts has the rest.

import { expect, test } from 'vitest';
import { systemClock } from '../../src/actors/systemClock.ts';

test('a timer that never fires keeps no process, and can be cleared', () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  const timer = systemClock.setTimeout(() => expect.unreachable(), Infinity);
  expect(timers()).toBe(before);
  systemClock.clearTimeout(timer);
});
