// Whether the queue is too old: looked at with each sweep, and told once each time that it becomes so.

import type { Clock } from '../engines/clock.ts';
import type { Engine } from '../engines/engine.ts';
import type { QueueAge } from './webhooks/notification.ts';

export interface QueueWatchOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  /** Of the jobs that are looked at. */
  readonly names: readonly string[];
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
    const { engine, clock, names, tooOldMs, found } = this.#options;
    if (tooOldMs === Infinity) return;
    const open = (await engine.openJobs()).filter(({ name }) => names.includes(name));
    const oldest = Math.min(...open.map(({ waitingSince }) => waitingSince ?? Infinity));
    const ageMs = clock.now() - oldest;
    const wasTooOld = this.tooOld !== null;
    this.tooOld = null;
    if (ageMs < tooOldMs) return;
    const waiting = open.reduce((sum, { counts }) => sum + counts.queued, 0);
    this.tooOld = { oldest: new Date(oldest), ageSeconds: Math.round(ageMs / 1000), waiting };
    if (!wasTooOld) found(this.tooOld);
  }
}
