// Runs attempts inside a child, process or thread alike: imports the job's module, folds its chunks, and beats
// from the child's own event loop, so that a blocked loop falls silent. How the outside is reached is said by
// processEntry.ts and threadEntry.ts.

import { pino } from 'pino';
import { flushTelemetry, withinTrace } from '../attemptTrace.ts';
import { type AttemptHost, foldChunks } from '../foldChunks.ts';
import type { JobCode } from '../jobCode.ts';
import { type ChildMessage, gatherMs, type HostMessage, type Sign, toFailure } from './protocol.ts';

export interface Outside {
  /** `sent` is called when the message is on its way, never where nobody can hear it any more. */
  post(message: ChildMessage, sent?: () => void): void;
  /** Ends this process or thread, whatever the job left open. */
  leave(exitCode: number): void;
  /** To the watchdog, where there is one. */
  sign(sign: Sign): void;
}

/** A job that logs without end must not fill the host's memory: what is beyond so much a beat is dropped. */
const mostLinesABeat = 10_000;
const mostBytesABeat = 8 * 2 ** 20;

type Start = Extract<HostMessage, { type: 'start' }>;

export class AttemptRunner {
  readonly #outside: Outside;
  #attempt: RunningAttempt | null = null;
  #warm: Promise<unknown> = Promise.resolve();

  constructor(outside: Outside) {
    this.#outside = outside;
  }

  receive(message: HostMessage): void {
    if (message.type === 'start') {
      this.#attempt = new RunningAttempt(message, this.#outside);
      // A CommonJS file cannot require what is only half loaded.
      this.#attempt.run(this.#warm);
    } else if (message.type === 'warm') this.#warm = import(message.module).catch(() => {});
    else if (message.type === 'pace') this.#attempt?.pace(message.beatMs);
    else if (message.type === 'ask') this.#attempt?.ask(message.reason);
    else this.#attempt?.saved(message.error);
  }

  /** What nobody caught. After it nothing here can be trusted with another attempt. */
  uncaught(error: unknown): void {
    if (this.#attempt === null) this.#outside.leave(1);
    else this.#attempt.uncaught(error);
  }
}

class RunningAttempt {
  readonly #start: Start;
  readonly #outside: Outside;
  readonly #aborter = new AbortController();
  #beats: NodeJS.Timeout;
  #saving: PromiseWithResolvers<void> | null = null;
  #sentAt = 0;
  #lines = 0;
  #bytes = 0;
  #dropped = 0;
  #isOver = false;
  #isLeaving = false;

  constructor(start: Start, outside: Outside) {
    this.#start = start;
    this.#outside = outside;
    this.#beat();
    this.#beats = setInterval(() => this.#beat(), start.beatMs);
  }

