// A processor's metrics. What happens is recorded as it happens, on every meter provider that is attached; what stands is asked
// when a reader collects. The number of series is bounded: a job's name is one of the registry or `_OTHER`, an error its type, of
// which a process tells some 50; ids, keys and messages are in none.

import type { MeterProvider } from '@opentelemetry/api';
import type { StoredJob } from '../../engines/engine.ts';
import type { StopRecord } from '../../machines/ladder.ts';
import { type FoundBy, isFinal, jobStates, type TimeoutKind } from '../../machines/states.ts';
import type { JobObserver } from '../jobObserver.ts';
import { attribute, other } from './instruments.ts';
import { type Meters, metersOf } from './meters.ts';
import type { Standing } from './standing.ts';

export class Metrics implements JobObserver {
  readonly #names: ReadonlySet<string>;
  readonly #standing: Standing;
  #meters: readonly Meters[] = [];

  constructor(names: Iterable<string>, standing: Standing) {
    this.#names = new Set(names);
    this.#standing = standing;
  }

  /** From now on it records there. Returns what ends it. */
  attach(provider: MeterProvider): () => void {
    const meters = metersOf(provider);
    const remove = meters.addSource({
      names: this.#names,
      standing: this.#standing,
      known: (name) => this.#known(name),
    });
    this.#meters = [...this.#meters, meters];
    this.#begin();
    return () => {
      remove();
      this.#meters = this.#meters.filter((each) => each !== meters);
    };
  }

  /** A series that comes into being with its first count hides it: what grows by one from nothing has not grown. */
  #begin(): void {
    this.#each(({ sent, ended, timeouts, sweepFound }) => {
      sweepFound.add(0);
      for (const job of this.#names) {
        sent.add(0, this.#messaging(job, 'submit', 'send'));
        for (const state of jobStates)
          if (isFinal(state)) ended.add(0, { [attribute.job]: job, [attribute.state]: state });
        for (const [kind, finders] of Object.entries(foundBy))
          for (const by of finders)
            timeouts.add(0, { [attribute.job]: job, [attribute.timeout]: kind, [attribute.foundBy]: by });
      }
    });
  }

  submitted(name: string, jobs: number): void {
    this.#each((meters) => meters.sent.add(jobs, this.#messaging(name, 'submit', 'send')));
  }

  timeoutFound(name: string, kind: TimeoutKind, by: FoundBy): void {
    this.#each((meters) =>
      meters.timeouts.add(1, {
        [attribute.job]: this.#known(name),
        [attribute.timeout]: kind,
        [attribute.foundBy]: by,
      }),
    );
  }

  stopEnded(name: string, { rung, confirmed }: StopRecord, seconds: number): void {
    this.#each((meters) =>
      meters.stop.record(seconds, {
        [attribute.job]: this.#known(name),
        [attribute.rung]: rung,
        [attribute.isConfirmed]: confirmed,
      }),
    );
  }

  attemptEnded(name: string, seconds: number, job: StoredJob | null): void {
    if (this.#meters.length === 0) return;
    const outcome = outcomeOf(job);
    this.#each((meters) => {
      const error = meters.errorTypes.of(outcome === 'timedOut' ? 'timeout' : errorOf(job));
      meters.run.record(seconds, {
        ...this.#messaging(name, 'attempt', 'process'),
        [attribute.outcome]: outcome,
        ...(error === null ? {} : { [attribute.error]: error }),
      });
    });
    if (job !== null) this.settled(job);
  }

  settled({ name, state }: StoredJob): void {
    if (!isFinal(state)) return;
    this.#each((meters) =>
      meters.ended.add(1, { [attribute.job]: this.#known(name), [attribute.state]: state }),
    );
  }

  swept(seconds: number, found: number): void {
    this.#each((meters) => {
      meters.sweep.record(seconds);
      meters.sweepFound.add(found);
    });
  }

  /** What an SDK throws, or a view of the app, never reaches what is told of. */
  #each(record: (meters: Meters) => void): void {
    for (const meters of this.#meters) {
      try {
        record(meters);
      } catch (error) {
        tellSdk('a metric could not be recorded', error);
      }
    }
  }

  #messaging(name: string, operation: string, operationType: string) {
    return {
      [attribute.system]: 'unstuck',
      [attribute.operation]: operation,
      [attribute.operationType]: operationType,
      [attribute.job]: this.#known(name),
    };
  }

  #known(name: string): string {
    return this.#names.has(name) ? name : other;
  }
}

/** By the API's own diagnostics, which are loaded when there is something to say. */
function tellSdk(message: string, error: unknown): void {
  import('@opentelemetry/api').then(({ diag }) => diag.error(`unstuck: ${message}`, error));
}

/** Who can find what. */
const foundBy: Record<TimeoutKind, readonly FoundBy[]> = {
  job: ['timer', 'monitor', 'watchdog', 'hand'],
  heartbeat: ['timer', 'monitor', 'watchdog'],
  progress: ['timer', 'monitor', 'watchdog'],
  queue: ['monitor', 'hand'],
  deadline: ['timer', 'monitor', 'watchdog'],
};

type Outcome = 'completed' | 'failed' | 'timedOut' | 'cancelled' | 'handedBack' | 'superseded';

/** Of the attempt, and not of its job: that may go on. */
function outcomeOf(job: StoredJob | null): Outcome {
  if (job === null) return 'superseded';
  const { state, timeout } = job;
  if (state === 'retrying') return timeout === null ? 'failed' : 'timedOut';
  return isFinal(state) ? state : 'handedBack';
}

function errorOf(job: StoredJob | null): string | null {
  return job?.failure == null ? null : (job.failure.code ?? job.failure.name);
}
