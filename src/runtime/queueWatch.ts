// Whether a queue is too old: looked at with each sweep, for each name of the registry that is not paused, and told once each
// time that it becomes so.

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
  /** By name, those that are too old, as they were found last. */
  #tooOld: ReadonlyMap<string, QueueAge> = new Map();

  constructor(options: QueueWatchOptions) {
    this.#options = options;
  }

  tooOld(): Iterable<QueueAge> {
    return this.#tooOld.values();
  }

  /** `paused`: names that wait on purpose. */
  async look(paused: readonly string[]): Promise<void> {
    const { engine, clock, names, tooOldMs, found } = this.#options;
    if (tooOldMs === Infinity) return;
    const now = clock.now();
    const before = this.#tooOld;
    const tooOld = (await engine.openJobs()).flatMap(({ name, counts, waitingSince }): QueueAge[] => {
      const ageMs = now - (waitingSince ?? Infinity);
      if (ageMs < tooOldMs || !names.includes(name) || paused.includes(name)) return [];
      const ageSeconds = Math.round(ageMs / 1000);
      return [{ name, since: new Date(now - ageMs), ageSeconds, waiting: counts.queued + counts.retrying }];
    });
    this.#tooOld = new Map(tooOld.map((queue) => [queue.name, queue]));
    for (const queue of tooOld) if (!before.has(queue.name)) found(queue);
  }
}
