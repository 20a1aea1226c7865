// A processor at work: the supervisor that claims and counts, the monitor that sweeps, the timers of the jobs at rest
// and of the schedules and the keeper of the leases, started together and stopped together.

import type { Logger } from 'pino';
import { type ActorRefFrom, type AnyActorRef, createActor, fromPromise } from 'xstate';
import { ClaimAhead } from '../actors/claimAhead.ts';
import { createDueTimer } from '../actors/dueTimer.ts';
import { createLeaseKeeper } from '../actors/leaseKeeper.ts';
import { patientClock } from '../actors/patientClock.ts';
import type { Clock } from '../engines/clock.ts';
import { type Engine, type NameLimits, StaleAttemptError, type StoredJob } from '../engines/engine.ts';
import { monitorMachine } from '../machines/monitor.ts';
import { type FinalState, isAtRest, isFinal, type TimeoutKind } from '../machines/states.ts';
import { supervisorMachine } from '../machines/supervisor.ts';
import type { Acts } from './acts.ts';
import type { RootActor } from './inspection.ts';
import type { JobObserver } from './jobObserver.ts';
import type { LiveJobs } from './liveJobs.ts';
import { logFound } from './logLines.ts';
import { PausedNames } from './pausedNames.ts';
import type { Ticks } from './ticks.ts';

/** How long a silent owner keeps its jobs. */
const leaseMs = 15_000;
/** Several within a lease. */
const beatIntervalMs = 1_000;

/** A stop that hands back waits so long for an engine that does not answer. */
const unansweredMs = 5_000;
const mostStartsInTurn = 50;
/** Of jobs that wait here. */
const startsATurn = 8;

interface Overdue {
  readonly id: string;
  readonly kind: TimeoutKind;
}

export interface SupervisionOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly live: LiveJobs;
  readonly acts: Acts;
  readonly ticks: Ticks;
  readonly observer: JobObserver;
  readonly owner: string;
  readonly names: readonly string[];
  /** Of those names that have limits. */
  readonly limits: Readonly<Record<string, NameLimits>>;
  readonly limit: number;
  readonly monitorIntervalMs: number;
  readonly keepCompletedMs: number;
  readonly keepFailedMs: number;
  /** An actor is about to start. */
  starts(root: RootActor): void;
}

export class Supervision {
  readonly #options: SupervisionOptions;
  readonly #supervisor;
  readonly #ahead: ClaimAhead;
  readonly #dueTimer;
  readonly #scheduleTimer;
  readonly #paused: PausedNames;
  readonly #leaseKeeper;
  #monitor: ActorRefFrom<typeof monitorMachine> | null = null;
  readonly #unwatch: () => void;
  #quiet = Promise.withResolvers<void>();
  #isWakeDue = false;
  isDraining = false;
  #pruning: Promise<void> | null = null;
  /** Slots on their way from one attempt to the next. */
  #passing = 0;
  #isHandingBack = false;
  #rateTimer: unknown = null;
  #startsInTurn = 0;
  #isStopped = false;
  /** The last failure of the engine, until it answers again. */
  engineFailure: Error | null = null;

