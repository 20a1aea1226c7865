// The nodes of the engine and what runs on each, for the pages that look at them: read from the store when a page asks, once for
// all who ask within two seconds, and bounded.

import type { JobProcessor, JobStatus, Jobs, NodeStatus } from '../index.ts';
import { type LiveLine, lineOf } from './feed.ts';

/** Of jobs in one answer. */
const mostJobs = 200;
const freshMs = 2000;

/** What is stored of a job that runs elsewhere is a second old at most, and so is this. */
export interface NodesAtWork {
  /** Wall ms of the answer. */
  readonly at: number;
  readonly nodes: readonly NodeStatus[];
  /** The newest of those that run; there may be more. */
  readonly jobs: readonly LiveLine[];
}

export class NodesReader {
  readonly #processor: JobProcessor<Jobs>;
  #reading: Promise<NodesAtWork> | null = null;
  #readAt = -Infinity;

  constructor(processor: JobProcessor<Jobs>) {
    this.#processor = processor;
  }

  read(): Promise<NodesAtWork> {
    if (this.#reading !== null && performance.now() - this.#readAt < freshMs) return this.#reading;
    const reading = this.#read();
    this.#reading = reading;
    // While it is under way nobody asks again, however long it takes.
    this.#readAt = Infinity;
    const done = () => {
      this.#readAt = performance.now();
    };
    reading.then(done, () => {
      this.#reading = null;
    });
    return reading;
  }

  async #read(): Promise<NodesAtWork> {
    const nodes = await this.#processor.nodes();
    const live: JobStatus[] = [];
    for (const state of ['stopping', 'running'] as const)
      for await (const job of this.#processor.list({ state, limit: mostJobs })) live.push(job);
    return { at: Date.now(), nodes, jobs: live.slice(0, mostJobs).map(lineOf) };
  }
}
