// The runtime as it is, on a simulated machine: the memory engine, a clock that a test moves, and attempts that only seem to
// run in processes. A test can tell what every job did and plant faults; when it stops, nothing may be left.

import { MemoryEngine } from '../engines/memory.ts';
import { isFinal, type JobState } from '../machines/states.ts';
import type { InputOf, Jobs, ResultOf } from '../runtime/definitions.ts';
import { ConfigurationError, describeValue } from '../runtime/errors.ts';
import type { Job } from '../runtime/job.ts';
import { type Health, JobProcessor } from '../runtime/processor.ts';
import type { ProcessorOptions } from '../runtime/processorOptions.ts';
import type { JobStatus } from '../runtime/status.ts';
import type { SubmitOptions } from '../runtime/submission.ts';
import { pathOf } from './assertions.ts';
import { type Duration, toSeconds } from './duration.ts';
import { checkPoints, type Fault, type FaultName, type FaultOptions, Faults, toJump } from './faults.ts';
import { freshCode } from './freshCode.ts';
import { testLog } from './log.ts';
import { type JobRecord, Records } from './records.ts';
import type { Point, SimulatedAttempt } from './simulatedAttempt.ts';
import { SimulatedClock } from './simulatedClock.ts';
import { SimulatedHost } from './simulatedHost.ts';
import { SimulatedProcesses } from './simulatedPlaces.ts';
import { HeldSteps, type Step, type Steps } from './steps.ts';
import { Stillness } from './stillness.ts';
import { TestJob } from './testJob.ts';

/** Of `testProcessor`: those of a processor, without what is simulated. */
export interface TestProcessorOptions<J extends Jobs>
  extends Omit<ProcessorOptions<J>, 'engine' | 'durability' | 'clock' | 'logger' | 'spares' | 'onSlotsLost'> {
  /**
   * Real seconds that a job's code may take from one point to the next, for what it does outside of the simulation: files,
   * sockets. After them `untilIdle` rejects, and `advance` takes it to hang. Default 5.
   */
  patienceSeconds?: number;
  /**
   * Each attempt imports its job's file anew, as a process of its own does: what is kept in a variable is gone, and the file's default
   * export runs, with what it imports itself: no mock of a test framework, and nothing that a test has put in. Default false.
   */
  freshModules?: boolean;
  /**
   * Code that was killed is unwound where it stands: its `finally` blocks run, unheard, and give back the files and databases that
   * the end of a process would free. Default false: no line of it runs any more.
   */
  unwind?: boolean;
  /** Of the lines in `lines`, a level of pino. Default `debug`; `silent` is faster. */
  logLevel?: string;
}

/** Longer than any job of a test lives. */
const longest = '30d';
/** Simulated; a stop takes the stop budget and no more. */
const stopSeconds = 86_400;

