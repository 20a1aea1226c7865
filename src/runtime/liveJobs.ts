// The attempts that are alive in this processor: one root actor of the job's chart for each, wired to the
// engine, the clock and the log. A root of its own, because in XState the cost of a spawned child grows with
// its siblings (bench: scale). The supervisor is told by message when a slot is free.

import type { Logger } from 'pino';
import { type ActorRefFrom, createActor, type SnapshotFrom } from 'xstate';
import type { AttemptHandle, Isolation, Launch, WatchLimits } from '../actors/attempt.ts';
import { createChunkProcessor, type LiveAttempt } from '../actors/chunkProcessor.ts';
import type { ClaimedJob } from '../actors/claimAhead.ts';
import { createStoreIntent, createStoreVerdict } from '../actors/engineWrites.ts';
import { gatherMs } from '../actors/isolation/protocol.ts';
import type { LeaseTimes } from '../actors/leaseTimes.ts';
import { patientClock, slowestBeatMs } from '../actors/patientClock.ts';
import type { Clock } from '../engines/clock.ts';
import type {
  Beat,
  BeatReply,
  Engine,
  FrozenSettings,
  NewJob,
  ProcessGroup,
  StoredJob,
} from '../engines/engine.ts';
import { withTimeouts } from '../engines/jobFacts.ts';
import { claimedJobMachine } from '../machines/job.ts';
import type { JobChartContext, JobEmitted, JobEvent } from '../machines/jobMessages.ts';
import { stopBudgetMs } from '../machines/ladder.ts';
import { isAtRest, isFinal, type JobState, type TimeoutKind } from '../machines/states.ts';
import type { StopIntent, Verdict } from '../machines/verdict.ts';
import { attemptTimeouts, chartInput } from './chartInput.ts';
import { type AnyDefinition, isolationOf, moduleUrl } from './definitions.ts';
import type { RootActor } from './inspection.ts';
import type { JobObserver } from './jobObserver.ts';
import { logLive, logTimeout, logTransition } from './logLines.ts';
import { timeoutNames } from './settings.ts';
import { type Due, type JobEvents, type JobStatus, type LiveView, soonestFirst, statusOf } from './status.ts';
import type { AttemptSpan } from './telemetry/attemptSpan.ts';
import type { SignAges } from './telemetry/standing.ts';
import type { Traces } from './telemetry/traces.ts';

interface LiveJob {
  /** As claimed, then as settled. */
  job: StoredJob;
  readonly actor: ActorRefFrom<typeof claimedJobMachine>;
  readonly attempt: LiveAttempt;
  readonly span: AttemptSpan;
  /** Monotonic ms. */
  readonly startedAt: number;
  heartbeatAt: number;
  progressAt: number;
  /** Wall ms, for people. */
  lastHeartbeatAt: number;
  lastProgressAt: number;
  /** Since the last round of beats. */
  hasNews: boolean;
  /** Monotonic ms: it lasts until then at least. */
  leaseUntil: number;
  /** To be stored with the next beat, and told when it is. */
  group: { readonly group: ProcessGroup; stored(): void } | null;
  handle: AttemptHandle | null;
  isOver: boolean;
  /** Monotonic ms, of the first request to stop it, and of its proven end. */
  askedAt: number | null;
  overAt: number | null;
  chunks: number;
  items: number;
  total: number | null;
}

export interface LiveRoot extends Pick<RootActor, 'ref' | 'name'> {
  readonly jobName: string;
}

export interface LiveJobsHost {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly lease: LeaseTimes;
  /** 0 to 1: see `chance` of the chart's input. */
  random(): number;
  readonly logger: Logger;
  traces(): Traces;
  readonly observer: JobObserver;
  launchIn(isolation: Isolation): Launch;
  definitionOf(name: string): AnyDefinition;
  /** An attempt of this name is proven over, after so many ms. */
  slotFreed(name: string, ms: number): void;
  /** A live attempt has something that must not wait for the next round. */
  beatSoon(): void;
  engineFailed(error: unknown): void;
  /** Jobs to be stored with this end of an attempt. */
  followUps(job: StoredJob, verdict: Verdict): readonly NewJob[];
  /** Its attempt could not be proven ended. */
  unproven(job: StoredJob, facts: Pick<Verdict, 'timeout' | 'reason' | 'stop'>): void;
  /** A chart is about to start. */
  starts(root: () => LiveRoot): void;
  /** A job that is or was alive here came to a new state, or finished a chunk. */
  changed(what: keyof JobEvents, status: () => JobStatus): void;
}