  async run(warm: Promise<unknown>): Promise<void> {
    const { module, logLevel, attempt } = this.#start;
    const host: AttemptHost = {
      signal: this.#aborter.signal,
      log: pino({ level: logLevel, base: null }, { write: (line) => this.#log(line) }),
      // Gathered: the clock is read each time, a message is sent now and then.
      heartbeat: () => {
        if (performance.now() - this.#sentAt >= gatherMs) this.#sendBeat();
      },
      total: (items) => this.#post({ type: 'total', items }),
      saveCheckpoint: (checkpoint, rows, items) => {
        this.#saving = Promise.withResolvers<void>();
        if (this.#isOver) return this.#saving.promise;
        this.#post({ type: 'checkpoint', checkpoint, rows, items });
        this.#outside.sign('waiting');
        return this.#saving.promise;
      },
    };
    await warm;
    const code = await this.#load(module);
    if (code === undefined) return;
    try {
      const result = await withinTrace(attempt.trace, () => foldChunks(code, attempt, host));
      this.#end({ type: 'completed', result, stays: this.#mayStay() }, 0);
    } catch (error) {
      this.#fail(error, this.#mayStay());
    }
  }

  /** A module that could not be loaded is remembered by this child as it was: the next attempt needs another. */
  async #load(module: string): Promise<JobCode | undefined> {
    try {
      const code = defaultExport(await import(module));
      if (typeof code === 'object' && code !== null && ('chunks' in code || 'run' in code)) return code;
      const got = code === undefined ? 'none' : 'something else';
      throw new TypeError(`${module}: expected a job as its default export, got ${got}`);
    } catch (error) {
      this.#fail(error, false);
      return undefined;
    }
  }

  ask(reason: string): void {
    if (this.#isOver) return;
    this.#post({ type: 'acknowledged' });
    this.#aborter.abort(new DOMException(reason, 'AbortError'));
  }

  pace(beatMs: number): void {
    if (this.#isOver) return;
    clearInterval(this.#beats);
    this.#beat();
    this.#beats = setInterval(() => this.#beat(), beatMs);
  }

  saved(error: string | null): void {
    this.#outside.sign('chunk');
    if (error === null) this.#saving?.resolve();
    else this.#saving?.reject(new Error(error));
  }

  uncaught(error: unknown): void {
    if (!this.#isOver) this.#fail(error, false);
    // On its way out with an outcome: what the job left behind does not change it.
    else if (!this.#isLeaving) this.#outside.leave(1);
  }

  #fail(error: unknown, stays: boolean): void {
    this.#end({ type: 'failed', failure: toFailure(error), stays }, 1);
  }

  /** One that was asked to stop is over when its process is: of what it left open nothing may run on. */
  #mayStay(): boolean {
    return this.#start.stays && !this.#aborter.signal.aborted;
  }

  /** The outcome is the last word. */
  #end(outcome: Extract<ChildMessage, { stays: boolean }>, exitCode: number): void {
    if (this.#isOver) return;
    if (this.#dropped > 0) this.#tellDropped();
    this.#isLeaving = !outcome.stays;
    this.#isOver = true;
    if (outcome.stays) {
      clearInterval(this.#beats);
      this.#outside.sign('over');
      this.#outside.post(outcome);
      flushTelemetry(this.#start.attempt.trace);
      // It beats until its last word is on its way, and its spans are.
    } else this.#outside.post(outcome, () => this.#leave(exitCode));
  }

  async #leave(exitCode: number): Promise<void> {
    // Nothing to wait for, then at once: what the job left behind must not run.
    if (this.#start.attempt.trace !== null) await flushTelemetry(this.#start.attempt.trace);
    this.#outside.leave(exitCode);
  }

  #beat(): void {
    if (this.#dropped > 0) this.#tellDropped();
    this.#lines = 0;
    this.#bytes = 0;
    this.#sendBeat();
    this.#outside.sign('beat');
  }

  #sendBeat(): void {
    this.#sentAt = performance.now();
    if (!this.#isOver || this.#isLeaving) this.#outside.post({ type: 'heartbeat' });
  }

  #log(line: string): void {
    this.#lines += 1;
    this.#bytes += line.length;
    if (this.#lines > mostLinesABeat || this.#bytes > mostBytesABeat) this.#dropped += 1;
    else this.#post({ type: 'log', line });
  }

  #tellDropped(): void {
    this.#post({
      type: 'log',
      line: `{"level":40,"msg":"${this.#dropped} log lines were dropped: too many"}`,
    });
    this.#dropped = 0;
  }

  /** What an attempt left running may still speak: it is not heard. */
  #post(message: ChildMessage): void {
    if (!this.#isOver) this.#outside.post(message);
  }
}

/** A CommonJS file that was compiled from TypeScript wraps its default in one more. */
function defaultExport(module: { default?: JobCode | { __esModule?: boolean; default?: JobCode } }) {
  const exported = module.default;
  return '__esModule' in Object(exported)
    ? (exported as { default?: JobCode }).default
    : (exported as JobCode | undefined);
}
