// One attempt as if it ran in a process or thread of its own, though it runs in this one, on simulated time. It beats while
// its event loop would, says nothing any more once it is dead, and its code then never goes on: not even a `finally` runs,
// as after a kill. Its code can be held, or meet a fault, where it reaches one of the points.

import type { AttemptHandle, AttemptPort, AttemptSpec, Isolation } from '../actors/attempt.ts';
import { type AttemptHost, foldChunks } from '../actors/foldChunks.ts';
import type { Exit } from '../actors/isolation/child.ts';
import { failureOf } from '../actors/isolation/isolatedAttempt.ts';
import { toFailure } from '../actors/isolation/protocol.ts';
import { isChunked, type JobCode } from '../actors/jobCode.ts';
import type { Clock } from '../engines/clock.ts';
import type { ProcessGroup } from '../engines/engine.ts';
import type { TimeoutKind } from '../machines/states.ts';
import type { AttemptOutcome } from '../machines/verdict.ts';
import { SimulatedWatchdog } from './simulatedWatchdog.ts';

/**
 * Where the code of an attempt can be held: before its first line; before a chunk is processed; when it has been, before its
 * checkpoint is sent; when that is acknowledged, before the next chunk; when the outcome is there, before it is sent.
 */
export type Point = 'start' | 'chunk' | 'checkpoint' | 'acknowledged' | 'outcome';

/**
 * How code hangs. `await`: on a promise that never settles; its loop lives, it beats and sees the signal. `loop`: its event loop
 * turns no more. `deaf`: the same, in a process that handles SIGTERM and does nothing, or a thread in a native call. `unkillable`:
 * the kernel does not let it go.
 */
export type Hang = 'await' | 'loop' | 'deaf' | 'unkillable';

/** What the attempt runs on. */
export interface SimulatedMachine {
  readonly clock: Clock;
  /** Called wherever code can be held, and waited for. */
  reached(attempt: SimulatedAttempt, point: Point): void | Promise<void>;
  /** Brings what the attempt says to its host; `isSign`: that it lives, and nothing more. */
  tell(attempt: SimulatedAttempt, say: () => void, isSign: boolean): void;
  /** Nothing of it runs any more. */
  gone(attempt: SimulatedAttempt): void;
  /** Whether code that was killed is unwound where it stands, unheard: its `finally` blocks run. Default: no line of it does. */
  readonly unwinds?: boolean;
  /** The code to run. Default: that of its definition, as it is here. */
  codeOf?(attempt: SimulatedAttempt): JobCode | Promise<JobCode>;
}

/** One for each who waits: a shared one would keep all of them. */
const never = () => new Promise<never>(() => {});

export class SimulatedAttempt implements AttemptHandle {
  readonly spec: AttemptSpec;
  readonly isolation: Isolation;
  /** Null unless it has a process of its own. */
  readonly group: ProcessGroup | null;
  /** Chunks that this attempt has begun. */
  chunk = 0;
  isAlive = true;
  hangs: Hang | null = null;
  readonly #machine: SimulatedMachine;
  readonly #port: AttemptPort;
  readonly #aborter = new AbortController();
  readonly #watchdog: SimulatedWatchdog;
  readonly #killed = Promise.withResolvers<void>();
  #released = Promise.withResolvers<void>();
  #outcome: AttemptOutcome | null = null;
  #order: 'SIGTERM' | 'SIGKILL' | 'terminate' | null = null;
  #beatMs: number;
  #beats: unknown = null;
  /** It is at a point, or waits for its host. */
  #isParked = false;

  constructor(
    machine: SimulatedMachine,
    isolation: Isolation,
    group: ProcessGroup | null,
    spec: AttemptSpec,
    port: AttemptPort,
  ) {
    this.#machine = machine;
    this.isolation = isolation;
    this.group = group;
    this.spec = spec;
    this.#port = port;
    this.#beatMs = spec.beatMs;
    this.#watchdog = new SimulatedWatchdog(
      machine.clock,
      (kind) => this.overrun(kind),
      () => this.#lapse(),
    );
    if (group === null) this.#run();
    else {
      this.#watchdog.watch(spec.limits);
      this.#watchdog.endBy(spec.endBy);
      // Its host's word that it may begin comes as all others do.
      port.started(group).then(() => this.#run());
    }
  }

  /** Aborted when it is asked to stop. */
  get signal(): AbortSignal {
    return this.#aborter.signal;
  }

  /** The job's own code runs, or waits for something that is not simulated. */
  get isAtWork(): boolean {
    return this.isAlive && !this.#isParked;
  }

  /** Its watchdog finds it past this timeout, and kills it. */
  overrun(kind: TimeoutKind): void {
    this.#machine.tell(this, () => this.#port.expired(kind), false);
    this.kill();
  }

