// Takes a job along one path: brings its first attempt to where something is to happen to it, does it, and lets time pass until
// the job is over. The job's own code runs; what it is held or ended by is simulated.

import { isFinal } from '../../machines/states.ts';
import type { Jobs } from '../../runtime/definitions.ts';
import type { Job } from '../../runtime/job.ts';
import type { SubmitOptions } from '../../runtime/submission.ts';
import { pathOf } from '../assertions.ts';
import type { Hang, Point, SimulatedAttempt } from '../simulatedAttempt.ts';
import type { TestProcessor } from '../testProcessor.ts';
import type { Act, MoveKind, RestAct, Stage } from './moves.ts';
import { type ComparedJob, subjectName, type Undisturbed } from './undisturbed.ts';
import type { WalkedPath } from './walk.ts';

/** Simulated; the longest path takes a lease and some seconds. */
const mostSeconds = 300;
const never = new Promise<never>(() => {});

export class Drive {
  readonly #runtime: TestProcessor<Jobs>;
  readonly #path: WalkedPath;
  readonly #job: ComparedJob;
  readonly #undisturbed: Undisturbed;
  readonly #act: Act | null;
  readonly #rest: RestAct | null;
  readonly #kinds: ReadonlySet<MoveKind>;
  #struck: SimulatedAttempt | null = null;
  #hasActed = false;
  #hasRested = false;
  #hasCancelledToo = false;
  readonly #cancelledToo = Promise.withResolvers<void>();
  /** What was asked of the runtime; it answers in time. */
  readonly #asked: Promise<unknown>[] = [];

  constructor(runtime: TestProcessor<Jobs>, path: WalkedPath, job: ComparedJob, undisturbed: Undisturbed) {
    this.#runtime = runtime;
    this.#path = path;
    this.#job = job;
    this.#undisturbed = undisturbed;
    const kinds = path.moves.map(({ kind }) => kind);
    this.#kinds = new Set(kinds);
    this.#act = kinds.find((kind) => typeof kind === 'object' && 'act' in kind)?.act ?? null;
    this.#rest = kinds.find((kind) => typeof kind === 'object' && 'rest' in kind)?.rest ?? null;
  }

