// A processor at work: its pools of slots, the monitor that sweeps, the timers of the jobs at rest and of the schedules and
// the keeper of the leases, started together and stopped together.

import type { Logger } from 'pino';
import { type ActorRefFrom, type AnyActorRef, createActor, fromPromise } from 'xstate';
import type { ClaimedJob } from '../actors/claimAhead.ts';
import { createDueTimer } from '../actors/dueTimer.ts';
import { createLeaseKeeper } from '../actors/leaseKeeper.ts';
import type { LeaseTimes } from '../actors/leaseTimes.ts';
import { patientClock } from '../actors/patientClock.ts';
import type { Clock } from '../engines/clock.ts';
import { type Engine, StaleAttemptError, type StoredJob } from '../engines/engine.ts';
import { timeoutAtRest } from '../engines/jobFacts.ts';
import { monitorMachine } from '../machines/monitor.ts';
import { type FinalState, isAtRest, isFinal, type TimeoutKind } from '../machines/states.ts';
import type { Acts } from './acts.ts';
import type { RootActor } from './inspection.ts';
import type { JobObserver } from './jobObserver.ts';
import type { LiveJobs } from './liveJobs.ts';
import { logFound } from './logLines.ts';
import { tellLostNodes } from './nodes.ts';
import { PausedNames } from './pausedNames.ts';
import type { QueueWatch } from './queueWatch.ts';
import { SlotPool, type SlotPoolOptions } from './slotPool.ts';
import type { Ticks } from './ticks.ts';
import type { QueueAge } from './webhooks/notification.ts';

/** A stop that hands back waits so long for an engine that does not answer. */
const unansweredMs = 5_000;

interface Overdue {
  readonly id: string;
  readonly kind: TimeoutKind;
}

export type PoolOptions = Pick<SlotPoolOptions, 'title' | 'names' | 'limits' | 'limit'>;

export interface SupervisionOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly live: LiveJobs;
  readonly acts: Acts;
  readonly ticks: Ticks;
  readonly observer: JobObserver;
  readonly owner: string;
  /** Of slots, each with names of its own. They are drained in this order. The first is that of the app's jobs. */
  readonly pools: readonly PoolOptions[];
  readonly queueWatch: QueueWatch;
  readonly lease: LeaseTimes;
  readonly monitorIntervalMs: number;
  readonly keepCompletedMs: number;
  readonly keepFailedMs: number;
  /** An actor is about to start. */
  starts(root: RootActor): void;
}

export class Supervision {
  readonly #options: SupervisionOptions;
  readonly #pools: readonly SlotPool[];
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
  #isHandingBack = false;
  /** The last failure of the engine, until it answers again. */
  engineFailure: Error | null = null;
  /** The same, kept. Wall ms. */
  lastFailure: { at: number; message: string } | null = null;

