// The ticks of the schedules whose jobs this processor knows. A tick is stored with its job and with the next tick, in
// place of the schedule as it was read: of all processes that try, one succeeds. What was missed ticks once.

import type { Logger } from 'pino';
import { v7 as uuid } from 'uuid';
import type { Clock } from '../engines/clock.ts';
import type { Engine, NewJob, StoredJob, StoredSchedule } from '../engines/engine.ts';
import { isFinal } from '../machines/states.ts';
import { tickAfter } from './cron.ts';
import type { Traces } from './telemetry/traces.ts';

/** Schedules that are looked at together. */
const atATime = 100;
/** Set back by more than this, the clock was wrong before, ms: what was counted from that time does not hold. */
const wrongByMs = 86_400_000;

export interface TicksOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly names: readonly string[];
  readonly traces: Traces;
  /** A tick has submitted this job. */
  submitted(job: StoredJob): void;
}

export class Ticks {
  readonly #options: TicksOptions;
  /** Revisions that could not be reckoned with here, until the next check. */
  readonly #unreadable = new Set<string>();

  constructor(options: TicksOptions) {
    this.#options = options;
  }

  async nextTickAt(): Promise<number | null> {
    return (await this.#soonest(1))[0]?.nextTickAt ?? null;
  }

  /** Ticks all that are due. */
  async tick(): Promise<void> {
    for (;;) {
      const due = await this.#soonest(atATime, this.#options.clock.now());
      if (due.length === 0) return;
      await Promise.all(due.map((schedule) => this.#tick(schedule)));
    }
  }

  /** Counts anew what was counted from a time that is far ahead of now: the clock has been put right. */
  async check(): Promise<void> {
    const { engine, clock, logger, names } = this.#options;
    this.#unreadable.clear();
    for (const schedule of await engine.schedules({ names })) {
      const now = clock.now();
      if (schedule.countedFrom <= now + wrongByMs) continue;
      const stored = await this.#store(schedule, now, {});
      if (stored !== null)
        logger.warn(`schedule ${schedule.key}: the clock was set back, its ticks are counted from now on`);
    }
  }

  async #soonest(limit: number, dueBy?: number): Promise<StoredSchedule[]> {
    const { engine, names } = this.#options;
    const due = dueBy === undefined ? {} : { dueBy };
    const found = await engine.schedules({ names, limit: limit + this.#unreadable.size, ...due });
    return found.filter(({ revision }) => !this.#unreadable.has(revision));
  }

  async #tick(schedule: StoredSchedule): Promise<void> {
    const { engine, clock, logger, submitted } = this.#options;
    const { key, overlap, lastJobId, nextTickAt } = schedule;
    const at = new Date(nextTickAt).toISOString();
    const last = overlap === 'allow' || lastJobId === null ? null : await engine.get(lastJobId);
    // A final job stays so, and another tick changes the revision: what is seen here holds when it is stored.
    const isSkipped = last !== null && !isFinal(last.state);
    const job = isSkipped ? null : { ...schedule.job, id: uuid() };
    const facts = job === null ? { lastSkipAt: nextTickAt } : { lastTickAt: nextTickAt, lastJobId: job.id };
    const from = Math.max(nextTickAt, clock.now());
    const stored = await this.#store(schedule, from, facts, job === null ? [] : [job]);
    if (stored === null) return;
    if (isSkipped)
      logger.warn(
        `schedule ${key}: its tick of ${at} is skipped, job ${last.id} of the one before is ${last.state}`,
      );
    for (const { id } of stored)
      logger.info({ jobId: id }, `schedule ${key}: job ${id} is submitted, by its tick of ${at}`);
    stored.forEach(submitted);
  }

  /** Null: another was quicker, or its times cannot be reckoned with here. */
  async #store(
    schedule: StoredSchedule,
    countedFrom: number,
    facts: Partial<StoredSchedule>,
    jobs: readonly NewJob[] = [],
  ): Promise<StoredJob[] | null> {
    const { engine, logger, traces } = this.#options;
    const { key, revision, cron, timeZone } = schedule;
    let nextTickAt: number;
    try {
      nextTickAt = tickAfter(cron, timeZone, countedFrom);
    } catch (error) {
      this.#unreadable.add(revision);
      logger.error({ err: error }, `schedule ${key} cannot tick here: ${(error as Error).message}`);
      return null;
    }
    const next = { ...schedule, ...facts, revision: uuid(), nextTickAt, countedFrom };
    const store = (jobs: readonly NewJob[]) => engine.storeSchedule(next, revision, jobs);
    return jobs.length === 0
      ? store(jobs)
      : traces.submit({ name: schedule.job.name, schedule: key }, jobs, store);
  }
}
