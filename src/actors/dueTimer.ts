// One timer for all that comes due by the wall clock: jobs at rest, or the ticks of schedules. It fires when the first
// does, however many there are, and is set anew when they have changed.

import { fromCallback } from 'xstate';
import type { Clock } from '../engines/clock.ts';

export interface DueTimerHost {
  /** Wall ms; null: nothing will come. */
  nextDueAt(): Promise<number | null>;
  /** Sees to what is due. */
  due(): Promise<void>;
  failed(error: unknown): void;
}

export function createDueTimer(clock: Clock, host: DueTimerHost) {
  return fromCallback<{ type: 'due.changed' }>(({ receive }) => {
    let timer: unknown = null;
    let isOver = false;
    let isBusy = false;
    let isStale = false;
    /** What the next look is for: a timer that came due while another look was under way. */
    let isDueToo = false;
    const look = async (isDue: boolean) => {
      if (isBusy) {
        isStale = true;
        isDueToo ||= isDue;
        return;
      }
      isBusy = true;
      /** null: nothing will come. */
      let pause: number | null = 1000;
      try {
        if (isDue) await host.due();
        const next = await host.nextDueAt();
        // What is still due after it was seen to could not be stored: not at once again.
        if (next === null) pause = null;
        else pause = next > clock.now() ? next - clock.now() : isDue ? 1000 : 0;
      } catch (error) {
        host.failed(error);
      }
      isBusy = false;
      if (timer !== null) clock.clearTimeout(timer);
      timer = pause === null || isOver ? null : clock.setTimeout(() => look(true), pause);
      if (isStale && !isOver) {
        const isDueNow = isDueToo;
        isStale = false;
        isDueToo = false;
        look(isDueNow);
      }
    };
    receive(() => look(false));
    look(true);
    return () => {
      isOver = true;
      if (timer !== null) clock.clearTimeout(timer);
    };
  });
}