  constructor(options: SupervisionOptions) {
    this.#options = options;
    const { engine, clock, logger, live, acts, ticks, owner, pools, lease } = options;
    const failed = (error: unknown) => this.engineFailed(error);
    const answered = () => {
      this.engineFailure = null;
    };
    const host = {
      start: (claimed: ClaimedJob) => this.#start(claimed),
      unstartable: async (job: StoredJob, error: unknown) => {
        logger.error({ err: error }, `job ${job.id} could not be started: ${(error as Error).message}`);
        await acts.fail(job, error).catch(failed);
      },
      handBack: (job: StoredJob) => acts.handBack(job),
      settled: () => this.checkQuiet(),
      engineAnswered: answered,
      engineFailed: failed,
    };
    this.#pools = pools.map(
      (pool) =>
        new SlotPool(
          { ...pool, engine, clock, owner, leaseMs: lease.leaseMs, keptMs: lease.intervalMs },
          host,
        ),
    );
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
      known: pools.flatMap(({ names }) => names),
      changed: async (paused) => {
        this.#wake();
        await Promise.all(this.#pools.map((pool) => pool.pause(paused)));
      },
    });
    const keeper = createLeaseKeeper(engine, clock, lease, {
      beats: () => live.beats(),
      replied: (reply, beat, sentAt) => live.replied(reply, beat, sentAt),
      recover: () => this.#recover(),
      endLapsing: () => live.endLapsing(),
      answered,
      failed,
    });
    this.#leaseKeeper = createActor(keeper, { clock });
    const areLimited = this.#pools.some((pool) => pool.areLimited);
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
    for (const pool of this.#pools) pool.start();
    this.#leaseKeeper.start();
    this.#dueTimer.start();
    this.#scheduleTimer.start();
    this.startMonitor();
    for (const begun of [this.#recover(), this.#options.ticks.check(), this.readPaused()])
      begun.catch((error) => this.engineFailed(error));
    this.#wake();
  }

  /** Of the jobs of this name. */
  supervisorOf(name: string): AnyActorRef {
    return this.#poolOf(name).supervisor;
  }

  #poolOf(name: string): SlotPool {
    return this.#pools.find(({ names }) => names.includes(name)) ?? this.#first;
  }

  get #first(): SlotPool {
    return this.#pools[0] as SlotPool;
  }

  roots(): RootActor[] {
    return [
      ...this.#pools.map(({ supervisor, title }) => ({
        ...{ ref: supervisor, name: title, parent: null, isJob: false },
      })),
      this.#rootOf(this.#leaseKeeper, 'lease keeper'),
      this.#rootOf(this.#dueTimer, 'due timer'),
      this.#rootOf(this.#scheduleTimer, 'schedule timer'),
      ...(this.#monitor === null ? [] : [this.#rootOf(this.#monitor, 'monitor')]),
    ];
  }

  #rootOf(ref: AnyActorRef, name: string): RootActor {
    return { ref, name, parent: this.#first.supervisor, isJob: false };
  }

  /** By an attempt of this name, of so many ms. */
  slotFreed(name: string, ms: number): void {
    this.#poolOf(name).slotFreed(ms);
  }

  /** Called when an attempt ended, or proved impossible to end: a drain may be over. */
  checkQuiet(): void {
    if (!this.isDraining) return;
    for (const pool of this.#pools) {
      // Not before those ahead of it are quiet: deliveries go out meanwhile.
      pool.drain();
      if (pool.isClaiming || !this.#options.live.isQuiet(pool.names)) return;
    }
    this.#quiet.resolve();
  }

  /** A job that waits to be started here is at rest again, or where it was being sent. */
  async release(id: string): Promise<void> {
    for (const pool of this.#pools) {
      const job = pool.take(id);
      if (job !== null) await this.#options.acts.handBack(job);
    }
  }

  /** Of the registry, as far as was heard. */
  get paused(): readonly string[] {
    return this.#paused.names;
  }

  tooOld(): Iterable<QueueAge> {
    return this.#options.queueWatch.tooOld();
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
    let timer = clock.setTimeout(() => {
      this.#isHandingBack = true;
      for (const pool of this.#pools) pool.drain();
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
    await Promise.race([Promise.all(this.#pools.map((pool) => pool.drain())), patience]);
    clock.clearTimeout(timer);
  }

  stop(): void {
    this.#unwatch();
    this.stopMonitor();
    this.#leaseKeeper.stop();
    this.#dueTimer.stop();
    this.#scheduleTimer.stop();
    for (const pool of this.#pools) pool.stop();
  }

  /** What this processor has to end: its own live jobs past their time, and jobs at rest past theirs. */
  async #findOverdue(): Promise<Overdue[]> {
    const { engine, clock, live } = this.#options;
    const resting = (await engine.due()).map(
      (job): Overdue => ({ id: job.id, kind: timeoutAtRest(job, clock.now()) }),
    );
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
    await this.#options.queueWatch.look(this.paused);
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
    const { engine, live, acts, logger } = this.#options;
    const lost = (await engine.lapsed()).filter(
      ({ id }) => !live.has(id) && !this.#pools.some((pool) => pool.has(id)),
    );
    const outcomes = await Promise.allSettled(lost.map((job) => acts.recover(job)));
    await tellLostNodes(
      engine,
      logger,
      lost.filter((_, n) => outcomes[n]?.status === 'fulfilled'),
    );
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
    for (const pool of this.#pools) pool.wake();
  }

  async #end(found: Overdue[]): Promise<void> {
    if (found.length === 0) return;
    logFound(this.#options.logger, found.length);
    await Promise.all(found.map(({ id, kind }) => this.#options.acts.timeOutFound(id, kind)));
  }

  #start(claimed: ClaimedJob): void {
    const { live } = this.#options;
    live.start(claimed);
    // Claimed while the processor was told to stop: its code does not even begin.
    if (this.#isHandingBack) live.send(claimed.job.id, { type: 'job.handBack' });
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
      for (const pool of this.#pools) pool.wake();
      if (this.#dueTimer.getSnapshot().status === 'active') this.#dueTimer.send({ type: 'due.changed' });
    });
  }

  engineFailed(error: unknown): void {
    this.engineFailure = error instanceof Error ? error : new Error(String(error));
    this.lastFailure = { at: this.#options.clock.now(), message: this.engineFailure.message };
  }
}