  #lapse(): void {
    this.#machine.tell(this, () => this.#port.lapsed(), false);
    this.kill();
  }

  /** From the next point on. Where it hangs already, in this other way. */
  hang(hang: Hang): void {
    this.hangs = hang;
    this.#heed();
  }

  /** What hung goes on; unless it was killed meanwhile. */
  release(): void {
    this.hangs = null;
    this.#heed();
    this.#released.resolve();
    this.#released = Promise.withResolvers<void>();
  }

  /** The same, whatever it was told to end by: its last word wins the race. */
  outrun(): void {
    this.#order = null;
    this.release();
  }

  /** From now on it shows no sign of life more often than this. */
  slowBeats(seconds: number): void {
    this.#beatMs = seconds * 1000;
    if (this.#beats !== null) this.#machine.clock.clearTimeout(this.#beats);
    this.#beats = this.isAlive ? this.#beatLater() : null;
  }

  /** It ends where it is, as a process or thread ends that is killed or crashes. */
  end(exit: Exit): void {
    if (!this.isAlive) return;
    this.isAlive = false;
    this.#killed.resolve();
    this.#released.resolve();
    if (this.#beats !== null) this.#machine.clock.clearTimeout(this.#beats);
    this.#watchdog.rest();
    this.#machine.gone(this);
    const kind = this.isolation === 'thread' ? 'thread' : 'process';
    const outcome = this.#outcome ?? { kind: 'failed', failure: failureOf(kind, exit) };
    const { exitCode, signal } = exit;
    const ended = () =>
      this.#port.ended(outcome, {
        ...(exitCode === undefined ? {} : { exitCode }),
        ...(signal === undefined ? {} : { signal }),
      });
    this.#machine.tell(this, ended, false);
  }

  ask(reason: string): void {
    if (!this.isAlive || !this.#turns()) return;
    this.#say(() => this.#port.acknowledged());
    this.#aborter.abort(new DOMException(reason, 'AbortError'));
  }

  terminate(): void {
    const isProcess = this.isolation === 'process';
    if (this.isolation === 'inline' || (isProcess && this.hangs === 'deaf')) return;
    this.#order = isProcess ? 'SIGTERM' : 'terminate';
    this.#heed();
  }

  kill(): void {
    if (this.isolation === 'inline') {
      this.ask('kill');
      return;
    }
    this.#order = this.isolation === 'process' ? 'SIGKILL' : 'terminate';
    this.#heed();
  }

  /** What it was told to end by waits until it can be reached: a signal stays pending. */
  #heed(): void {
    if (this.#order === null || this.hangs === 'unkillable') return;
    if (this.hangs === 'deaf' && this.#order !== 'SIGKILL') return;
    this.end(this.#order === 'terminate' ? { exitCode: 1 } : { signal: this.#order });
  }

  retime(): void {
    if (!this.isAlive || this.group === null) return;
    this.#watchdog.rewatch(this.spec.limits);
    this.slowBeats(this.spec.beatMs / 1000);
  }

  renew(): void {
    if (this.isAlive && this.group !== null) this.#watchdog.endBy(this.spec.endBy);
  }

  /** Its event loop does. */
  #turns(): boolean {
    return this.hangs === null || this.hangs === 'await';
  }

  async #run(): Promise<void> {
    const { spec } = this;
    const host: AttemptHost = {
      signal: this.#aborter.signal,
      log: spec.log,
      heartbeat: () => this.#say(() => this.#port.heartbeat(), true),
      total: (items) => this.#say(() => this.#port.total(items)),
      saveCheckpoint: async (checkpoint, rows, items) => {
        await this.#reach('checkpoint');
        this.#watchdog.sign('waiting');
        this.#isParked = true;
        await new Promise<void>((resolve, reject) => {
          this.#say(() => this.#port.checkpoint(checkpoint, rows, items).then(resolve, reject));
        }).finally(() => {
          this.#isParked = false;
        });
        this.#watchdog.sign('chunk');
        await this.#reach('acknowledged');
      },
    };
    const outcome = await this.#outcomeOf(host);
    this.#outcome = outcome;
    this.end(this.isolation === 'inline' ? {} : { exitCode: outcome.kind === 'completed' ? 0 : 1 });
  }

  async #outcomeOf(host: AttemptHost): Promise<AttemptOutcome> {
    const run = async (): Promise<AttemptOutcome> => {
      // Not in the chart's own step: the first lines of the code may take long, or call back.
      await null;
      if (this.isolation !== 'inline' && this.isAlive) this.#beat();
      await this.#reach('start');
      const code = await (this.#machine.codeOf?.(this) ?? this.spec.code);
      return { kind: 'completed', result: await foldChunks(this.#held(code), this.spec.start, host) };
    };
    const failed = (error: unknown): AttemptOutcome => ({ kind: 'failed', failure: toFailure(error) });
    const outcome = await run().catch(failed);
    return this.#reach('outcome').then(() => outcome, failed);
  }

  /** The same code, held before each chunk. */
  #held(code: JobCode): JobCode {
    if (!isChunked(code)) return code;
    const process: typeof code.process = async (chunk, context) => {
      this.chunk += 1;
      await this.#reach('chunk');
      if (!this.#machine.unwinds) return code.process(chunk, context);
      // Where it hangs in there, what is around it is unwound.
      return Promise.race([code.process(chunk, context), this.#killed.promise.then(() => this.#death())]);
    };
    return Object.create(code, { process: { value: process } });
  }

  /** The dead go no further. */
  async #reach(point: Point): Promise<void> {
    if (!this.isAlive) await this.#death();
    this.#isParked = true;
    try {
      await this.#machine.reached(this, point);
      while (this.isAlive && this.hangs !== null) await this.#released.promise;
    } finally {
      this.#isParked = false;
    }
    if (!this.isAlive) await this.#death();
  }

  #death(): Promise<never> {
    return this.#machine.unwinds === true ? Promise.reject(new Error('the attempt was killed')) : never();
  }

  /** A dead attempt says nothing, and one whose loop does not turn neither. */
  #say(say: () => void, isSign = false): void {
    if (this.isAlive && this.#turns()) this.#machine.tell(this, say, isSign);
  }

  #beat(): void {
    this.#beats = null;
    if (this.#turns()) {
      this.#say(() => this.#port.heartbeat(), true);
      this.#watchdog.sign('beat');
    }
    this.#beats = this.#beatLater();
  }

  #beatLater(): unknown {
    return this.#machine.clock.setTimeout(() => this.#beat(), this.#beatMs);
  }
}
