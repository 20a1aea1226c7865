// A job in the hands of a test: as any other, and it goes on to tell of the job when the processor that took it was killed.

import type { Job, Jsonified } from '../runtime/job.ts';
import type { TimeoutSettings } from '../runtime/settings.ts';
import type { JobStatus } from '../runtime/status.ts';

export class TestJob<R> implements Job<R> {
  readonly id: string;
  readonly name: string;
  readonly #stored: Job<R>;
  readonly #live: () => Promise<Job>;

  /** `stored` asks the engine alone; `live` the processor that runs now. */
  constructor(stored: Job<R>, live: () => Promise<Job>) {
    this.id = stored.id;
    this.name = stored.name;
    this.#stored = stored;
    this.#live = live;
  }

  async status(): Promise<JobStatus> {
    return (await this.#live()).status();
  }

  updates(): AsyncIterable<JobStatus> {
    return this.#stored.updates();
  }

  result(): Promise<Jsonified<R>> {
    return this.#stored.result();
  }

  rows<T>(): AsyncIterable<T> {
    return this.#stored.rows<T>();
  }

  async cancel(reason?: string): Promise<JobStatus> {
    return (await this.#live()).cancel(reason);
  }

  async setTimeouts(timeouts: TimeoutSettings): Promise<JobStatus> {
    return (await this.#live()).setTimeouts(timeouts);
  }
}