export class LiveJobs {
  readonly #host: LiveJobsHost;
  readonly #machine;
  /** What attempts are judged by. */
  readonly #judgement: Clock;
  /** By job: its live chart. */
  readonly #live = new Map<string, LiveJob>();
  /** The same by attempt: what an attempt says and writes is its own, even when a newer one is alive. */
  readonly #attempts = new Map<string, LiveJob>();
  /** By token: attempts that could not be proven over when their chart was. Each holds its slot. */
  readonly #zombies = new Map<string, StoredJob>();

  constructor(host: LiveJobsHost) {
    this.#host = host;
    const { engine, clock } = host;
    this.#judgement = patientClock(clock);
    const writes = {
      settled: (token: string, job: StoredJob) => this.#settled(token, job),
      followUps: (token: string, verdict: Verdict) => {
        const live = this.#attempts.get(token);
        return live === undefined ? [] : host.followUps(withProgress(live), verdict);
      },
      failed: host.engineFailed,
    };
    const attemptOf = (token: string) => (this.#attempts.get(token) as LiveJob).attempt;
    this.#machine = claimedJobMachine.provide({
      actors: {
        processChunks: createChunkProcessor(engine, clock, attemptOf, host.engineFailed),
        storeIntent: createStoreIntent(engine, writes),
      },
      actions: {
        storeVerdict: createStoreVerdict(engine, writes),
        // After this step: the chart is still in it.
        readWallClock: ({ self }) =>
          queueMicrotask(() => self.send({ type: 'wallClock.read', at: clock.now() })),
      },
    });
  }

  get size(): number {
    return this.#live.size;
  }

  ids(): IterableIterator<string> {
    return this.#live.keys();
  }

  has(id: string): boolean {
    return this.#live.has(id);
  }

  *roots(): Iterable<LiveRoot> {
    for (const live of this.#live.values()) yield rootOf(live);
  }

  /** Of the live chart. */
  contextOf(id: string): JobChartContext | null {
    return this.#live.get(id)?.actor.getSnapshot().context ?? null;
  }

  /** As known here, without asking the engine. */
  status(id: string): JobStatus | undefined {
    const live = this.#live.get(id);
    return live === undefined ? undefined : this.#status(live);
  }

  settingsOf(id: string): FrozenSettings | undefined {
    return this.#live.get(id)?.job.settings;
  }

  /** True when no attempt of these names is left but those that could not be proven over. */
  isQuiet(names: readonly string[]): boolean {
    for (const { actor, job } of this.#live.values()) {
      if (names.includes(job.name) && !actor.getSnapshot().matches({ stopping: 'unconfirmed' })) return false;
    }
    return true;
  }

  /** True when no code runs any more but what could not be proven over: at most its end is not stored. */
  areOver(): boolean {
    for (const { isOver, actor } of this.#live.values()) {
      if (!isOver && !actor.getSnapshot().matches({ stopping: 'unconfirmed' })) return false;
    }
    return true;
  }

  /** Lets go of what is left. */
  stop(): void {
    for (const live of [...this.#live.values()]) this.#remove(live);
  }

  /** What could not be proven stopped: jobs that still hold a slot for it. */
  unconfirmed(): StoredJob[] {
    return [...this.#zombies.values()];
  }

  /** Slots that are held for jobs of these names: by attempts which run, and by those that could not be proven stopped. */
  heldSlots(isOf: (name: string) => boolean): { used: number; unconfirmed: number } {
    let used = 0;
    for (const [token, { isOver, job }] of this.#attempts)
      if (!isOver && !this.#zombies.has(token) && isOf(job.name)) used += 1;
    return { used, unconfirmed: this.unconfirmed().filter(({ name }) => isOf(name)).length };
  }

  /** Of the attempts that run. */
  *signAges(): Iterable<SignAges> {
    const now = this.#host.clock.monotonic();
    const age = (at: number, timeoutSeconds: number) =>
      timeoutSeconds === Infinity ? null : (now - at) / 1000;
    for (const { job, isOver, heartbeatAt, progressAt } of this.#live.values()) {
      if (isOver) continue;
      const { heartbeatTimeoutSeconds, progressTimeoutSeconds } = job.settings;
      yield {
        name: job.name,
        heartbeat: age(heartbeatAt, heartbeatTimeoutSeconds),
        progress: age(progressAt, progressTimeoutSeconds),
      };
    }
  }

  /** What its live attempt adds to a stored row. */
  view({ id, token }: StoredJob): LiveView | undefined {
    const live = this.#live.get(id);
    // A row that was settled, or has a newer attempt, knows better.
    return live === undefined || live.attempt.start.token !== token ? undefined : this.#view(live);
  }

  #view(live: LiveJob): LiveView {
    const { value, context } = live.actor.getSnapshot();
    return {
      state: topState(value) as JobState,
      lastHeartbeatAt: live.lastHeartbeatAt,
      total: live.total,
      timeout: context.intent?.kind === 'timeout' ? context.intent.timeout : null,
      stop: context.stop,
      due: this.#due(live),
      isUnconfirmed: live.actor.getSnapshot().matches({ stopping: 'unconfirmed' }),
    };
  }

  /** False where the job is not alive here. */
  send(id: string, event: JobEvent): boolean {
    const live = this.#live.get(id);
    live?.actor.send(event);
    return live !== undefined;
  }

  /** The attempt that a row is of. False where it is not alive here: one that has lost its lease decides about its job no more. */
  tell({ id, token }: StoredJob, event: JobEvent): boolean {
    return this.#live.get(id)?.attempt.start.token === token && this.send(id, event);
  }

  heartbeat(id: string): boolean {
    const live = this.#live.get(id);
    live?.attempt.lived();
    return live !== undefined && this.send(id, { type: 'chunk.heartbeat' });
  }

  /** Starts the attempt of a job that was just claimed. */
  start({ job, askedAt }: ClaimedJob): void {
    const definition = this.#host.definitionOf(job.name);
    const span = this.#host.traces().attempt(job, isolationOf(definition));
    try {
      this.#start(job, askedAt + this.#host.lease.leaseMs, definition, span);
    } catch (error) {
      span.failed(error);
      throw error;
    }
  }

  #start(job: StoredJob, leaseUntil: number, definition: AnyDefinition, span: AttemptSpan): void {
    const { clock, random, logger } = this.#host;
    const isolation = isolationOf(definition);
    const log = logger.child({ jobId: job.id, job: job.name, attempt: job.attempt, ...span.logFields });
    const actor = createActor(this.#machine, {
      input: chartInput(job, clock.now(), isolation !== 'inline', random()),
      clock: this.#judgement,
    });
    const startedAt = clock.monotonic();
    const live: LiveJob = {
      job,
      actor,
      attempt: this.#attemptOf(job, leaseUntil, definition, span, log),
      span,
      startedAt,
      heartbeatAt: startedAt,
      progressAt: startedAt,
      lastHeartbeatAt: clock.now(),
      lastProgressAt: clock.now(),
      hasNews: false,
      leaseUntil,
      group: null,
      handle: null,
      isOver: false,
      askedAt: null,
      overAt: null,
      chunks: job.chunks,
      items: job.items,
      total: job.total,
    };
    this.#live.set(job.id, live);
    this.#attempts.set(live.attempt.start.token, live);
    let last: ChartState = 'queued';
    actor.subscribe({
      next: ({ value, context }) => {
        span.climbed(context.stop);
        const state = topState(value);
        if (state === last) return;
        last = state;
        if (state === 'stopping') live.askedAt ??= clock.monotonic();
        if (state === 'superseded') return this.#superseded(live);
        const isOver = isAtRest(state) || isFinal(state);
        if (!isOver) logLive(log, job.id, state as 'running' | 'stopping', context.intent);
        if (isOver) this.#remove(live);
        this.#host.changed(state, () => (isOver ? statusOf(live.job) : this.#status(live)));
      },
      error: (error) => this.#broken(live, error as Error),
    });
    actor.on('*', (emitted) => this.#announce(emitted, live));
    this.#host.starts(() => rootOf(live));
    actor.start();
  }

  beats(): Beat[] {
    return [...this.#live.values()].map((live) => {
      const { token } = live.attempt.start;
      const { hasNews } = live;
      live.hasNews = false;
      return {
        id: live.job.id,
        token,
        heartbeatAt: hasNews ? live.lastHeartbeatAt : null,
        total: hasNews ? live.total : null,
        group: live.group?.group ?? null,
      };
    });
  }

  replied({ token, held, renewed, intent, settings }: BeatReply, beat: Beat, sentAt: number): void {
    const live = this.#attempts.get(token);
    if (live === undefined) return;
    if (renewed) this.#renew(live, beat, sentAt);
    if (settings !== null) this.#retime(live, settings);
    if (!held) live.actor.send({ type: 'lease.lost' });
    // Asked for in another process; what was asked here, or told already, is on its way.
    else if (intent !== null && !isSame(intent, live.actor.getSnapshot().context.intent)) {
      if (intent.kind === 'cancel') live.actor.send({ type: 'job.cancel', reason: intent.reason });
      else if (intent.kind === 'timeout')
        live.actor.send({ type: 'job.timeOut', kind: intent.timeout, by: intent.by });
    }
  }

  #renew(live: LiveJob, { group }: Beat, sentAt: number): void {
    live.leaseUntil = sentAt + this.#host.lease.leaseMs;
    live.attempt.endBy = this.#endBy(live.leaseUntil);
    live.handle?.renew();
    if (live.group === null || live.group.group !== group) return;
    live.group.stored();
    live.group = null;
  }

  /** Of the watchdog's. */
  #endBy(leaseUntil: number): number {
    const { engine, lease } = this.#host;
    return engine.spansMachines ? leaseUntil - lease.watchdogMarginMs : Infinity;
  }

  /** Attempts whose leases could not be renewed: another machine may have their jobs soon. */
  endLapsing(): void {
    const from = this.#host.clock.monotonic() + this.#host.lease.hostMarginMs;
    for (const { leaseUntil, actor } of [...this.#live.values()])
      if (leaseUntil <= from) actor.send({ type: 'lease.lost' });
  }

  /** Its timeouts may be others than those its attempt started with. Nothing where that is not alive here. */
  retime({ token, settings }: StoredJob): void {
    const live = token === null ? undefined : this.#attempts.get(token);
    if (live !== undefined) this.#retime(live, settings);
  }

  #retime(live: LiveJob, settings: FrozenSettings): void {
    const { attempt, actor, handle, startedAt, heartbeatAt, progressAt } = live;
    const before = live.job.settings;
    const changed = timeoutNames.filter((name) => settings[name] !== before[name]);
    if (changed.length === 0) return;
    const { clock } = this.#host;
    live.job = { ...live.job, ...withTimeouts(live.job, settings) };
    attempt.limits = watchLimits(live.job);
    attempt.beatMs = beatMsOf(settings);
    handle?.retime();
    const { isKillable } = actor.getSnapshot().context;
    const timeouts = attemptTimeouts(live.job, isKillable);
    const now = clock.monotonic();
    // It beats at the pace of the old timeout: silent for longer than the new one, it may be alive, and is heard first.
    const patience = isKillable && changed.includes('heartbeatTimeoutSeconds') ? slowestBeatMs + gatherMs : 0;
    actor.send({
      type: 'timeouts.changed',
      timeouts,
      left: {
        job: Math.max(0, startedAt + timeouts.jobTimeoutMs - now),
        heartbeat: Math.max(patience, heartbeatAt + timeouts.heartbeatTimeoutMs - now),
        progress: Math.max(0, progressAt + timeouts.progressTimeoutMs - now),
      },
      at: clock.now(),
    });
  }

  /** Live jobs past a timeout by more than the stop ladder needs: what the charts' own timers missed. */
  overdue(): { id: string; kind: TimeoutKind }[] {
    const found: { id: string; kind: TimeoutKind }[] = [];
    const now = this.#host.clock.now();
    for (const live of this.#live.values()) {
      const { job, actor } = live;
      const isUnproven = actor.getSnapshot().matches({ stopping: 'unconfirmed' });
      // Waiting for the proof that lets it be retried: only its deadline still counts.
      const due = isUnproven
        ? soonestFirst([{ kind: 'deadline', at: job.deadlineAt ?? Infinity }])
        : this.#due(live);
      const late = isUnproven ? 0 : stopBudgetMs(job.settings.graceSeconds * 1000);
      const [first] = due;
      if (first !== undefined && now > first.at + late) found.push({ id: job.id, kind: first.kind });
    }
    return found;
  }

  /** What will time it out, on the wall clock of now; nothing once it is being stopped. */
  #due({ job, actor, startedAt, heartbeatAt, progressAt }: LiveJob): Due[] {
    if (!actor.getSnapshot().matches({ running: 'processing' })) return [];
    const { clock } = this.#host;
    const { settings, deadlineAt } = job;
    const wall = clock.now() - clock.monotonic();
    return soonestFirst([
      { kind: 'job', at: wall + startedAt + settings.jobTimeoutSeconds * 1000 },
      { kind: 'heartbeat', at: wall + heartbeatAt + settings.heartbeatTimeoutSeconds * 1000 },
      { kind: 'progress', at: wall + progressAt + settings.progressTimeoutSeconds * 1000 },
      { kind: 'deadline', at: deadlineAt ?? Infinity },
    ]);
  }

  #attemptOf(
    job: StoredJob,
    leaseUntil: number,
    definition: AnyDefinition,
    span: AttemptSpan,
    log: Logger,
  ): LiveAttempt {
    const { clock } = this.#host;
    const startedAt = clock.monotonic();
    const token = job.token as string;
    const lived = () => {
      const live = this.#attempts.get(token);
      if (live === undefined) return;
      live.heartbeatAt = clock.monotonic();
      live.lastHeartbeatAt = clock.now();
      live.hasNews = true;
    };
    return {
      start: {
        jobId: job.id,
        name: job.name,
        attempt: job.attempt,
        token,
        input: job.input,
        checkpoint: job.checkpoint,
        chunksDone: job.chunks,
        chunkSize: job.settings.chunkSize,
        given: definition.given,
        trace: span.carrier,
      },
      code: definition,
      module: definition.module === undefined ? null : moduleUrl(definition.module),
      beatMs: beatMsOf(job.settings),
      limits: watchLimits(job),
      endBy: this.#endBy(leaseUntil),
      reuse: definition.reuse === true,
      log,
      launch: this.#host.launchIn(isolationOf(definition)),
      started: (group) =>
        new Promise((stored) => {
          const live = this.#attempts.get(token);
          if (live !== undefined) live.group = { group, stored };
          this.#host.beatSoon();
        }),
      lived,
      progressed: (items) => {
        lived();
        const live = this.#attempts.get(token);
        if (live === undefined) return;
        live.progressAt = clock.monotonic();
        live.lastProgressAt = clock.now();
        live.chunks += 1;
        live.items += items;
        this.#host.changed('progress', () => this.#status(live));
      },
      counted: (total) => {
        const live = this.#attempts.get(token);
        if (live === undefined) return;
        live.total = total;
        live.hasNews = true;
      },
      launched: (handle) => {
        const live = this.#attempts.get(token);
        if (live !== undefined) live.handle = handle;
      },
      over: () => {
        span.over();
        const live = this.#attempts.get(token);
        if (live !== undefined) Object.assign(live, { isOver: true, overAt: clock.monotonic() });
        this.#zombies.delete(token);
        this.#host.slotFreed(job.name, clock.monotonic() - startedAt);
      },
    };
  }

  #announce(emitted: JobEmitted, live: LiveJob): void {
    const { id, name } = live.job;
    const { observer, clock } = this.#host;
    logTimeout(live.attempt.log, id, emitted);
    live.span.emitted(emitted);
    if (emitted.type === 'timeout.found') observer.timeoutFound(name, emitted.kind, emitted.by);
    else {
      const now = clock.monotonic();
      const { stop } = emitted;
      observer.stopEnded(name, stop, stop.tookSeconds ?? (now - (live.askedAt ?? now)) / 1000);
    }
    if (emitted.type !== 'stop.unconfirmed') return;
    const { intent, stop } = emitted;
    this.#host.unproven(withProgress(live), {
      timeout: intent.kind === 'timeout' ? intent.timeout : null,
      reason: intent.kind === 'cancel' ? intent.reason : null,
      stop,
    });
    this.#zombies.set(live.attempt.start.token, live.job);
    this.#host.changed('unconfirmed', () => this.#status(live));
  }

  /** To its end, or to now where that could not be proven. */
  #ranSeconds({ startedAt, overAt }: LiveJob): number {
    return ((overAt ?? this.#host.clock.monotonic()) - startedAt) / 1000;
  }

  #status(live: LiveJob): JobStatus {
    return statusOf(withProgress(live), this.#view(live));
  }

  #settled(token: string, job: StoredJob): void {
    const live = this.#attempts.get(token);
    if (live === undefined) return;
    live.job = job;
    this.#host.observer.attemptEnded(job.name, this.#ranSeconds(live), job);
    if (this.#zombies.has(token)) this.#zombies.set(token, job);
    logTransition(live.attempt.log, job);
    live.span.settled(job);
  }

  /** The job goes on elsewhere; here it was, and is no more. */
  #superseded(live: LiveJob): void {
    live.attempt.log.warn(
      `attempt ${live.job.attempt} of job ${live.job.id} was superseded: its lease is gone`,
    );
    live.span.unsettled('superseded');
    this.#host.observer.attemptEnded(live.job.name, this.#ranSeconds(live), null);
    this.#remove(live);
    this.#host.changed('superseded', () => this.#status(live));
  }

  /** A chart that broke decides nothing any more: its attempt is killed, and its lease left to lapse. */
  #broken(live: LiveJob, error: Error): void {
    const { job, attempt } = live;
    attempt.log.error(
      { err: error },
      `the chart of job ${job.id} broke, its attempt is killed: ${error.message}`,
    );
    this.#host.observer.attemptEnded(job.name, this.#ranSeconds(live), null);
    if (!live.isOver) this.#zombies.set(attempt.start.token, job);
    live.span.unsettled('chartBroken');
    live.handle?.kill();
    this.#remove(live);
  }

  #remove(live: LiveJob): void {
    this.#attempts.delete(live.attempt.start.token);
    if (this.#live.get(live.job.id) === live) this.#live.delete(live.job.id);
    live.span.unsettled('notStored');
    live.actor.stop();
  }
}

