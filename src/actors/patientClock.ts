// A clock for judging others by. A timer that fires long after its time says more about this process than about
// whoever is judged: the loop was blocked, or the process or the machine was stopped. Such a timer waits one more
// beat, in which whoever lives is heard (and what it had sent is dealt with) and whoever hangs stays silent.

import type { Clock } from '../engines/clock.ts';

/** Later than this, we were not there. */
const gapMs = 1000;
/** The slowest beat there is: see `beatMs` of an attempt. */
export const slowestBeatMs = 1000;

export function patientClock(clock: Clock): Clock {
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    setTimeout(callback, ms) {
      const dueAt = clock.monotonic() + ms;
      const timer = {
        inner: clock.setTimeout(() => {
          if (clock.monotonic() - dueAt > gapMs) timer.inner = clock.setTimeout(callback, slowestBeatMs);
          else callback();
        }, ms),
      };
      return timer;
    },
    clearTimeout: (timer) => clock.clearTimeout((timer as { inner: unknown }).inner),
  };
}
