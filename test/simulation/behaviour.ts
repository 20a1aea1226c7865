// What the code of the jobs does: how long it works, and where an attempt hangs, crashes, throws or dawdles. Drawn for each attempt
// anew, and never from what other jobs do.

import { isChunked } from '../../src/actors/jobCode.ts';
import type { Clock } from '../../src/engines/clock.ts';
import { defineChunkedJob, defineJob } from '../../src/index.ts';
import type { JobDefinition, Jobs } from '../../src/runtime/definitions.ts';
import type { Hang, Point, SimulatedAttempt } from '../../src/testing/simulatedAttempt.ts';
import type { JobPlan } from './planJobs.ts';
import type { NamePlan } from './planNames.ts';
import { Random } from './random.ts';

export interface WorkInput {
  readonly label: string;
  readonly chunks: number;
}

type Trouble = Hang | 'crash' | 'error' | 'pointless error' | 'dawdle';

interface Script {
  readonly attempt: SimulatedAttempt;
  readonly clock: Clock;
  readonly startMs: number;
  readonly workMs: number;
  readonly trouble: Trouble | null;
  readonly point: Point;
  /** In which of its chunks. */
  readonly chunk: number;
  /** Of a hang that ends by itself; Infinity: it does not. */
  readonly hangMs: number;
  readonly isPolite: boolean;
}

/** Longer than this no code works by itself, ms. */
const mostWorkMs = 90_000;

/** Of a job that is nobody's plan: a schedule's, or one that is submitted again. */
const plain: Pick<JobPlan, 'workMs' | 'trouble'> = { workMs: 200, trouble: 0 };

export interface BehaviourHost {
  readonly seed: number;
  readonly jobs: readonly JobPlan[];
  /** Nothing more goes wrong. */
  isCalm(): boolean;
  /** A fault has happened to an attempt. */
  happened(fault: string, attempt: SimulatedAttempt): void;
}

export class Behaviour {
  readonly #host: BehaviourHost;
  readonly #jobs: ReadonlyMap<string, JobPlan>;
  readonly #launches = new Map<string, number>();
  readonly #scripts = new Map<string, Script>();

  constructor(host: BehaviourHost) {
    this.#host = host;
    this.#jobs = new Map(host.jobs.map((job) => [job.label, job]));
  }