/** As known here: the row is as it was claimed. */
function withProgress({ job, chunks, items, total, lastProgressAt }: LiveJob): StoredJob {
  return { ...job, chunks, items, total, lastProgressAt };
}

function rootOf({ actor, job }: LiveJob): LiveRoot {
  return { ref: actor, name: `${job.name} ${job.id} attempt ${job.attempt}`, jobName: job.name };
}

function beatMsOf({ heartbeatTimeoutSeconds }: FrozenSettings): number {
  return Math.max(50, Math.min(slowestBeatMs, (heartbeatTimeoutSeconds * 1000) / 4));
}

/** The watchdog is the last line: it gives the ladder all its time first. */
function watchLimits({ settings, deadlineAt }: StoredJob): WatchLimits {
  const budgetMs = stopBudgetMs(settings.graceSeconds * 1000);
  return {
    jobMs: settings.jobTimeoutSeconds * 1000 + budgetMs,
    heartbeatMs: settings.heartbeatTimeoutSeconds * 1000 + budgetMs,
    progressMs: settings.progressTimeoutSeconds * 1000 + budgetMs,
    deadlineAt: (deadlineAt ?? Infinity) + budgetMs,
    memoryLimitMb: settings.memoryLimitMb,
  };
}

/** As far as the chart does the same with it. */
function isSame(a: StopIntent, b: StopIntent | null): boolean {
  if (a.kind !== 'timeout' || b?.kind !== 'timeout') return a.kind === b?.kind;
  return a.timeout === b.timeout && a.by === b.by;
}

type ChartState = JobState | 'superseded';

function topState(value: SnapshotFrom<typeof claimedJobMachine>['value']): ChartState {
  return typeof value === 'string' ? value : (Object.keys(value)[0] as 'running' | 'stopping');
}
