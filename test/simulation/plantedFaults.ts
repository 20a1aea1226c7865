// Faults of our own making, one for each promise: an engine that forgets, a clock that runs fast, an attempt that is called dead
// and is not. The simulation must find each of them.

import type { Places } from '../../src/actors/attempt.ts';
import type { Clock } from '../../src/engines/clock.ts';
import type { CheckpointWrite, Claim, NewJob, StoredJob, StoredSchedule } from '../../src/engines/engine.ts';
import { freshJob } from '../../src/engines/jobFacts.ts';
import { MemoryEngine } from '../../src/engines/memory.ts';
import type { Verdict } from '../../src/machines/verdict.ts';
import type { Alterations } from './host.ts';

export interface PlantedFault {
  readonly fault: string;
  /** Those that may find it. */
  readonly found: readonly string[];
  readonly altered: () => Alterations;
}

const engineOf = (Engine: new () => MemoryEngine) => (): Alterations => ({ engine: () => new Engine() });

class AnyToken extends MemoryEngine {
  override async settle(id: string, token: string | null, verdict: Verdict, followUps?: readonly NewJob[]) {
    const row = await this.get(id);
    return super.settle(id, token === null ? null : (row?.token ?? token), verdict, followUps);
  }
}

class AnyTokenOfChunks extends MemoryEngine {
  override async checkpoint(write: CheckpointWrite) {
    const row = await this.get(write.id);
    // Of a job at rest or at its end too.
    return super.checkpoint({ ...write, token: row?.token as string });
  }
}

class ForgetsSubmits extends MemoryEngine {
  #count = 0;
  override async submit(jobs: readonly NewJob[]): Promise<StoredJob[]> {
    this.#count += 1;
    return this.#count % 7 === 0
      ? jobs.map((job) => freshJob(job, Date.UTC(2026, 0, 1)))
      : super.submit(jobs);
  }
}

class ForgetsChunks extends MemoryEngine {
  override async checkpoint(write: CheckpointWrite) {
    if (write.chunk !== 2) return super.checkpoint(write);
  }
}

class StoresChunksTwice extends MemoryEngine {
  override async checkpoint(write: CheckpointWrite) {
    return super.checkpoint({
      ...write,
      rows: write.chunk === 2 ? [...write.rows, ...write.rows] : write.rows,
    });
  }
}

class KnowsNoKeys extends MemoryEngine {
  #count = 0;
  override submit(jobs: readonly NewJob[]) {
    this.#count += 1;
    const id = (job: NewJob) => `${job.id} ${this.#count}`;
    return super.submit(jobs.map((job) => ({ ...job, id: id(job), idempotencyKey: id(job) })));
  }
}

class KeepsNoLimits extends MemoryEngine {
  override claim(claim: Claim) {
    return super.claim({ ...claim, limits: {} });
  }
}

class KeepsNoKeyLimits extends MemoryEngine {
  override submit(jobs: readonly NewJob[]) {
    return super.submit(jobs.map((job) => ({ ...job, keyLimit: job.keyLimit + 1 })));
  }
}

