// What people set for all jobs of a name, in SQLite: schedules, and which names are paused. As JobStore, call by call
// and without waiting. `changed` is told of each change, for the other processes to hear of.

import type { DatabaseSync } from 'node:sqlite';
import type { NewJob, ScheduleQuery, StoredSchedule } from '../engine.ts';
import { settingsFrom, settingsText } from '../jobText.ts';
import type { JobRow } from './jobRow.ts';
import type { Instant, JobStore } from './jobStore.ts';
import { Statements } from './statements.ts';

export interface ScheduleRow extends Omit<StoredSchedule, 'job'> {
  readonly name: string;
  readonly settings: string;
  /** Without its settings. */
  readonly job: string;
}

export function scheduleFrom({ name: _, settings, job, ...row }: ScheduleRow): StoredSchedule {
  return { ...row, job: { ...JSON.parse(job), settings: settingsFrom(settings) } };
}

export class ControlStore {
  readonly #statements: Statements;
  readonly #jobs: JobStore;
  readonly #changed: () => void;

  constructor(database: DatabaseSync, jobs: JobStore, changed: () => void) {
    this.#statements = new Statements(database);
    this.#jobs = jobs;
    this.#changed = changed;
  }

  schedules(_: Instant, { key, names, dueBy = Infinity, limit = Infinity }: ScheduleQuery): ScheduleRow[] {
    const select = (where: string, name?: string) =>
      this.#statements.all<ScheduleRow>(
        `SELECT * FROM schedules WHERE ${where} nextTickAt <= :dueBy ORDER BY nextTickAt LIMIT :limit`,
        { key, name, dueBy, limit: Math.min(limit, Number.MAX_SAFE_INTEGER) },
      );
    if (key !== undefined) return select('key = :key AND');
    if (names === undefined) return select('');
    return names
      .flatMap((name) => select('name = :name AND', name))
      .sort((a, b) => a.nextTickAt - b.nextTickAt)
      .slice(0, limit);
  }

  /** The jobs as JobStore.submit answers, or null: another schedule is under the key by now. */
  storeSchedule(
    at: Instant,
    { job: { settings, ...job }, ...schedule }: StoredSchedule,
    instead: string | null,
    jobs: readonly NewJob[],
  ): (JobRow | number)[] | null {
    const stored = this.#statements.get(
      `INSERT OR REPLACE INTO schedules (key, revision, name, settings, job, cron, timeZone, overlap, nextTickAt,
         countedFrom, lastTickAt, lastJobId, lastSkipAt)
       SELECT :key, :revision, :name, :settings, :job, :cron, :timeZone, :overlap, :nextTickAt,
         :countedFrom, :lastTickAt, :lastJobId, :lastSkipAt
       WHERE (SELECT revision FROM schedules WHERE key = :key) IS :instead RETURNING key`,
      {
        ...schedule,
        instead,
        name: job.name,
        settings: settingsText(settings),
        job: JSON.stringify(job),
      },
    );
    if (stored === undefined) return null;
    this.#changed();
    return this.#jobs.submit(at, jobs);
  }

  removeSchedule(_: Instant, key: string): boolean {
    const removed = this.#statements.get('DELETE FROM schedules WHERE key = :key RETURNING key', { key });
    if (removed !== undefined) this.#changed();
    return removed !== undefined;
  }

  setPaused(_: Instant, name: string, isPaused: boolean): void {
    const changed = this.#statements.get(
      isPaused
        ? 'INSERT OR IGNORE INTO paused (name) VALUES (:name) RETURNING name'
        : 'DELETE FROM paused WHERE name = :name RETURNING name',
      { name },
    );
    if (changed !== undefined) this.#changed();
  }

  pausedNames(): string[] {
    return this.#statements
      .all<{ name: string }>('SELECT name FROM paused ORDER BY name', {})
      .map(({ name }) => name);
  }

  /** As JobStore.claim, of names that are not paused. */
  claim(at: Instant, claim: Parameters<JobStore['claim']>[1]): JobRow[] {
    const paused = this.pausedNames();
    return this.#jobs.claim(at, { ...claim, names: claim.names.filter((name) => !paused.includes(name)) });
  }
}