  definitions(names: readonly NamePlan[]): Jobs {
    return Object.fromEntries(names.map((plan) => [plan.name, this.#definition(plan)]));
  }

  /** Waited for by an attempt that comes to a point; `clock` is the one it lives on. */
  reached(attempt: SimulatedAttempt, point: Point, clock: Clock): void | Promise<void> {
    if (point === 'start') this.#scripts.set(attempt.spec.start.token, this.#scriptOf(attempt, clock));
    const script = this.#scripts.get(attempt.spec.start.token);
    if (script === undefined) return;
    if (
      script.point === point &&
      (attempt.chunk === script.chunk || point === 'start' || point === 'outcome')
    )
      this.#strike(script);
    if (point === 'start') return pause(clock, script.startMs);
  }

  #definition({ name, isolation, chunked, limits }: NamePlan): JobDefinition<WorkInput> {
    const place = isolation === 'inline' ? {} : { module: import.meta.url, isolation };
    if (!chunked)
      return defineJob({
        ...place,
        limits,
        run: async (_: WorkInput, { token, signal }) => {
          await this.#work(token, signal);
          return name;
        },
      });
    return defineChunkedJob({
      ...place,
      limits,
      start: 0,
      total: ({ chunks }: WorkInput) => chunks,
      *chunks({ chunks }: WorkInput, { checkpoint }) {
        for (let done: number = checkpoint; done < chunks; done += 1) yield [done + 1];
      },
      process: async ([chunk = 0], { token, signal, append, attempt }) => {
        await this.#work(token, signal);
        append({ chunk, attempt });
        return chunk;
      },
    });
  }

  async #work(token: string, signal: AbortSignal): Promise<void> {
    const { clock, workMs, trouble, point, chunk, isPolite, attempt } = this.#scripts.get(token) as Script;
    const ms = trouble === 'dawdle' ? Math.min(workMs * 20, mostWorkMs) : workMs;
    await pause(clock, ms, isPolite ? signal : undefined);
    if (isPolite) signal.throwIfAborted();
    // A job without chunks is one.
    const isHere = point === 'chunk' && (attempt.chunk === 0 || attempt.chunk === chunk);
    if (!isHere || (trouble !== 'error' && trouble !== 'pointless error')) return;
    this.#host.happened('code threw', attempt);
    const error = new Error('the bank did not answer');
    throw trouble === 'error' ? error : Object.assign(error, { retryable: false });
  }

  #strike({ attempt, trouble, clock, hangMs }: Script): void {
    if (trouble === null || trouble === 'dawdle' || trouble === 'error' || trouble === 'pointless error')
      return;
    if (trouble === 'crash') {
      if (attempt.isolation === 'inline') return;
      this.#host.happened('code crashed', attempt);
      attempt.end(attempt.isolation === 'process' ? { signal: 'SIGSEGV' } : { exitCode: 9 });
      return;
    }
    // What blocks the host's own loop is a fault of the host.
    const hang = attempt.isolation === 'inline' ? 'await' : trouble;
    this.#host.happened(`code hung (${hang})`, attempt);
    attempt.hang(hang);
    if (hangMs !== Infinity) clock.setTimeout(() => attempt.isAlive && attempt.release(), hangMs);
  }

  #scriptOf(attempt: SimulatedAttempt, clock: Clock): Script {
    const { label, chunks } = JSON.parse(attempt.spec.start.input) as WorkInput;
    const launch = (this.#launches.get(label) ?? 0) + 1;
    this.#launches.set(label, launch);
    const random = new Random(this.#host.seed, `attempt ${label} ${launch}`);
    const { workMs, trouble } = this.#jobs.get(label) ?? plain;
    const isTroubled = random.chance(trouble) && !this.#host.isCalm();
    const kind = random.pick<Trouble>([
      ...(['error', 'error', 'pointless error', 'crash', 'dawdle'] as const),
      ...(['await', 'loop', 'deaf', 'unkillable'] as const),
    ]);
    const points: Point[] = ['start', 'chunk', 'chunk', 'checkpoint', 'acknowledged', 'outcome'];
    const point = random.pick(isChunked(attempt.spec.code) ? points : (['start', 'outcome'] as const));
    const isEndless = !mustBeReleased(attempt, kind) && random.chance(0.6);
    const hangMs = random.long(500, 90_000);
    if (random.chance(0.05) && attempt.isolation !== 'inline') attempt.slowBeats(random.long(0.5, 8));
    return {
      attempt,
      clock,
      // In a spare, or in a new process.
      startMs: workMs < 20 ? random.long(0.1, 5) : random.long(1, 400),
      workMs: workMs * random.between(0.5, 1.5),
      trouble: isTroubled ? kind : null,
      point: kind === 'error' || kind === 'pointless error' ? 'chunk' : point,
      chunk: chunks === 0 ? 0 : random.whole(1, Math.min(3, chunks)),
      hangMs: isEndless ? Infinity : hangMs,
      isPolite: random.chance(0.7),
    };
  }
}

/** Nothing can end it, but itself. */
function mustBeReleased(attempt: SimulatedAttempt, kind: Trouble): boolean {
  return (
    attempt.isolation === 'inline' ||
    kind === 'unkillable' ||
    (kind === 'deaf' && attempt.isolation === 'thread')
  );
}

function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.setTimeout(resolve, ms);
    signal?.addEventListener('abort', () => {
      clock.clearTimeout(timer);
      resolve();
    });
  });
}
