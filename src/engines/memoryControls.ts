// What people set for all jobs of a name, in memory: schedules, and which names are paused. `changed` is told of
// each change.

import type { ScheduleQuery, StoredSchedule } from './engine.ts';

export class MemoryControls {
  readonly #changed: () => void;
  readonly #schedules = new Map<string, StoredSchedule>();
  readonly #paused = new Set<string>();

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  schedules({ key, names, dueBy = Infinity, limit }: ScheduleQuery): StoredSchedule[] {
    return [...this.#schedules.values()]
      .filter((schedule) => key === undefined || schedule.key === key)
      .filter(({ job }) => names === undefined || names.includes(job.name))
      .filter(({ nextTickAt }) => nextTickAt <= dueBy)
      .sort((a, b) => a.nextTickAt - b.nextTickAt)
      .slice(0, limit);
  }

  /** False: the one under its key is another by now. */
  store(schedule: StoredSchedule, instead: string | null): boolean {
    if ((this.#schedules.get(schedule.key)?.revision ?? null) !== instead) return false;
    this.#schedules.set(schedule.key, schedule);
    this.#changed();
    return true;
  }

  remove(key: string): boolean {
    const wasThere = this.#schedules.delete(key);
    if (wasThere) this.#changed();
    return wasThere;
  }

  isPaused(name: string): boolean {
    return this.#paused.has(name);
  }

  setPaused(name: string, isPaused: boolean): void {
    if (this.#paused.has(name) === isPaused) return;
    if (isPaused) this.#paused.add(name);
    else this.#paused.delete(name);
    this.#changed();
  }

  pausedNames(): string[] {
    return [...this.#paused].sort();
  }
}