class NeverPauses extends MemoryEngine {
  #paused = new Set<string>();
  override async setPaused(name: string, isPaused: boolean) {
    if (isPaused) this.#paused.add(name);
    else this.#paused.delete(name);
  }
  override async pausedNames() {
    return [...this.#paused];
  }
}

class KnowsNoRevisions extends MemoryEngine {
  override async storeSchedule(schedule: StoredSchedule, _: string | null, jobs: readonly NewJob[]) {
    const [stored] = await this.schedules({ key: schedule.key });
    return super.storeSchedule(schedule, stored?.revision ?? null, jobs);
  }
}

class FindsNothingDue extends MemoryEngine {
  override async due() {
    return [];
  }
  override async nextDueAt() {
    return null;
  }
}

class FindsNobodyLost extends MemoryEngine {
  override async lapsed() {
    return [];
  }
}

class RunsAhead extends MemoryEngine {
  override open(clock: Clock) {
    return super.open({ ...clock, now: () => clock.now() + 1500 });
  }
}

/** Attempts that are told to be over once they were asked to be, though they are not. */
function withoutProof(places: Places): void {
  const launchIn = places.launchIn.bind(places);
  places.launchIn = (isolation) => {
    const launch = launchIn(isolation);
    return (spec, port) => {
      const handle = launch(spec, port);
      const ask = handle.ask.bind(handle);
      handle.ask = (reason) => {
        ask(reason);
        queueMicrotask(() => port.ended({ kind: 'stopped' }));
      };
      return handle;
    };
  };
}

export const plantedFaults: readonly PlantedFault[] = [
  {
    fault: 'a settlement is taken with any token',
    found: ['a stale write is refused'],
    altered: engineOf(AnyToken),
  },
  {
    fault: 'a checkpoint is taken with any token',
    found: ['a stale write is refused'],
    altered: engineOf(AnyTokenOfChunks),
  },
  {
    fault: 'an acknowledged submit is forgotten',
    found: ['nothing acknowledged is lost', 'what is told is stored'],
    altered: engineOf(ForgetsSubmits),
  },
  {
    fault: 'an acknowledged checkpoint is forgotten',
    found: ['nothing acknowledged is lost'],
    altered: engineOf(ForgetsChunks),
  },
  {
    fault: 'rows are stored twice',
    found: ['what is appended is there once and in order'],
    altered: engineOf(StoresChunksTwice),
  },
  {
    fault: 'an idempotency key is not known again',
    found: ['one key, one job', 'nothing acknowledged is lost'],
    altered: engineOf(KnowsNoKeys),
  },
  {
    fault: 'the limits of a name are not kept',
    found: ['the concurrency of a name holds', 'a rate holds'],
    altered: engineOf(KeepsNoLimits),
  },
  {
    fault: 'the limit of a key is one too high',
    found: ['the concurrency of a key holds', 'a key in order keeps its order'],
    altered: engineOf(KeepsNoKeyLimits),
  },
  {
    fault: 'a paused name is claimed',
    found: ['a paused name starts nothing'],
    altered: engineOf(NeverPauses),
  },
  {
    fault: 'a tick is stored whatever its revision',
    found: ['a schedule ticks once'],
    altered: engineOf(KnowsNoRevisions),
  },
  {
    fault: 'jobs at rest are not timed out',
    found: ['a job is over by its deadline', 'everything ends'],
    altered: engineOf(FindsNothingDue),
  },
  {
    fault: 'jobs of an owner that is gone are not found',
    found: ['everything ends', 'a job is over by its deadline'],
    altered: engineOf(FindsNobodyLost),
  },
  {
    fault: 'the engine is ahead of the time',
    found: ['nothing starts before its time'],
    altered: engineOf(RunsAhead),
  },
  {
    fault: 'an attempt is called over when it was asked to be',
    found: ['one at a time', 'the slots hold'],
    altered: () => ({ places: (places) => withoutProof(places) }),
  },
  {
    fault: 'what is left of a lost attempt is not ended first',
    found: ['one at a time'],
    altered: () => ({
      places: (places) => {
        places.endGroup = async () => {};
      },
    }),
  },
  {
    fault: 'timers fire early',
    found: ['never early'],
    altered: () => ({
      life: ({ clock }) => {
        const arm = clock.setTimeout;
        clock.setTimeout = (callback, ms) => arm(callback, ms * 0.9);
      },
    }),
  },
  {
    fault: 'timers never fire',
    found: ['an attempt ends in time', 'everything ends', 'a job is over by its deadline', 'a stop ends'],
    altered: () => ({
      life: ({ clock }) => {
        const arm = clock.setTimeout;
        clock.setTimeout = (callback, ms) => arm(callback, ms > 2500 ? Infinity : ms);
      },
    }),
  },
];
