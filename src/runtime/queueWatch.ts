// Whether the queue is too old: looked at with each sweep, and told once each time that it becomes so.

import type { Clock } from '../engines/clock.ts';
import type { Engine } from '../engines/engine.ts';
import type { QueueAge } from './webhooks/notification.ts';

export interface QueueWatchOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  /** Infinity: off. */
  readonly tooOldMs: number;
  found(queue: QueueAge): void;
}

export class QueueWatch {
  readonly #options: QueueWatchOptions;
  /** As it was found last; null: it is not too old. */
  tooOld: QueueAge | null = null;

  constructor(options: QueueWatchOptions) {
    this.#options = options;
  }

  async look(): Promise<void> {
    const { engine, clock, tooOldMs, found } = this.#options;
    if (tooOldMs === Infinity) return;
    const oldest = await engine.oldestWaiting();
    const ageMs = oldest === null ? 0 : clock.now() - oldest;
    const wasTooOld = this.tooOld !== null;
    this.tooOld = null;
    if (oldest === null || ageMs < tooOldMs) return;
    const waiting = await engine.count(['queued', 'retrying']);
    this.tooOld = { oldest: new Date(oldest), ageSeconds: Math.round(ageMs / 1000), waiting };
    if (!wasTooOld) found(this.tooOld);
  }
}
