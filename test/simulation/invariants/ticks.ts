// A schedule ticks each of its times once, whoever ticks it.

import type { NewJob, StoredSchedule } from '../../../src/engines/engine.ts';
import type { Answered, Witness } from '../witness.ts';

export class TickInvariants {
  readonly #witness: Witness;
  /** By schedule: its ticks that made a job. */
  readonly #ticks = new Map<string, Set<number>>();

  constructor(witness: Witness) {
    this.#witness = witness;
  }

  answered(method: string, args: readonly unknown[], answer: Answered): void {
    if (method === 'removeSchedule') this.#ticks.delete(args[0] as string);
    if (method !== 'storeSchedule' || !('value' in answer) || answer.value === null) return;
    const [schedule, , jobs] = args as [StoredSchedule, string | null, readonly NewJob[]];
    if (jobs.length === 0) return;
    const { key, lastTickAt } = schedule;
    const ticks = this.#ticks.get(key) ?? new Set();
    this.#ticks.set(key, ticks);
    if (ticks.has(lastTickAt as number))
      this.#witness.broken(
        'a schedule ticks once',
        `${key} ticked twice at ${new Date(lastTickAt as number).toISOString()}`,
      );
    ticks.add(lastTickAt as number);
    this.#witness.history.add(`${key} ticks`);
  }
}
