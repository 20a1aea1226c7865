// The runtime that an app embeds: it takes jobs in, runs them within its limits, and sees to it that each
// ends. What happens to a job is decided in src/machines; this class is the door.

import { captureRejectionSymbol, EventEmitter } from 'node:events';
import { hostname } from 'node:os';
import { extname } from 'node:path';
import { v7 as uuid } from 'uuid';
import type { Places } from '../actors/attempt.ts';
import { Isolations } from '../actors/isolation/isolations.ts';
import { isChunked } from '../actors/jobCode.ts';
import type { NewJob, NodeFacts, StoredJob } from '../engines/engine.ts';
import type { InspectOptions, Inspector } from '../inspector/inspector.ts';
import { type FinalState, isFinal, type JobState } from '../machines/states.ts';
import type { Verdict } from '../machines/verdict.ts';
import { ActiveJobs } from './activeJobs.ts';
import { Acts } from './acts.ts';
import { type AnyDefinition, type InputOf, isolationOf, type Jobs, type ResultOf } from './definitions.ts';
import { channels } from './diagnostics.ts';
import { EngineDoor } from './engineDoor.ts';
import { ConfigurationError, describeValue, InputError, JobNotFoundError } from './errors.ts';
import { type Inspection, Listeners, type RootActor } from './inspection.ts';
import { type Job, type JobAccess, JobHandle, storedJob } from './job.ts';
import { checkQuery, type ListQuery } from './jobQuery.ts';
import { limitsOf } from './limits.ts';
import { LiveJobs, type LiveRoot } from './liveJobs.ts';
import { logQueueTooOld, logSubmitted } from './logLines.ts';
import { LogTap } from './logTap.ts';
import { type NodeStatus, newOwner, nodeStatusOf, Presence } from './nodes.ts';
import { type ProcessorOptions, type ResolvedOptions, resolveOptions } from './processorOptions.ts';
import { QueueWatch } from './queueWatch.ts';
import { type ScheduleOptions, type ScheduleStatus, Schedules } from './schedules.ts';
import { checkDuration, checkNumber, checkTimeouts, resolveSettings } from './settings.ts';
import { countsOf, type Stats, statsOf } from './stats.ts';
import { type JobEvents, type JobStatus, statusOf } from './status.ts';
import { findStuckJobs, type StuckJob } from './stuckJobs.ts';
import { definitionNamed, prepareJobs, type SubmitOptions, storing } from './submission.ts';
import { Supervision } from './supervision.ts';
import { Telemetry } from './telemetry/telemetry.ts';
import { Ticks } from './ticks.ts';
import { unstuckVersion } from './version.ts';
import { ownPrefix } from './webhooks/webhooks.ts';

/** What the file of a job imports, almost always. */
const library = new URL(`../index${extname(import.meta.url)}`, import.meta.url).href;

/** An exit waits so long for the engine to store why, ms. */
const unstoredMs = 5000;

/** What `health()` says. */
export interface Health {
  /** `degraded`: works, with less than it should. `down`: no job can start. A paused name, and a queue that is too old, are reasons and `ok`. */
  status: 'ok' | 'degraded' | 'down';
  reasons: string[];
}

/**
 * The door to one engine: takes jobs in, runs them within its limits once it is started, and sees to it that each ends.
 * An `EventEmitter` of {@link JobEvents}.
 *
 *     const processor = await new JobProcessor({ engine: 'memory', jobs: { invoices } }).start();
 *     const job = await processor.submit('invoices', { customers: ['Alice'] });
 *     await job.result();
 *     await processor.stop();
 */
export class JobProcessor<J extends Jobs> extends EventEmitter<JobEvents> implements AsyncDisposable {
  readonly maxConcurrentJobs: number;
  /** What it is called among those on its engine. */
  readonly nodeName: string;
  /** The processor's own defaults; a job may have others. */
  readonly chunkSize: number;
  readonly jobTimeoutSeconds: number;
  /** Attempts alive here, by job id. */
  readonly activeJobs: ReadonlyMap<string, JobStatus>;
  /** Ids of the jobs that wait for a slot, in order. Read from the engine, never kept here. */
  readonly jobQueue: AsyncIterable<string> & {
    /** How many wait, those for their time and those between two attempts too. */
    size(): Promise<number>;
  };

