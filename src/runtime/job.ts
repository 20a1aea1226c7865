// One job in the hands of whoever submitted or found it. It holds an id and asks the engine; nothing here
// keeps a job alive.

import type { Engine, StoredJob } from '../engines/engine.ts';
import { isFinal, type JobState } from '../machines/states.ts';
import { JobCancelledError, JobFailedError, JobNotFoundError, JobTimedOutError } from './errors.ts';
import type { TimeoutSettings } from './settings.ts';
import type { JobStatus } from './status.ts';

/** What a value is after a journey through JSON. */
export type Jsonified<T> = T extends { toJSON(): infer J }
  ? Jsonified<J>
  : T extends string | number | boolean | null
    ? T
    : [T] extends [undefined]
      ? null
      : T extends (infer Item)[]
        ? Jsonified<Item>[]
        : T extends object
          ? { [K in keyof T as T[K] extends (...args: never) => unknown ? never : K]: Jsonified<T[K]> }
          : T;

/** A job in the hands of whoever submitted or found it. It holds an id, and asks the engine. */
export interface Job<R = unknown> {
  readonly id: string;
  readonly name: string;
  /** As it is stored now; of a job that is alive here, with what is not stored yet. Throws JobNotFoundError. */
  status(): Promise<JobStatus>;
  /** Each new status; a slow reader gets the latest. Ends with the final state. */
  updates(): AsyncIterable<JobStatus>;
  /** Waits for the end. Rejects with JobTimedOutError, JobFailedError or JobCancelledError. */
  result(): Promise<Jsonified<R>>;
  /** What `append` stored, in order. */
  rows<T = unknown>(): AsyncIterable<T>;
  /** Resolves when the stop is proven, or known to be impossible: see `stop.confirmed`. */
  cancel(reason?: string): Promise<JobStatus>;
  /**
   * Extends or shortens timeouts of a job that is not over. They count from where the old ones did: what has passed by then
   * has passed. Resolves when stored; where another process runs the job, that one sees it within a second. An attempt that
   * is being stopped is not taken back. Throws ConfigurationError, and InputError where the job is over.
   */
  setTimeouts(timeouts: TimeoutSettings): Promise<JobStatus>;
}

export interface JobAccess {
  engine(): Promise<Engine>;
  statusOf(job: StoredJob): JobStatus;
  cancel(id: string, reason: string | null): Promise<JobStatus>;
  setTimeouts(id: string, timeouts: TimeoutSettings): Promise<JobStatus>;
  /** Calls `changed` whenever a job may have a new status, with its state where that is known; returns what ends it. */
  watch(id: string, changed: (state: JobState | null) => void): Promise<() => void>;
}

export class JobHandle<R> implements Job<R> {
  readonly id: string;
  readonly name: string;
  readonly #access: JobAccess;

  constructor(id: string, name: string, access: JobAccess) {
    this.id = id;
    this.name = name;
    this.#access = access;
  }

  async status(): Promise<JobStatus> {
    return this.#access.statusOf(await this.#stored());
  }

  updates(): AsyncIterable<JobStatus> {
    return { [Symbol.asyncIterator]: () => this.#updates() };
  }

  /** By hand rather than as a generator, whose `return` would wait for the `next` that is under way. */
  #updates(): AsyncIterator<JobStatus, undefined> {
    let isOver = false;
    let isFresh = true;
    let wake = Promise.withResolvers<void>();
    const watching = this.#access.watch(this.id, () => {
      isFresh = true;
      wake.resolve();
    });
    // Told by next(), which awaits it; an iterator that is never read must not bring the process down.
    watching.catch(() => {});
    const end = async () => {
      isOver = true;
      wake.resolve();
      (await watching)();
      return { done: true, value: undefined } as const;
    };
    return {
      next: async () => {
        await watching;
        if (!isFresh && !isOver) await wake.promise;
        if (isOver) return { done: true, value: undefined };
        wake = Promise.withResolvers();
        isFresh = false;
        const value = await this.status();
        if (isFinal(value.state)) await end();
        return { done: false, value };
      },
      return: end,
    };
  }

  async result(): Promise<Jsonified<R>> {
    const job = await untilStored(this.#access, this.id, ({ state }) => isFinal(state), isFinal);
    switch (job.state) {
      case 'completed':
        return JSON.parse(job.result ?? 'null');
      case 'timedOut':
        throw new JobTimedOutError(job.id, job.timeout ?? 'job', job.stop);
      case 'cancelled':
        throw new JobCancelledError(job.id, job.reason);
      default:
        throw new JobFailedError(job.id, job.failure ?? { name: 'Error', message: 'unknown' }, job.attempt);
    }
  }

  async *rows<T>(): AsyncIterable<T> {
    const engine = await this.#access.engine();
    for await (const row of engine.rows(this.id)) yield JSON.parse(row);
  }

  cancel(reason?: string): Promise<JobStatus> {
    return this.#access.cancel(this.id, reason ?? null);
  }

  setTimeouts(timeouts: TimeoutSettings): Promise<JobStatus> {
    return this.#access.setTimeouts(this.id, timeouts);
  }

  async #stored(): Promise<StoredJob> {
    return storedJob(await this.#access.engine(), this.id);
  }
}

export async function storedJob(engine: Engine, id: string): Promise<StoredJob> {
  const job = await engine.get(id);
  if (job === null) throw new JobNotFoundError(id, 'a job of this engine');
  return job;
}

/** Resolves with the row as soon as it fits; in a state in which it may not, the engine is not asked for it. */
export async function untilStored(
  access: Pick<JobAccess, 'engine' | 'watch'>,
  id: string,
  fits: (job: StoredJob) => boolean,
  mayFit: (state: JobState) => boolean = () => true,
): Promise<StoredJob> {
  let wake = Promise.withResolvers<void>();
  const unwatch = await access.watch(id, (state) => {
    if (state === null || mayFit(state)) wake.resolve();
  });
  try {
    for (;;) {
      const job = await storedJob(await access.engine(), id);
      if (fits(job)) return job;
      await wake.promise;
      wake = Promise.withResolvers<void>();
    }
  } finally {
    unwatch();
  }
}