  constructor(options: SupervisionOptions) {
    this.#options = options;
    const { engine, clock, logger, live, acts, ticks, owner, names, limits, limit } = options;
    const failed = (error: unknown) => this.engineFailed(error);
    const answered = () => {
      this.engineFailure = null;
    };
    this.#ahead = new ClaimAhead(
      { engine, clock, owner, names, limits, leaseMs, keptMs: beatIntervalMs },
      { refilled: () => this.#wake(), handBack: (job) => acts.handBack(job), failed },
    );
    const claimJobs = fromPromise<number, { slots: number }>(async ({ input: { slots } }) => {
      // A chain of claims, starts and ends that waits for nothing would not let the host's loop turn.
      if (this.#startsInTurn >= mostStartsInTurn) await new Promise(setImmediate);
      const jobs = await this.#ahead.claim(slots).catch((error) => {
        failed(error);
        throw error;
      });
      answered();
      for (const job of jobs) await this.#start(job);
      // Not waited for: these jobs have begun, whatever becomes of it.
      if (jobs.length < slots) this.#wakeForRates().catch(failed);
      return jobs.length;
    });
    this.#supervisor = createActor(supervisorMachine.provide({ actors: { claimJobs } }), {
      input: { limit },
      clock,
    });
    // A claim that was under way when draining began may be all that a drain still waits for.
    this.#supervisor.subscribe(() => this.checkQuiet());
    const dueTimer = createDueTimer(clock, {
      nextDueAt: () => engine.nextDueAt(),
      due: () => this.#endDue(),
      failed,
    });
    this.#dueTimer = createActor(dueTimer, { clock });
    const scheduleTimer = createDueTimer(clock, {
      nextDueAt: async () => {
        const next = await ticks.nextTickAt();
        answered();
        return next;
      },
      due: () => ticks.tick(),
      failed,
    });
    this.#scheduleTimer = createActor(scheduleTimer, { clock });
    this.#paused = new PausedNames({
      engine,
      logger,
      known: names,
      changed: async (paused) => {
        this.#wake();
        await this.#ahead.pause(paused);
      },
    });
    const keeper = createLeaseKeeper(
      engine,
      clock,
      { intervalMs: beatIntervalMs, leaseMs },
      {
        beats: () => live.beats(),
        replied: (reply) => live.replied(reply),
        recover: () => this.#recover(),
        answered,
        failed,
      },
    );
    this.#leaseKeeper = createActor(keeper, { clock });
    const areLimited = Object.values(limits).some(({ concurrency }) => concurrency !== Infinity);
    this.#unwatch = engine.watch({
      changed: (id, state) => {
        if (isAtRest(state) || (areLimited && isFinal(state))) this.#wake();
        // Asked for elsewhere: what was asked here has the actor stopping by now.
        else if (state === 'stopping' && live.status(id)?.state === 'running') this.beatSoon();
        else if (state === 'stopping') this.release(id).catch(failed);
      },
      controlsChanged: () => this.#controlsChanged(),
      missed: () => {
        this.#wake();
        this.beatSoon();
        this.#controlsChanged();
      },
    });
  }

  start(): void {
    for (const root of this.roots()) this.#options.starts(root);
    this.#supervisor.start();
    this.#leaseKeeper.start();
    this.#dueTimer.start();
    this.#scheduleTimer.start();
    this.startMonitor();
    for (const begun of [this.#recover(), this.#options.ticks.check(), this.readPaused()])
      begun.catch((error) => this.engineFailed(error));
    this.#wake();
  }

  get supervisor(): AnyActorRef {
    return this.#supervisor;
  }

  roots(): RootActor[] {
    return [
      { ref: this.#supervisor, name: 'supervisor', parent: null, isJob: false },
      this.#rootOf(this.#leaseKeeper, 'lease keeper'),
      this.#rootOf(this.#dueTimer, 'due timer'),
      this.#rootOf(this.#scheduleTimer, 'schedule timer'),
      ...(this.#monitor === null ? [] : [this.#rootOf(this.#monitor, 'monitor')]),
    ];
  }

  #rootOf(ref: AnyActorRef, name: string): RootActor {
    return { ref, name, parent: this.#supervisor, isJob: false };
  }

  /** After an attempt of so many ms. */
  slotFreed(ms: number): void {
    this.#ahead.attemptTook(ms);
    this.#passSlot();
  }

  #passSlot(): void {
    if (this.#ahead.size === 0) {
      this.#freeSlot();
      return;
    }
    // It passes to a job claimed ahead, without the supervisor: it stays held. Not at once: the host's loop turns between
    // them, and what they write goes on its way.
    this.#passing += 1;
    if (this.#passing === 1) setImmediate(() => this.#passSlots());
  }

  #passSlots(): void {
    const slots = Math.min(this.#passing, startsATurn);
    this.#passing -= slots;
    if (this.#passing > 0) setImmediate(() => this.#passSlots());
    for (let slot = 0; slot < slots; slot += 1) {
      const job = this.isDraining ? null : this.#ahead.next();
      if (job === null) this.#freeSlot();
      else this.#start(job);
    }
  }

  #freeSlot(): void {
    if (this.#supervisor.getSnapshot().status === 'active') this.#supervisor.send({ type: 'slot.freed' });
    this.checkQuiet();
  }

  /** What a rate holds back is claimed when it lets it start. */
  async #wakeForRates(): Promise<void> {
    const { engine, clock, limits } = this.#options;
    const rated = Object.entries(limits).filter(([, { rate }]) => rate !== null);
    if (rated.length === 0) return;
    const at = await engine.nextStartAt(Object.fromEntries(rated));
    if (this.#isStopped) return;
    if (this.#rateTimer !== null) clock.clearTimeout(this.#rateTimer);
    const wake = () => {
      this.#rateTimer = null;
      this.#wake();
    };
    this.#rateTimer = at === null ? null : clock.setTimeout(wake, Math.max(1, at - clock.now()));
  }

  /** Called when an attempt ended, or proved impossible to end: a drain may be over. */
  checkQuiet(): void {
    if (
      this.isDraining &&
      !this.#supervisor.getSnapshot().matches({ claiming: 'closing' }) &&
      this.#options.live.isQuiet()
    ) {
      this.#quiet.resolve();
    }
  }

  /** A job that waits to be started here is at rest again, or where it was being sent. */
  async release(id: string): Promise<void> {
    const job = this.#ahead.take(id);
    if (job !== null) await this.#options.acts.handBack(job);
  }

  /** Of the registry, as far as was heard. */
  get paused(): readonly string[] {
    return this.#paused.names;
  }

  /** Resolves when none of what is paused waits or is started here any more. */
  readPaused(): Promise<void> {
    return this.#paused.read();
  }

  #controlsChanged(): void {
    this.readPaused().catch((error) => this.engineFailed(error));
    this.#lookAtTicks();
  }

  #lookAtTicks(): void {
    if (this.#scheduleTimer.getSnapshot().status === 'active')
      this.#scheduleTimer.send({ type: 'due.changed' });
  }

  beatSoon(): void {
    this.#leaseKeeper.send({ type: 'beat.now' });
  }

  startMonitor(): void {
    if (this.#monitor !== null) return;
    const { clock, logger, monitorIntervalMs } = this.#options;
    const machine = monitorMachine.provide({ actors: { sweep: fromPromise(async () => this.sweep()) } });
    const monitor = createActor(machine, {
      input: { intervalMs: monitorIntervalMs },
      clock: patientClock(clock),
    });
    monitor.on('sweep.failed', ({ error }) => {
      this.engineFailed(error);
      logger.error({ err: error }, `the monitor's sweep failed: ${(error as Error).message}`);
    });
    this.#monitor = monitor;
    this.#options.starts(this.#rootOf(monitor, 'monitor'));
    monitor.start();
  }

  stopMonitor(): void {
    this.#monitor?.stop();
    this.#monitor = null;
  }

  /** Claims nothing more; resolves when no attempt is left but those that cannot be proven over. */
  async drain(graceMs: number): Promise<void> {
    const { clock, live, logger } = this.#options;
    this.isDraining = true;
    if (this.#supervisor.getSnapshot().status === 'active')
      this.#supervisor.send({ type: 'processor.drain' });
    const handedBack = this.#ahead.close().catch((error) => this.engineFailed(error));
    let timer = clock.setTimeout(() => {
      this.#isHandingBack = true;
      this.#handBack();
      this.checkQuiet();
      timer = clock.setTimeout(giveUp, unansweredMs);
    }, graceMs);
    const giveUp = () => {
      if (this.engineFailure === null || !live.areOver()) timer = clock.setTimeout(giveUp, 1000);
      else {
        logger.error(
          `stopped while the engine does not answer: ${live.size} job(s) have ended, and it is not stored; they go on at the next start`,
        );
        this.#quiet.resolve();
      }
    };
    this.checkQuiet();
    await this.#quiet.promise;
    clock.clearTimeout(timer);
    const patience = new Promise<void>((resolve) => {
      timer = clock.setTimeout(resolve, unansweredMs);
    });
    await Promise.race([handedBack, patience]);
    clock.clearTimeout(timer);
  }

  stop(): void {
    this.#isStopped = true;
    this.#unwatch();
    if (this.#rateTimer !== null) this.#options.clock.clearTimeout(this.#rateTimer);
    this.stopMonitor();
    this.#leaseKeeper.stop();
    this.#dueTimer.stop();
    this.#scheduleTimer.stop();
    this.#supervisor.stop();
  }

  /** What this processor has to end: its own live jobs past their time, and jobs at rest past theirs. */
  async #findOverdue(): Promise<Overdue[]> {
    const { engine, clock, live } = this.#options;
    const resting = (await engine.due()).map(({ id, deadlineAt }): Overdue => {
      return { id, kind: deadlineAt !== null && deadlineAt <= clock.now() ? 'deadline' : 'queue' };
    });
    return [...live.overdue(), ...resting];
  }

  async sweep(): Promise<void> {
    const { clock, observer } = this.#options;
    const began = clock.monotonic();
    const overdue = await this.#findOverdue();
    await this.#end(overdue);
    await this.#recover();
    observer.swept((clock.monotonic() - began) / 1000, overdue.length);
    await this.#options.ticks.check();
    await this.readPaused();
    // A clock that was set forward is not noticed by a timer.
    this.#lookAtTicks();
    this.#pruneBeside();
    this.engineFailure = null;
    this.#wake();
  }

  /** Not waited for: what is stuck is looked for meanwhile. */
  #pruneBeside(): void {
    this.#pruning ??= this.#prune()
      .catch((error) => this.engineFailed(error))
      .finally(() => {
        this.#pruning = null;
      });
  }

  /** In small parts: other writes come in between. */
  async #prune(): Promise<void> {
    const { engine, clock, keepCompletedMs, keepFailedMs } = this.#options;
    const prune = async (states: readonly FinalState[], keptMs: number) => {
      if (keptMs === Infinity) return;
      const endedBefore = clock.now() - keptMs;
      while (!this.isDraining && (await engine.prune(states, endedBefore))) await new Promise(setImmediate);
    };
    await prune(['completed'], keepCompletedMs);
    await prune(['failed', 'timedOut', 'cancelled'], keepFailedMs);
  }

  /** Jobs of owners that are gone go back to the queue, or where they were being sent. */
  async #recover(): Promise<void> {
    const { engine, live, acts } = this.#options;
    const lost = (await engine.lapsed()).filter(({ id }) => !live.has(id) && !this.#ahead.has(id));
    const outcomes = await Promise.allSettled(lost.map((job) => acts.recover(job)));
    for (const outcome of outcomes) {
      // Stale: another processor was quicker, or its owner came back.
      if (outcome.status === 'rejected' && !(outcome.reason instanceof StaleAttemptError))
        throw outcome.reason;
    }
  }

  async #endDue(): Promise<void> {
    // The engine names a bounded number of them at a time. Those that are named again could not be stored.
    for (let tried = new Set<string>(); ; ) {
      const due = (await this.#findOverdue()).filter(({ kind }) => kind === 'queue' || kind === 'deadline');
      const fresh = due.filter(({ id }) => !tried.has(id));
      if (fresh.length === 0) break;
      await this.#end(fresh);
      tried = new Set(due.map(({ id }) => id));
    }
    this.#supervisor.send({ type: 'work.available' });
  }

  async #end(found: Overdue[]): Promise<void> {
    if (found.length === 0) return;
    logFound(this.#options.logger, found.length);
    await Promise.all(found.map(({ id, kind }) => this.#options.acts.timeOutFound(id, kind)));
  }

  #countStart(): void {
    this.#startsInTurn += 1;
    if (this.#startsInTurn === 1)
      setImmediate(() => {
        this.#startsInTurn = 0;
      });
  }

  /** One that cannot be started has failed, and does not take the others of its claim with it. */
  async #start(job: StoredJob): Promise<void> {
    const { live, acts, logger } = this.#options;
    this.#countStart();
    try {
      live.start(job);
      // Claimed while the processor was told to stop: its code does not even begin.
      if (this.#isHandingBack) live.send(job.id, { type: 'job.handBack' });
    } catch (error) {
      logger.error({ err: error }, `job ${job.id} could not be started: ${(error as Error).message}`);
      await acts.fail(job, error).catch((reason) => this.engineFailed(reason));
      queueMicrotask(() => this.#passSlot());
    }
  }

  #handBack(): void {
    const { live } = this.#options;
    for (const id of [...live.ids()]) live.send(id, { type: 'job.handBack' });
  }

  /** Once a turn, however many jobs came to rest in it. */
  #wake(): void {
    if (this.#isWakeDue) return;
    this.#isWakeDue = true;
    queueMicrotask(() => {
      this.#isWakeDue = false;
      if (this.#supervisor.getSnapshot().status === 'active')
        this.#supervisor.send({ type: 'work.available' });
      if (this.#dueTimer.getSnapshot().status === 'active') this.#dueTimer.send({ type: 'due.changed' });
    });
  }

  engineFailed(error: unknown): void {
    this.engineFailure = error instanceof Error ? error : new Error(String(error));
  }
}