  readonly #options: ResolvedOptions;
  readonly #places: Places;
  readonly #owner: string;
  readonly #live: LiveJobs;
  readonly #acts: Acts;
  readonly #schedules: Schedules;
  readonly #access: JobAccess;
  readonly #door: EngineDoor;
  readonly #rootWatchers = new Listeners<RootActor>();
  readonly #logTap: LogTap;
  readonly #telemetry: Telemetry;
  /** By what they are about: notifications that the engine has not stored yet. */
  readonly #unstored = new Map<string, readonly NewJob[]>();
  /** Inspectors that are open. */
  readonly #atStop = new Set<() => Promise<void>>();
  #supervision: Supervision | null = null;
  #presence: Presence | null = null;
  #stopping: Promise<void> | null = null;

  /** Throws ConfigurationError, which names the option, what was expected and what came. */
  constructor(options: ProcessorOptions<J>) {
    // A listener may be an async function.
    super({ captureRejections: true });
    this.#options = resolveOptions(options, process.env);
    const { clock, random, engine, logger, jobs, webhooks, telemetry, settings, environment } = this.#options;
    const defaults = resolveSettings([settings, environment], { chunked: true, isolation: 'process' });
    this.maxConcurrentJobs = this.#options.maxConcurrentJobs;
    this.nodeName = this.#options.nodeName;
    this.#owner = newOwner(this.nodeName);
    this.chunkSize = defaults.chunkSize;
    this.jobTimeoutSeconds = defaults.jobTimeoutSeconds;
    this.#places = this.#options.places ?? new Isolations(this.#options.spares, library);
    const jobLogger = logger.child({});
    this.#logTap = new LogTap(jobLogger);
    this.#telemetry = new Telemetry(telemetry, [...jobs.keys(), ...webhooks.definitions.keys()], {
      engine,
      now: () => clock.now(),
      openJobs: () => engine.openJobs(),
      nodes: () => engine.nodes(),
      slots: () => this.#slots(),
      signAges: () => this.#live.signAges(),
      unconfirmed: () => this.#live.unconfirmed().map(({ name }) => name),
    });
    this.#door = new EngineDoor({ engine, clock, prepare: () => this.#telemetry.open() });
    const traces = () => this.#telemetry.traces;
    this.#live = new LiveJobs({
      engine,
      clock,
      lease: this.#options.lease,
      observer: this.#telemetry.metrics,
      random,
      logger: jobLogger,
      traces,
      launchIn: (isolation) => this.#places.launchIn(isolation),
      definitionOf: (name) => (jobs.get(name) ?? webhooks.definitions.get(name)) as AnyDefinition,
      slotFreed: (name, ms) => this.#supervision?.slotFreed(name, ms),
      beatSoon: () => this.#supervision?.beatSoon(),
      engineFailed: (error) => this.#supervision?.engineFailed(error),
      followUps: (job, verdict) => this.#followUps(job, verdict),
      unproven: (job, facts) => this.#enqueue(job.id, webhooks.unconfirmed(job, facts)),
      starts: (root) => {
        if (!this.#rootWatchers.isEmpty) this.#rootWatchers.tell(this.#underSupervisor(root()));
      },
      changed: (what, status) => {
        this.#supervision?.checkQuiet();
        this.#announce(what, status);
        if (what === 'unconfirmed') this.#slotsLost();
      },
    });
    const open = {
      engine: () => this.#door.open(),
      watch: (id: string, changed: (state: JobState | null) => void) => this.#door.watch(id, changed),
    };
    this.#acts = new Acts({
      ...open,
      clock,
      random,
      logger,
      live: this.#live,
      places: this.#places,
      traces,
      observer: this.#telemetry.metrics,
      owner: this.#owner,
      runsInHost: (name) => {
        const definition = jobs.get(name);
        return definition !== undefined && isolationOf(definition) !== 'process';
      },
      settled: (job) => this.#announce(job.state, () => statusOf(job)),
      followUps: (job, verdict) => this.#followUps(job, verdict),
      release: async (id) => this.#supervision?.release(id),
    });
    this.#access = {
      ...open,
      statusOf: (job) => statusOf(job, this.#live.view(job)),
      cancel: async (id, reason) => {
        if (reason !== null && typeof reason !== 'string')
          throw new InputError(`reason: expected a string, got ${describeValue(reason)}.`);
        return statusOf(await this.#acts.cancel(id, reason?.toWellFormed() ?? null));
      },
      setTimeouts: async (id, given) => {
        const timeouts = checkTimeouts(given);
        const { name } = await storedJob(await this.#door.open(), id);
        const definition = jobs.get(name);
        if (timeouts.progressTimeoutSeconds !== undefined && definition && !isChunked(definition))
          throw new ConfigurationError('progressTimeoutSeconds', 'a chunked job', 'one that has no chunks');
        return this.#access.statusOf(await this.#acts.setTimeouts(id, timeouts));
      },
    };
    this.#schedules = new Schedules(this.#options, open.engine);
    this.activeJobs = new ActiveJobs(this.#live);
    this.jobQueue = {
      size: async () => (await this.#door.open()).count(['queued', 'retrying']),
      [Symbol.asyncIterator]: () => this.#queue(),
    };
  }

  /** Begins to run jobs. Before it, submitting and asking work; nothing runs. */
  async start(): Promise<this> {
    if (Symbol.for('unstuck.attempt') in globalThis) {
      throw new ConfigurationError(
        'start()',
        'the process of an app',
        'the process of a job',
        'A job is importing the file that starts your app: keep its definition in a file of its own.',
      );
    }
    if (this.#stopping !== null) throw new ConfigurationError('start()', 'a new processor', 'a stopped one');
    const engine = await this.#door.open();
    // An SDK may have been registered since.
    await this.#telemetry.open();
    if (this.#supervision !== null || this.#stopping !== null) return this;
    const { clock, logger, jobs, webhooks, lease } = this.#options;
    const names = [...jobs.keys()];
    const deliveries = [...webhooks.definitions.keys()];
    const submitted = (job: StoredJob) => this.#submitted([job]);
    this.#supervision = new Supervision({
      engine,
      clock,
      logger,
      live: this.#live,
      acts: this.#acts,
      ticks: new Ticks({ engine, clock, logger, names, traces: this.#telemetry.traces, submitted }),
      observer: this.#telemetry.metrics,
      owner: this.#owner,
      pools: [
        { title: 'supervisor', names, limits: limitsOf(jobs), limit: this.maxConcurrentJobs },
        // Slots of their own, one for each target.
        ...(deliveries.length === 0
          ? []
          : [
              {
                title: 'supervisor of deliveries',
                names: deliveries,
                limits: limitsOf(webhooks.definitions),
                limit: deliveries.length,
              },
            ]),
      ],
      lease,
      queueWatch: new QueueWatch({
        engine,
        clock,
        names,
        tooOldMs: this.#options.queueTooOldSeconds * 1000,
        found: (queue) => {
          logQueueTooOld(logger, queue);
          this.#announce('queueTooOld', () => queue);
          this.#enqueue(queue.name, webhooks.queueTooOld(queue));
        },
      }),
      monitorIntervalMs: this.#options.monitorIntervalSeconds * 1000,
      keepCompletedMs: this.#options.keepCompletedSeconds * 1000,
      keepFailedMs: this.#options.keepFailedSeconds * 1000,
      starts: (root) => this.#rootWatchers.tell(root),
    });
    this.#places.prepare(new Set([...jobs.values()].map(isolationOf)));
    this.#supervision.start();
    const self = {
      ...{ id: this.#owner, name: this.nodeName, host: hostname(), pid: process.pid },
      ...{ version: unstuckVersion(), startedAt: clock.now(), jobs: names },
    };
    const facts = async () => ({ ...self, ...(await this.#nodeFacts()) });
    this.#presence = new Presence({ engine, clock, leaseMs: lease.leaseMs, facts });
    this.#presence.start();
    return this;
  }

  /**
   * Starts nothing more and waits for what runs. After `graceSeconds` (default: never) the rest is stopped
   * and handed back to the queue, its attempt not used up.
   */
  async drain({ graceSeconds = Infinity }: { graceSeconds?: number } = {}): Promise<void> {
    checkNumber('graceSeconds', graceSeconds, 'seconds, 0 or more', (n) => n >= 0);
    const draining = this.#supervision?.drain(graceSeconds * 1000);
    this.#presence?.tell();
    await draining;
  }

  /** Hands back what runs and closes everything: no process, timer or handle is left. */
  async stop(): Promise<void> {
    this.#stopping ??= this.#close();
    return this.#stopping;
  }

  async #close(): Promise<void> {
    await this.drain({ graceSeconds: 0 });
    await Promise.all([...this.#atStop].map((end) => end()));
    this.#supervision?.stop();
    await this.#presence?.stop(this.#owner);
    this.#live.stop();
    await this.#places.close();
    this.#telemetry.close();
    await this.#door.close();
  }

  /** `await using processor = …` stops it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Resolves when the job is stored. Throws ConfigurationError or InputError before anything is. */
  async submit<N extends keyof J & string>(
    name: N,
    ...[input, options]: undefined extends InputOf<J[N]>
      ? [input?: InputOf<J[N]>, options?: SubmitOptions]
      : [input: InputOf<J[N]>, options?: SubmitOptions]
  ): Promise<Job<ResultOf<J[N]>>> {
    const [job] = (await prepareJobs(this.#options, name, [input], options)) as [NewJob];
    const engine = await this.#door.open();
    const [stored] = await this.#telemetry.traces.submit(
      { name },
      [job],
      storing(engine, options?.transaction),
    );
    if (stored === undefined || stored.input !== job.input) {
      throw new InputError(
        `idempotencyKey: expected the input of job ${stored?.id}, which has this key, got another one. Use a new key.`,
      );
    }
    if (stored.id === job.id) this.#submitted([stored]);
    return new JobHandle(stored.id, name, this.#access);
  }

  /**
   * A job for each input, all or none, in one transaction: many are stored in a fraction of the time. Some thousands at a
   * time: 100 000 take seconds, in which other calls wait. Throws as submit does, naming the input.
   */
  async submitMany<N extends keyof J & string>(
    name: N,
    inputs: readonly InputOf<J[N]>[],
    options: Omit<SubmitOptions, 'idempotencyKey'> = {},
  ): Promise<Job<ResultOf<J[N]>>[]> {
    if (!Array.isArray(inputs))
      throw new InputError(`inputs: expected an array, got ${describeValue(inputs)}.`);
    if ('idempotencyKey' in options)
      throw new ConfigurationError('idempotencyKey', 'submit(), for one job', 'submitMany()');
    const jobs = await prepareJobs(this.#options, name, inputs, options, (index) => `inputs[${index}]`);
    const engine = await this.#door.open();
    const stored = await this.#telemetry.traces.submit(
      { name, isBatch: true },
      jobs,
      storing(engine, options.transaction),
    );
    this.#submitted(stored);
    return stored.map(({ id }) => new JobHandle<ResultOf<J[N]>>(id, name, this.#access));
  }

  /**
   * A job at each tick of a cron expression: `schedule('nightly', { name: 'report', input: {}, cron: '0 3 * * *' })`. Kept in
   * the engine under its key, in place of the one that had it; with the same cron and time zone its ticks go on as they
   * were. Any started processor with this job on the engine ticks it. Throws as submit does.
   */
  async schedule<N extends keyof J & string>(
    key: string,
    schedule: ScheduleOptions<J, N>,
  ): Promise<ScheduleStatus> {
    return this.#schedules.set(key, schedule);
  }

  /** Its jobs stay. False: no schedule has this key. */
  async unschedule(key: string): Promise<boolean> {
    return this.#schedules.remove(key);
  }

  /** All of the engine, the next to tick first. */
  async schedules(): Promise<ScheduleStatus[]> {
    return this.#schedules.list();
  }

  /**
   * None of this name is claimed any more, by any process on the engine, until it is resumed. What runs goes on; what
   * waits still times out. When it resolves nothing more of it starts here; a job that another process had claimed ahead
   * may, for some 0.1 s.
   */
  async pause(name: keyof J & string): Promise<void> {
    definitionNamed(this.#options, name);
    await (await this.#door.open()).setPaused(name, true);
    await this.#supervision?.readPaused();
  }

  /** Also a name that this registry does not know any more. */
  async resume(name: string): Promise<void> {
    const engine = await this.#door.open();
    if (!(await engine.pausedNames()).includes(name)) definitionNamed(this.#options, name);
    await engine.setPaused(name, false);
    await this.#supervision?.readPaused();
  }

  /** The names that are paused, by whichever process. */
  async paused(): Promise<string[]> {
    return (await this.#door.open()).pausedNames();
  }

  /** Throws JobNotFoundError. */
  async get(id: string): Promise<Job> {
    const { name } = await storedJob(await this.#door.open(), id);
    return new JobHandle(id, name, this.#access);
  }

  /** Newest first. Throws JobNotFoundError where `after` is not a job of the engine, ConfigurationError for bad input. */
  async *list(query: ListQuery<keyof J & string> = {}): AsyncIterable<JobStatus> {
    const checked = checkQuery(query);
    const engine = await this.#door.open();
    if (checked.after !== undefined) await storedJob(engine, checked.after);
    for await (const job of engine.list(checked)) yield this.#access.statusOf(job);
  }

  /** How many jobs are in each state. */
  async counts(name?: keyof J & string): Promise<Record<JobState, number>> {
    return countsOf(await this.#door.open(), name);
  }

  /** How the whole engine stands: jobs by state, the queue, and what ended in the last hour. */
  async stats(): Promise<Stats> {
    return statsOf(await this.#door.open(), this.#options.clock.now());
  }

  /** The processors at work on the engine, in all processes, and those that are gone since a day ago or less; by name. */
  async nodes(): Promise<NodeStatus[]> {
    const engine = await this.#door.open();
    // Who has just started is among them.
    await this.#presence?.told();
    const found = await engine.nodes();
    return found.map((node) => nodeStatusOf(node, this.#options.clock.now()));
  }

  /** Submits a final job again, as a new job that names the old. */
  async retry(id: string): Promise<Job> {
    const engine = await this.#door.open();
    const retried = await storedJob(engine, id);
    const { name, input, settings, priority, concurrencyKey, keyLimit, inOrder, state } = retried;
    if (!isFinal(state))
      throw new InputError(`job ${id}: expected a final state to retry from, got ${state}.`);
    const again = {
      id: uuid(),
      name,
      input,
      settings,
      priority,
      concurrencyKey,
      keyLimit,
      inOrder,
      notBefore: null,
      idempotencyKey: null,
      retryOf: id,
      trace: null,
    };
    this.#submitted(
      await this.#telemetry.traces.submit({ name, retried }, [again], (jobs) => engine.submit(jobs)),
    );
    return new JobHandle(again.id, name, this.#access);
  }

  /** For probes: what is wrong, in words; and what is paused. */
  async health(): Promise<Health> {
    const reasons: string[] = [];
    if (this.#supervision === null || this.#stopping !== null)
      return { status: 'down', reasons: ['the processor is not started'] };
    if (this.#supervision.engineFailure !== null) {
      return {
        status: 'down',
        reasons: [`the engine does not answer: ${this.#supervision.engineFailure.message}`],
      };
    }
    const unconfirmed = this.#live.unconfirmed();
    for (const { id, name, attempt } of unconfirmed) {
      reasons.push(`job ${id} (${name}, attempt ${attempt}) could not be proven stopped and holds its slot`);
    }
    if (this.#supervision.isDraining) reasons.push('the processor is draining');
    const status = this.#areSlotsLost() ? 'down' : reasons.length === 0 ? 'ok' : 'degraded';
    for (const { name, since } of this.#supervision.tooOld())
      reasons.push(`the queue of ${name} is too old: a job waits since ${since.toISOString()}`);
    for (const name of this.#supervision.paused) reasons.push(`${name} is paused`);
    return { status, reasons };
  }

  /** Makes a waiting job the next for a slot; the limits hold. */
  async startJob(id: string): Promise<Job> {
    const engine = await this.#door.open();
    await this.#supervision?.release(id);
    const { name } = await storedJob(engine, id);
    await engine.promote(id);
    return new JobHandle(id, name, this.#access);
  }

  /** Ids of the jobs past their time, in this process, in another, or at rest. Ends nothing: the monitor does, or timeoutJob. */
  async checkStuckJobs(): Promise<string[]> {
    return (await this.stuckJobs()).map(({ job }) => job.id);
  }

  /**
   * The same, with what is wrong with each. With `idleSeconds`, also live jobs that are in time but have had no progress for
   * so long. What runs in another process is judged by what is stored of it: see StuckJob.
   */
  async stuckJobs({ idleSeconds }: { idleSeconds?: number } = {}): Promise<StuckJob[]> {
    checkDuration('idleSeconds', idleSeconds);
    const { clock } = this.#options;
    const sources = { engine: await this.#door.open(), clock, statusOf: this.#access.statusOf };
    return findStuckJobs(sources, (idleSeconds ?? Infinity) * 1000);
  }

  /** Ends a job as timed out, not to be retried. Resolves when the stop is proven, or known to be impossible. */
  async timeoutJob(id: string): Promise<JobStatus> {
    return statusOf(await this.#acts.timeOutByHand(id));
  }

  /** Seconds: the job timeout of a job that is alive here, or without an id the processor's own. */
  getTimeoutDuration(id?: string): number {
    if (id === undefined) return this.jobTimeoutSeconds;
    const settings = this.#live.settingsOf(id);
    if (settings === undefined) throw new JobNotFoundError(id, 'a job that is alive in this processor');
    return settings.jobTimeoutSeconds;
  }

  /** A sign of life by hand for a job that is alive here. Throws JobNotFoundError for others. */
  heartbeat(id: string): void {
    if (!this.#live.heartbeat(id)) throw new JobNotFoundError(id, 'a job that is alive in this processor');
  }

  /** The background sweep; `start()` calls it. Calling it again changes nothing; disposing stops it. */
  startTimeoutMonitor(): Disposable {
    if (this.#stopping === null) this.#supervision?.startMonitor();
    return { [Symbol.dispose]: () => this.#supervision?.stopMonitor() };
  }

  /**
   * The live page, on a server of its own: this machine only, unless `host` says otherwise. Its address, with the token that
   * acting wants, is a line of the log. `handle` of what it answers mounts the page in a server of yours.
   */
  async inspect(options: InspectOptions = {}): Promise<Inspector> {
    // Loaded when somebody looks.
    const { startInspector } = await import('../inspector/inspector.ts');
    // What metrics tell is asked of the engine, from the first scrape on.
    if (options.metrics === true) await this.#door.open();
    const inspection: Inspection = {
      roots: () => [
        ...(this.#supervision?.roots() ?? []),
        ...[...this.#live.roots()].map((root) => this.#underSupervisor(root)),
      ],
      watchRoots: (started) => this.#rootWatchers.add(started),
      watchLines: (written) => this.#logTap.watch(written),
      attachMetrics: (provider) => this.#telemetry.attach(provider),
      stored: async (id) => storedJob(await this.#door.open(), id),
      onStop: (end) => {
        this.#atStop.add(end);
        return () => this.#atStop.delete(end);
      },
      zombies: () => this.#live.unconfirmed().map((job) => ({ ...statusOf(job), isUnconfirmed: true })),
      contextOf: (id) => this.#live.contextOf(id),
    };
    return startInspector(this as unknown as JobProcessor<Jobs>, inspection, this.#options.logger, options);
  }

  #underSupervisor({ ref, name, jobName }: LiveRoot): RootActor {
    return { ref, name, parent: this.#supervision?.supervisorOf(jobName) ?? null, isJob: true };
  }

  /** Deliveries have slots of their own. */
  #heldSlots() {
    return this.#live.heldSlots((name) => this.#options.jobs.has(name));
  }

  #areSlotsLost(): boolean {
    return this.#heldSlots().unconfirmed >= this.maxConcurrentJobs;
  }

  #slotsLost(): void {
    const { onSlotsLost, logger } = this.#options;
    const areLost = () => this.#stopping === null && this.#areSlotsLost();
    if (onSlotsLost === 'stay' || !areLost()) return;
    logger.fatal(
      `all ${this.maxConcurrentJobs} slots are held by attempts that could not be stopped: exiting`,
    );
    logger.flush?.();
    const exit = (untilMs: number) => {
      if (!areLost()) return;
      // What tells why is stored first, if the engine answers.
      if (this.#unstored.size > 0 && performance.now() < untilMs) setTimeout(() => exit(untilMs), 100);
      // Attempts in processes end with us, by their watchdogs.
      else process.kill(process.pid, 'SIGKILL');
    };
    // Time for the line to be written.
    setTimeout(() => exit(performance.now() + unstoredMs), 100);
  }

  /** What is not stored yet comes first: an end is the last that is told of a job. */
  #followUps(job: StoredJob, verdict: Verdict): NewJob[] {
    return [...(this.#unstored.get(job.id) ?? []), ...this.#options.webhooks.followUps(job, verdict)];
  }

  /** Stores them, as soon as the engine answers. `about`: the job, or the name. */
  async #enqueue(about: string, jobs: readonly NewJob[]): Promise<void> {
    if (jobs.length === 0) return;
    const { clock } = this.#options;
    this.#unstored.set(about, jobs);
    while (!this.#door.isClosed) {
      try {
        await (await this.#door.open()).submit(jobs);
        break;
      } catch (error) {
        this.#supervision?.engineFailed(error);
        await new Promise<void>((resolve) => clock.setTimeout(resolve, 1000));
      }
    }
    if (this.#unstored.get(about) === jobs) this.#unstored.delete(about);
  }

  /** What an async listener of the app rejects with: told as what one throws. */
  override [captureRejectionSymbol](error: Error, ...[what]: unknown[]): void {
    this.#listenerFailed(String(what), error);
  }

  /** A listener is the app's own code: its mistake must not reach the job's chart. */
  #listenerFailed(what: string, error: unknown): void {
    this.#options.logger.error({ err: error }, `a listener of '${what}' threw: ${(error as Error)?.message}`);
  }

  /** Jobs of one name. */
  #submitted(jobs: readonly StoredJob[]): void {
    const [first] = jobs;
    if (first !== undefined) this.#telemetry.metrics.submitted(first.name, jobs.length);
    for (const job of jobs) {
      logSubmitted(this.#options.logger, job);
      this.#announce('queued', () => statusOf(job));
    }
  }

  async #nodeFacts(): Promise<Pick<NodeFacts, 'isDraining' | 'slots' | 'health' | 'lastFailure'>> {
    const { used, unconfirmed } = this.#heldSlots();
    return {
      isDraining: this.#supervision?.isDraining === true,
      slots: { max: this.maxConcurrentJobs, used, unconfirmed },
      health: await this.health(),
      lastFailure: this.#supervision?.lastFailure ?? null,
    };
  }

  #slots() {
    if (this.#supervision === null) return null;
    const { used, unconfirmed } = this.#heldSlots();
    return { free: Math.max(0, this.maxConcurrentJobs - used - unconfirmed), used, unconfirmed };
  }

  #announce<E extends keyof JobEvents>(what: E, told: () => JobEvents[E][0]): void {
    const channel = channels[what];
    if (this.listenerCount(what) === 0 && !channel.hasSubscribers) return;
    const value = told();
    // Of deliveries the log tells: they are no jobs of the app.
    if (value.name.startsWith(ownPrefix)) return;
    channel.publish(what === 'queueTooOld' ? { queue: value } : { job: value });
    try {
      this.emit(what as FinalState, value as JobStatus);
    } catch (error) {
      this.#listenerFailed(what, error);
    }
  }

  async *#queue(): AsyncGenerator<string> {
    yield* (await this.#door.open()).queue();
  }
}
