// Schedules as people set and see them. All that can be wrong with one is found here, before it is stored; who ticks
// it is ticks.ts.

import { v7 as uuid } from 'uuid';
import type { Engine, NewJob, StoredSchedule } from '../engines/engine.ts';
import { checkCron, tickAfter } from './cron.ts';
import type { InputOf, Jobs } from './definitions.ts';
import { ConfigurationError, describeValue } from './errors.ts';
import type { ResolvedOptions } from './processorOptions.ts';
import { checkKnown } from './settings.ts';
import { prepareJobs, type SubmitOptions, submitFields } from './submission.ts';

interface ScheduleFields extends Omit<SubmitOptions, 'startAfter' | 'idempotencyKey' | 'transaction'> {
  /** Five parts, or six with the seconds first: `'0 3 * * *'` is each day at 3:00. */
  cron: string;
  /** In which the expression is read. Default `'UTC'`: not the machine's, for any process on the engine may tick it. */
  timeZone?: string;
  /**
   * Of a tick while the job of the one before is not final. `skip`: no job, and a line in the log. `allow`: one more.
   * Default `skip`.
   */
  overlap?: 'skip' | 'allow';
}

/** The job of each tick: its name, its input, and what submit takes. */
export type ScheduleOptions<J extends Jobs, N extends keyof J & string> = ScheduleFields & {
  name: N;
} & (undefined extends InputOf<J[N]> ? { input?: InputOf<J[N]> } : { input: InputOf<J[N]> });

/** A schedule as it is kept. */
export interface ScheduleStatus {
  readonly key: string;
  /** Of its jobs. */
  readonly name: string;
  readonly cron: string;
  readonly timeZone: string;
  readonly overlap: 'skip' | 'allow';
  /** In the past: it is due, and no processor with this job has been there to tick it. */
  readonly nextTick: Date;
  /** The last tick that submitted a job, and that job. */
  readonly lastTick: Date | null;
  readonly lastJobId: string | null;
  /** The last tick that was skipped. */
  readonly lastSkip: Date | null;
}

const scheduleFields = ['name', 'input', 'cron', 'timeZone', 'overlap'];
const notOfSchedules = ['startAfter', 'idempotencyKey', 'transaction'];

export class Schedules {
  readonly #options: ResolvedOptions;
  readonly #engine: () => Promise<Engine>;

  constructor(options: ResolvedOptions, engine: () => Promise<Engine>) {
    this.#options = options;
    this.#engine = engine;
  }

  async set(key: string, given: ScheduleFields & { name: string; input?: unknown }): Promise<ScheduleStatus> {
    const { clock } = this.#options;
    checkKey(key);
    if (typeof given !== 'object' || given === null)
      throw new ConfigurationError('schedule', 'an object with name and cron', describeValue(given));
    checkKnown(given, [
      ...scheduleFields,
      ...submitFields.filter((field) => !notOfSchedules.includes(field)),
    ]);
    const { name, input, cron, timeZone = 'UTC', overlap = 'skip', ...submit } = given;
    checkCron(cron, timeZone, clock.now());
    if (overlap !== 'skip' && overlap !== 'allow')
      throw new ConfigurationError('overlap', "'skip' or 'allow'", describeValue(overlap));
    const [{ id: _, ...job }] = (await prepareJobs(this.#options, name, [input], submit)) as [NewJob];
    const engine = await this.#engine();
    for (;;) {
      const [old] = await engine.schedules({ key });
      // Set again with the same times, as at each start of an app, it does not lose a tick that is due.
      const isSame = old?.cron === cron && old.timeZone === timeZone;
      const now = clock.now();
      const schedule: StoredSchedule = {
        key,
        revision: uuid(),
        cron,
        timeZone,
        overlap,
        job,
        nextTickAt: isSame ? old.nextTickAt : tickAfter(cron, timeZone, now),
        countedFrom: isSame ? old.countedFrom : now,
        lastTickAt: old?.lastTickAt ?? null,
        lastJobId: old?.lastJobId ?? null,
        lastSkipAt: old?.lastSkipAt ?? null,
      };
      if ((await engine.storeSchedule(schedule, old?.revision ?? null, [])) !== null)
        return statusOf(schedule);
    }
  }

  async remove(key: string): Promise<boolean> {
    checkKey(key);
    return (await this.#engine()).removeSchedule(key);
  }

  async list(): Promise<ScheduleStatus[]> {
    return (await (await this.#engine()).schedules({})).map(statusOf);
  }
}

function checkKey(key: unknown): void {
  if (typeof key !== 'string' || key === '' || !key.isWellFormed())
    throw new ConfigurationError('key', 'a string that is not empty', describeValue(key));
}

function statusOf(schedule: StoredSchedule): ScheduleStatus {
  const { key, job, cron, timeZone, overlap, nextTickAt, lastTickAt, lastJobId, lastSkipAt } = schedule;
  return {
    key,
    name: job.name,
    cron,
    timeZone,
    overlap,
    nextTick: new Date(nextTickAt),
    lastTick: lastTickAt === null ? null : new Date(lastTickAt),
    lastJobId,
    lastSkip: lastSkipAt === null ? null : new Date(lastSkipAt),
  };
}
