// One timer for all jobs at rest: it fires when the first of them becomes due or may start, however many
// there are, and is set anew when one comes to rest.

import { fromCallback } from 'xstate';
import type { Clock } from '../engines/clock.ts';
import type { Engine } from '../engines/engine.ts';

export function createDueTimer(
  engine: Engine,
  clock: Clock,
  host: { due(): Promise<void>; failed(error: unknown): void },
) {
  return fromCallback<{ type: 'rest.changed' }>(({ receive }) => {
    let timer: unknown = null;
    let isOver = false;
    let isBusy = false;
    let isStale = false;
    const look = async (isDue: boolean) => {
      if (isBusy) {
        isStale = true;
        return;
      }
      isBusy = true;
      let pause = 1000;
      let next: number | null = null;
      try {
        if (isDue) await host.due();
        next = await engine.nextDueAt();
        // What is still due after it was seen to could not be stored: not at once again.
        if (next !== null) pause = next > clock.now() ? next - clock.now() : isDue ? 1000 : 1;
      } catch (error) {
        host.failed(error);
        next = clock.now() + pause;
      }
      isBusy = false;
      if (timer !== null) clock.clearTimeout(timer);
      timer = next === null || isOver ? null : clock.setTimeout(() => look(true), pause);
      if (isStale && !isOver) {
        isStale = false;
        look(false);
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
