// The live jobs of a processor as the map that people know. Each status is made when it is asked for.

import type { LiveJobs } from './liveJobs.ts';
import type { JobStatus } from './status.ts';

export class ActiveJobs implements ReadonlyMap<string, JobStatus> {
  readonly #live: LiveJobs;

  constructor(live: LiveJobs) {
    this.#live = live;
  }

  get size(): number {
    return this.#live.size;
  }

  get(id: string): JobStatus | undefined {
    return this.#live.status(id);
  }

  has(id: string): boolean {
    return this.#live.has(id);
  }

  *keys(): MapIterator<string> {
    yield* this.#live.ids();
  }

  *values(): MapIterator<JobStatus> {
    for (const [, status] of this.entries()) yield status;
  }

  *entries(): MapIterator<[string, JobStatus]> {
    for (const id of this.keys()) {
      const status = this.get(id);
      if (status !== undefined) yield [id, status];
    }
  }

  forEach(callback: (status: JobStatus, id: string, map: ReadonlyMap<string, JobStatus>) => void): void {
    for (const [id, status] of this.entries()) callback(status, id, this);
  }

  [Symbol.iterator](): MapIterator<[string, JobStatus]> {
    return this.entries();
  }
}
