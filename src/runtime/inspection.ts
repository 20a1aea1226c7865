// What an inspector may see of a processor beyond its public face: the root actors, a job's stored row, the context of its
// live chart, the lines of its log. Nothing is attached to any actor or log while nobody watches.

import type { MeterProvider } from '@opentelemetry/api';
import type { AnyActorRef } from 'xstate';
import type { StoredJob } from '../engines/engine.ts';
import type { JobChartContext } from '../machines/jobMessages.ts';
import type { JobStatus } from './status.ts';

/** The root of an actor system of its own: the supervisor, one of those beside it, or a job. */
export interface RootActor {
  readonly ref: AnyActorRef;
  /** For people. */
  readonly name: string;
  /** What it belongs to, told apart by messages only. Null: the supervisor itself. */
  readonly parent: AnyActorRef | null;
  /** There may be many of them. */
  readonly isJob: boolean;
}

export interface Inspection {
  /** Those alive now, parents first. */
  roots(): Iterable<RootActor>;
  /** `started` is called for each root actor right before it starts. Returns what ends it. */
  watchRoots(started: (root: RootActor) => void): () => void;
  /** `written` is called with each line of a job's log: JSON, as the logger redacted it. Returns what ends it. */
  watchLines(written: (line: string) => void): () => void;
  /** Metrics are recorded there as well. Returns what ends it. */
  attachMetrics(provider: MeterProvider): () => void;
  /** `end` is called, and waited for, when the processor stops. Returns what takes that back. */
  onStop(end: () => Promise<void>): () => void;
  /** Attempts that could not be proven stopped and hold their slots, as their jobs are now. */
  zombies(): JobStatus[];
  /** Throws JobNotFoundError. */
  stored(id: string): Promise<StoredJob>;
  /** Null where the job is not alive here. */
  contextOf(id: string): JobChartContext | null;
}

/** Calls everyone who listens. While nobody does, it costs a look at an empty set. */
export class Listeners<T> {
  readonly #listeners = new Set<(value: T) => void>();

  get isEmpty(): boolean {
    return this.#listeners.size === 0;
  }

  add(listener: (value: T) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tell(value: T): void {
    for (const listener of this.#listeners) listener(value);
  }
}