/** What `testProcessor` answers with: the runtime, and what a test does to it. */
export class TestProcessor<J extends Jobs> implements AsyncDisposable {
  /** Lines of the log: `WARN: Found 1 stuck job(s), forcing timeout`. */
  readonly lines: readonly string[];
  /** Simulated time. Moved by `advance`, which sees to the rest. */
  readonly clock = new SimulatedClock(() => this.#stillness.reach());
  readonly #options: Omit<ProcessorOptions<J>, 'engine' | 'clock'>;
  readonly #engine = new MemoryEngine();
  readonly #processes = new SimulatedProcesses();
  readonly #records = new Records();
  readonly #states = new Map<string, JobState>();
  readonly #faults: Faults;
  readonly #stillness: Stillness;
  readonly #steps = new Set<HeldSteps>();
  readonly #alive = new Set<SimulatedAttempt>();
  /** Chunks that earlier attempts of the job had finished. */
  readonly #chunksBefore = new WeakMap<SimulatedAttempt, number>();
  readonly #freshModules: boolean;
  readonly #unwind: boolean;
  /** Asks and is never started: it outlives the hosts. */
  readonly #front: JobProcessor<J>;
  readonly #broken: string[] = [];
  #host: SimulatedHost<J>;
  #stopping: Promise<void> | null = null;
  /** @internal Called first at each point. */
  watcher: ((attempt: SimulatedAttempt, point: Point) => Promise<void> | undefined) | null = null;

  constructor(given: TestProcessorOptions<J>) {
    const {
      patienceSeconds = 5,
      freshModules = false,
      unwind = false,
      logLevel = 'debug',
      ...options
    } = given;
    for (const field of ['engine', 'durability', 'clock', 'logger', 'spares', 'onSlotsLost'])
      if (field in options)
        throw new ConfigurationError(
          field,
          'an option that is not simulated',
          'one that is',
          'Leave it out.',
        );
    for (const [field, value] of Object.entries({ freshModules, unwind }))
      if (typeof value !== 'boolean')
        throw new ConfigurationError(field, 'true or false', describeValue(value));
    const { logger, lines } = testLog(logLevel);
    this.lines = lines;
    this.#freshModules = freshModules;
    this.#unwind = unwind;
    this.#options = {
      ...{ telemetry: false, random: () => 0.5, keepCompletedSeconds: Infinity, keepFailedSeconds: Infinity },
      ...options,
      logger,
    };
    this.#stillness = new Stillness(toSeconds('patienceSeconds', patienceSeconds) * 1000, () => this.#alive);
    this.#faults = new Faults({
      chunkOf: (attempt) => this.#chunkOf(attempt),
      killHost: () => this.killHost(),
      takeLease: (attempt) => this.takeLease(attempt),
      jumpClock: (seconds) => this.clock.jumpWall(seconds * 1000),
    });
    this.#front = new JobProcessor<J>({ ...this.#options, engine: this.#engine, clock: this.clock });
    this.#host = this.#newHost();
    this.#engine.watch({ changed: (id, state) => this.#states.set(id, state), missed() {} });
  }

  /** The real one. After a crash of the host: the one that took over. */
  get processor(): JobProcessor<J> {
    return this.#host.processor;
  }

  /** @internal */
  get host(): SimulatedHost<J> {
    return this.#host;
  }

  /** As of a processor; the job it answers with outlives a crash of the host. */
  async submit<N extends keyof J & string>(
    name: N,
    ...[input, options]: undefined extends InputOf<J[N]>
      ? [input?: InputOf<J[N]>, options?: SubmitOptions]
      : [input: InputOf<J[N]>, options?: SubmitOptions]
  ): Promise<Job<ResultOf<J[N]>>> {
    const submit = this.processor.submit as (...args: unknown[]) => Promise<Job>;
    const { id } = await submit.call(this.processor, name, input, options);
    const stored = (await this.#front.get(id)) as Job<ResultOf<J[N]>>;
    return new TestJob(stored, () => this.processor.get(id));
  }

  /** So much time passes, timer by timer; what is ready to go on does so between them. */
  async advance(duration: Duration): Promise<void> {
    await this.clock.advance(toSeconds('duration', duration));
  }

  /**
   * Resolves when nothing goes on any more without time moving; what hangs by a fault or is held does not count. Rejects where a
   * job's own code takes longer than `patienceSeconds` from one point to the next.
   */
  async untilIdle(): Promise<void> {
    const [stuck] = await this.#stillness.reach();
    if (stuck !== undefined) throw new Error(this.#stuckText(stuck));
  }

  /**
   * Lets time pass, from timer to timer, until the job is in a final state: pauses before retries, timeouts and stops are
   * gone through. Rejects where that takes more than `within`, by default 30 days.
   */
  async untilDone(job: Job, { within = longest }: { within?: Duration } = {}): Promise<JobStatus> {
    const until = this.clock.monotonic() + toSeconds('within', within) * 1000;
    for (;;) {
      await this.#stillness.reach();
      const state = this.#states.get(job.id);
      if (state === undefined || isFinal(state)) return job.status();
      if (!this.clock.fireNext(until - this.clock.monotonic())) {
        throw new Error(
          `job ${job.id} (${job.name}): expected to be over within ${within} of simulated time, got ${pathOf(await job.status())}`,
        );
      }
    }
  }

  /** Sets the wall clock, by seconds, below 0 too, or a text with a unit; no time passes. */
  jumpClock(by: Duration): void {
    this.clock.jumpWall(toJump('by', by) * 1000);
  }

  /** Plants a fault: `fault('hang', { attempt: 1, chunk: 2 })`. It happens once; one that never did fails `stop()`. */
  fault<N extends FaultName>(
    name: N,
    ...[options]: object extends FaultOptions[N] ? [options?: FaultOptions[N]] : [options: FaultOptions[N]]
  ): Fault {
    return this.#faults.plan(name, (options ?? {}) as FaultOptions[N]);
  }

  /**
   * Holds the jobs of a name after each chunk (or `at` other points), from now on: ask before you submit. One attempt is held at
   * a time.
   */
  steps(name: keyof J & string, { at = ['acknowledged'] }: { at?: readonly Point[] } = {}): Steps {
    if (!(name in this.#options.jobs))
      throw new ConfigurationError(
        'name',
        `a job of the registry (${Object.keys(this.#options.jobs).join(', ')})`,
        describeValue(name),
      );
    checkPoints(at);
    const steps = new HeldSteps(
      name,
      at,
      () => this.untilIdle(),
      (attempt, point) => this.#stepOf(attempt, point),
    );
    this.#steps.add(steps);
    return steps;
  }

  /** What the engine was told of a job's chunks. */
  record(job: Pick<Job, 'id'>): JobRecord {
    return this.#records.of(job.id);
  }

  /** What `append` stored, in order. */
  async rows<T = unknown>(job: Pick<Job, 'id'>): Promise<T[]> {
    const rows: T[] = [];
    for await (const row of this.#engine.rows(job.id)) rows.push(JSON.parse(row));
    return rows;
  }

  /** As of the processor. */
  health(): Promise<Health> {
    return this.processor.health();
  }

  /** Kills the processor, as `kill -9` would, and starts another on the same engine. */
  killHost(): void {
    this.#host.kill();
    this.restart();
  }

  /** @internal Its state, as stored; of jobs that were submitted here. */
  stateOf(job: Pick<Job, 'id'>): JobState | undefined {
    return this.#states.get(job.id);
  }

  /** @internal What was told of this job is kept no longer. */
  forget(job: Pick<Job, 'id'>): void {
    this.#records.forget(job.id);
    this.#states.delete(job.id);
  }

  /** @internal Another processor on the engine, in place of the one that is no more. */
  restart(): void {
    // Also one that was stopped: it is told of nothing any more.
    this.#host.calls.die();
    this.#host = this.#newHost();
    this.start().catch((error) => this.#broken.push(`another processor could not start: ${error.message}`));
  }

  /** @internal The job of this attempt is another owner's, whose lease lapses at once. */
  async takeLease({ spec: { start } }: SimulatedAttempt): Promise<void> {
    await this.#engine.adopt(start.jobId, start.token, 'another owner', 0);
  }

  /** @internal */
  async start(): Promise<this> {
    await this.#host.processor.start();
    return this;
  }

  /**
   * Stops the processor, letting time pass as that needs. Rejects where a fault has not happened, or an attempt or timer is
   * left.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** `await using runtime = …` stops it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(): Promise<void> {
    const problems = [
      ...this.#broken,
      ...this.#faults
        .unused()
        .map(
          (fault) => `a fault never happened: ${fault}. No attempt came there; the test shows nothing of it.`,
        ),
    ];
    for (const steps of this.#steps) steps.release();
    let isOver = false;
    const stopped = this.processor.stop().finally(() => {
      isOver = true;
    });
    const until = this.clock.monotonic() + stopSeconds * 1000;
    do await this.#stillness.reach();
    while (!isOver && this.clock.fireNext(until - this.clock.monotonic()));
    if (isOver) await stopped;
    else problems.push('the processor does not stop');
    await this.#front.stop();
    for (const { spec, hangs } of this.#alive) {
      const { name, jobId, attempt } = spec.start;
      const how = hangs === null ? 'its code goes on' : `it hangs: ${hangs}`;
      problems.push(`attempt ${attempt} of job ${jobId} (${name}) is left; ${how}. Release it, or end it.`);
    }
    if (this.#alive.size === 0 && this.clock.pending > 0)
      problems.push(`${this.clock.pending} timer(s) are left`);
    if (problems.length > 0) throw new Error(problems.join('\n'));
  }

  #newHost(): SimulatedHost<J> {
    return new SimulatedHost<J>({
      engine: this.#engine,
      clock: this.clock,
      processes: this.#processes,
      processor: this.#options,
      places: {
        reached: (attempt, point) => this.#reached(attempt, point),
        launched: (attempt) => this.#launched(attempt),
        gone: (attempt) => this.#alive.delete(attempt),
        unwinds: this.#unwind,
        ...(this.#freshModules ? { codeOf: freshCode } : {}),
      },
      active: () => this.#stillness.active(),
      acknowledged: (write) => this.#records.acknowledged(write),
      refused: (write) => this.#records.refused(write),
    });
  }

  #launched(attempt: SimulatedAttempt): void {
    const { jobId, name } = attempt.spec.start;
    for (const other of this.#alive)
      if (other.spec.start.jobId === jobId && attempt.isolation !== 'inline')
        this.#broken.push(`two attempts of job ${jobId} (${name}) were alive at once`);
    this.#alive.add(attempt);
    this.#records.started(attempt);
    this.#chunksBefore.set(attempt, this.record({ id: jobId }).chunks.length);
  }

  #reached(attempt: SimulatedAttempt, point: Point): Promise<void> | undefined {
    this.#stillness.reached(attempt);
    const watched = this.watcher?.(attempt, point);
    const struck = this.#faults.reached(attempt, point);
    const held = this.#held(attempt, point);
    if (watched === undefined && struck === undefined) return held;
    return Promise.all([watched, struck, held]).then(() => {});
  }

  #held(attempt: SimulatedAttempt, point: Point): Promise<void> | undefined {
    for (const steps of this.#steps) {
      const held = steps.reached(attempt, point);
      if (held !== undefined) return held;
    }
    return undefined;
  }

  #chunkOf(attempt: SimulatedAttempt): number {
    return attempt.chunk + (this.#chunksBefore.get(attempt) ?? 0);
  }

  #stepOf(attempt: SimulatedAttempt, point: Point): Step {
    const { jobId, attempt: number } = attempt.spec.start;
    const { chunks } = this.#records.of(jobId);
    return {
      ...{ jobId, attempt: number, point, chunk: this.#chunkOf(attempt) },
      checkpoint: chunks.at(-1)?.checkpoint,
      rows: chunks.flatMap(({ rows }) => rows),
    };
  }

  #stuckText(attempt: SimulatedAttempt): string {
    const { jobId, name, attempt: number } = attempt.spec.start;
    const chunk = this.#chunkOf(attempt);
    return (
      `job ${jobId} (${name}), attempt ${number}, ${chunk === 0 ? 'before its first chunk' : `chunk ${chunk}`}: ` +
      `expected its code to go on within ${this.#stillness.patienceMs / 1000} s of real time (patienceSeconds), got nothing. ` +
      "Does it hang? Let simulated time pass: advance('10m'). To have it hang for sure: fault('hang')."
    );
  }
}

/**
 * The runtime on simulated time, started: the memory engine, processes that only seem to be some, and a log that is kept.
 *
 *     const runtime = await testProcessor({ jobs: { invoices } });
 *     runtime.fault('hang', { attempt: 1, chunk: 2 });
 *     const job = await runtime.submit('invoices', { customers: ['Alice'] });
 *     await runtime.untilDone(job);
 *     await runtime.stop(); // fails where an attempt, a timer or a fault is left
 *
 * Throws ConfigurationError, as `new JobProcessor` does.
 */
export function testProcessor<J extends Jobs>(options: TestProcessorOptions<J>): Promise<TestProcessor<J>> {
  return new TestProcessor(options).start();
}