  /** Resolves with the job, which is over. */
  async run(): Promise<Job> {
    const runtime = this.#runtime;
    runtime.watcher = (attempt, point) => this.#reached(attempt, point);
    try {
      const job = await runtime.submit(subjectName, this.#job.input as never, this.#options());
      await this.#untilOver(job);
      // A job whose attempt could not be proven ended is final all the same; here it goes now.
      if (this.#struck?.isAlive) await this.#goLate(this.#struck);
      await Promise.all(this.#asked);
      return job;
    } finally {
      runtime.watcher = null;
    }
  }

  /** Only what the path times out by is on; all that takes time takes little. */
  #options(): SubmitOptions {
    const { clock } = this.#runtime;
    const act = this.#act;
    const on = (is: boolean, seconds = 0.5) => (is ? seconds : Infinity);
    const waits = this.#rest !== null && act === null;
    return {
      ...this.#job.submit,
      jobTimeoutSeconds: on(act === 'timeout job'),
      heartbeatTimeoutSeconds: on(act === 'timeout heartbeat'),
      ...('chunks' in this.#job.definition ? { progressTimeoutSeconds: on(act === 'timeout progress') } : {}),
      queueTimeoutSeconds: on(this.#rest === 'queue timeout'),
      deadlineSeconds: on(act === 'timeout deadline' || (waits && this.#rest === 'deadline')),
      graceSeconds: 0.2,
      retry: {
        maxAttempts: this.#path.maxAttempts,
        on: ['failed', 'timedOut'],
        backoff: { kind: 'fixed', seconds: this.#rest === null ? 0.1 : 60, jitter: 0 },
      },
      ...(waits ? { startAfter: new Date(clock.now() + 3_600_000) } : {}),
    };
  }

  async #untilOver(job: Job): Promise<void> {
    const { clock } = this.#runtime;
    const until = clock.monotonic() + mostSeconds * 1000;
    for (;;) {
      await this.#runtime.untilIdle();
      const state = this.#runtime.stateOf(job);
      if (state !== undefined && isFinal(state)) return;
      if (this.#struck !== null && !this.#hasActed) this.#ask(job);
      else if (state === 'stopping' && (await this.#actWhileStopping(job))) continue;
      else if (this.#rest !== null && !this.#hasRested && (this.#act === null || state === 'retrying')) {
        this.#hasRested = true;
        await this.#askAtRest(job);
      } else if (!clock.fireNext(until - clock.monotonic()))
        throw new Error(
          `it is not over after ${mostSeconds} s of simulated time: ${pathOf(await job.status())}`,
        );
    }
  }

  async #actWhileStopping(job: Job): Promise<boolean> {
    const isToGo = this.#kinds.has('gone late') && this.#struck?.isAlive;
    const isToCancel = this.#kinds.has('cancel too') && !this.#hasCancelledToo;
    if (!isToGo && !isToCancel) return false;
    const { isUnconfirmed, stop } = await job.status();
    if (isToGo && isUnconfirmed) {
      await this.#goLate(this.#struck as SimulatedAttempt);
      return true;
    }
    if (!isToCancel || stop?.rung !== 'grace') return false;
    this.#hasCancelledToo = true;
    this.#asked.push(job.cancel());
    await this.#runtime.untilIdle();
    this.#cancelledToo.resolve();
    return true;
  }

  #reached(attempt: SimulatedAttempt, point: Point): Promise<void> | undefined {
    if (this.#struck !== null || this.#act === null || !this.#isAt(attempt, point)) return;
    this.#struck = attempt;
    return this.#strike(attempt);
  }

  #isAt(attempt: SimulatedAttempt, point: Point): boolean {
    const { chunks } = this.#undisturbed;
    const stage: Stage = this.#path.stage ?? 'result';
    if (stage === 'result') return point === 'outcome';
    // A job without chunks has no middle.
    if (stage === 'start' || chunks === 0) return point === 'start';
    return stage === 'last'
      ? point === 'checkpoint' && attempt.chunk === chunks
      : point === 'acknowledged' && attempt.chunk === Math.ceil(chunks / 2);
  }

  async #strike(attempt: SimulatedAttempt): Promise<void> {
    const runtime = this.#runtime;
    switch (this.#act) {
      case 'throw':
        throw new Error('thrown on a path of unstuck/testing');
      case 'crash':
        attempt.end(attempt.isolation === 'thread' ? { exitCode: 1 } : { signal: 'SIGSEGV' });
        return;
      case 'host crash':
        runtime.killHost();
        return;
      case 'watchdog':
        attempt.overrun('job');
        return;
      case 'engine silent':
        runtime.host.calls.failNext('settle');
        return;
      case 'refused':
        runtime.host.calls.once('settle', () => runtime.takeLease(attempt));
        return;
      case 'lose lease':
        await runtime.takeLease(attempt);
        // Its next write is refused; without one it hears of it with its next beat.
        if (this.#undisturbed.chunks > 0 && this.#path.stage !== 'result') return;
        return attempt.isolation === 'inline' ? this.#whenAsked(attempt) : never;
      default:
        return this.#await(attempt);
    }
  }

  /** It is being stopped, or will be: how it takes it. */
  #await(attempt: SimulatedAttempt): Promise<void> | undefined {
    if (this.#act === 'timeout heartbeat' && attempt.isolation !== 'inline') attempt.slowBeats(1e9);
    const hang = this.#hang();
    if (hang !== null) {
      attempt.hang(hang);
      return undefined;
    }
    return this.#whenAsked(attempt);
  }

  /** It leaves, or goes on to its end. */
  async #whenAsked({ signal }: SimulatedAttempt): Promise<void> {
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    if (this.#kinds.has('cancel too')) await this.#cancelledToo.promise;
    if (!this.#kinds.has('complete late')) throw signal.reason;
  }

  #hang(): Hang | null {
    const has = (kind: MoveKind) => this.#kinds.has(kind);
    if (has('leave') || has('complete late')) return null;
    if (has('stay')) return 'await';
    const outlived = this.#path.moves.filter(({ kind }) => kind === 'outlive').length;
    return outlived === 0 ? 'loop' : outlived === 1 && has('die') ? 'deaf' : 'unkillable';
  }

  #ask(job: Job): void {
    this.#hasActed = true;
    const { processor } = this.#runtime;
    if (this.#act === 'cancel') this.#asked.push(job.cancel());
    else if (this.#act === 'timeout by hand') this.#asked.push(processor.timeoutJob(job.id));
    else if (this.#act === 'hand back')
      this.#asked.push(processor.stop().then(() => this.#runtime.restart()));
  }

  async #askAtRest(job: Job): Promise<void> {
    if (this.#rest === 'cancel') this.#asked.push(job.cancel());
    else if (this.#rest === 'timeout by hand') this.#asked.push(this.#runtime.processor.timeoutJob(job.id));
    else if (this.#rest === 'deadline' && this.#act !== null) {
      const { submittedAt } = await job.status();
      const passed = (this.#runtime.clock.now() - submittedAt.getTime()) / 1000;
      await job.setTimeouts({ deadlineSeconds: passed + 5 });
    }
  }

  /** Nothing could end it; now it is gone. Inline code cannot be: it goes on, and is refused. */
  async #goLate(attempt: SimulatedAttempt): Promise<void> {
    if (attempt.isolation === 'inline') attempt.release();
    else attempt.end({ signal: 'SIGKILL' });
    await this.#runtime.untilIdle();
  }
}
