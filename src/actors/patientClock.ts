// A clock for judging others by. What its own process missed (its loop was blocked; it, or the machine, was stopped)
// is not held against them: a timer that fires within one beat of such an absence waits for the rest of that beat, in
// which whoever lives is heard, what it had sent is dealt with, and whoever hangs stays silent.

import type { Absence, Clock } from '../engines/clock.ts';

/** The slowest beat there is: see `beatMs` of an attempt. */
export const slowestBeatMs = 1000;

interface Timer {
  inner: unknown;
  isArmed: boolean;
}

export function patientClock(clock: Clock): Clock {
  /** Watched while there are timers. */
  let absence: Absence | null = null;
  let armed = 0;
  const disarm = (timer: Timer) => {
    if (!timer.isArmed) return;
    timer.isArmed = false;
    armed -= 1;
    if (armed > 0) return;
    absence?.stop();
    absence = null;
  };
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    setTimeout(callback, ms) {
      const timer: Timer = { inner: null, isArmed: ms !== Infinity };
      if (!timer.isArmed) return timer;
      armed += 1;
      absence ??= clock.watchAbsence?.() ?? null;
      const dueAt = clock.monotonic() + ms;
      const missedBefore = absence?.look().totalMs ?? 0;
      const judge = () => {
        const { endedAt, totalMs } = absence?.look() ?? { endedAt: -Infinity, totalMs: 0 };
        // Bounded: where absences keep coming, no more is given than was missed, and one beat.
        const patientUntil = Math.min(endedAt, dueAt + totalMs - missedBefore) + slowestBeatMs;
        const left = patientUntil - clock.monotonic();
        if (left > 0) {
          timer.inner = clock.setTimeout(judge, left);
          return;
        }
        disarm(timer);
        callback();
      };
      timer.inner = clock.setTimeout(judge, ms);
      return timer;
    },
    clearTimeout(given) {
      const timer = given as Timer;
      if (timer.inner !== null) clock.clearTimeout(timer.inner);
      disarm(timer);
    },
  };
}
