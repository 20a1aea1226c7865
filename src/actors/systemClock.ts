// The real clock. Three things Node's timers do not promise, kept here once: a timer never fires early (they
// do, by up to 2 ms), may be as long as years (past 2^31 ms they fire at once), and is judged only after the
// messages that were waiting when it fired have been read (a blocked host must not mistake its own pause for
// the silence of a job).

import type { Absence, Clock } from '../engines/clock.ts';

const longestMs = 2 ** 31 - 1;

interface Timer {
  timeout?: NodeJS.Timeout;
  immediate?: NodeJS.Immediate;
}

/** Since the machine started, so that processes on it agree; `performance.now()` counts from the process's own start. */
function monotonic(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic,
  setTimeout(callback, ms) {
    const timer: Timer = {};
    if (ms === Infinity) return timer;
    const dueAt = monotonic() + ms;
    const arm = (left: number) => {
      if (left > 0) timer.timeout = setTimeout(again, Math.min(Math.ceil(left), longestMs));
      else timer.immediate = setImmediate(callback);
    };
    const again = () => arm(dueAt - monotonic());
    arm(ms);
    return timer;
  },
  clearTimeout(timer) {
    const { timeout, immediate } = timer as Timer;
    clearTimeout(timeout);
    clearImmediate(immediate);
  },
  watchAbsence,
};

const tickMs = 100;
/** A tick that comes so much late was kept from coming: we were not there. */
const gapMs = 250;

function watchAbsence(): Absence {
  let tickedAt = monotonic();
  let endedAt = -Infinity;
  let totalMs = 0;
  const tick = () => {
    const now = monotonic();
    const lateMs = now - tickedAt - tickMs;
    tickedAt = now;
    if (lateMs <= gapMs) return;
    endedAt = now;
    totalMs += lateMs;
  };
  const ticker = setInterval(tick, tickMs).unref();
  return {
    look() {
      // The ticker may be due behind whoever asks.
      if (monotonic() - tickedAt > tickMs) tick();
      return { endedAt, totalMs };
    },
    stop: () => clearInterval(ticker),
  };
}
