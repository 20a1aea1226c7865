// Where jobs are kept. An engine owns the stored facts: rows, times, attempt tokens, leases. It decides
// nothing about a job's life (the chart does) and refuses every write whose token is stale.
// test/engines/contract.ts is what each engine must pass.

import type { StopRecord } from '../machines/ladder.ts';
import type { FinalState, JobState, TimeoutKind } from '../machines/states.ts';
import type { StopIntent, StoredFailure, Verdict } from '../machines/verdict.ts';
import type { Clock } from './clock.ts';

/** A job's settings, resolved at submit and stored with it. Seconds; Infinity = off. */
export interface FrozenSettings {
  readonly jobTimeoutSeconds: number;
  readonly heartbeatTimeoutSeconds: number;
  readonly progressTimeoutSeconds: number;
  readonly queueTimeoutSeconds: number;
  readonly deadlineSeconds: number;
  readonly graceSeconds: number;
  readonly memoryLimitMb: number;
  readonly maxCrashes: number;
  readonly chunkSize: number;
  readonly retry: {
    readonly maxAttempts: number;
    readonly on: readonly ('failed' | 'timedOut')[];
    readonly backoff: {
      readonly kind: 'fixed' | 'exponential';
      readonly seconds: number;
      readonly maxSeconds: number;
      /** The part of the pause that is left to chance, 0 to 1. */
      readonly jitter: number;
    };
  };
}

/** Those that can be changed until the job is over. */
export type Timeouts = Pick<
  FrozenSettings,
  | 'jobTimeoutSeconds'
  | 'heartbeatTimeoutSeconds'
  | 'progressTimeoutSeconds'
  | 'queueTimeoutSeconds'
  | 'deadlineSeconds'
>;

export interface NewJob {
  readonly id: string;
  readonly name: string;
  /** JSON text, as all payloads here. */
  readonly input: string;
  readonly settings: FrozenSettings;
  /** Higher starts first; equal ones in the order of submission. */
  readonly priority: number;
  /** Wall ms before which no attempt starts, or null. */
  readonly notBefore: number | null;
  /** One job of a name has it. */
  readonly idempotencyKey: string | null;
  /** Of the jobs of this name that have the same key, `keyLimit` at most are alive at a time. Null: it has none. */
  readonly concurrencyKey: string | null;
  /** As it was defined when the job was submitted; Infinity = off. */
  readonly keyLimit: number;
  /** One of the key that waits out the pause before a retry keeps its place, and those of the key behind it waiting. */
  readonly inOrder: boolean;
  /** The final job that this one repeats by hand, or null. */
  readonly retryOf: string | null;
  /** The trace that its attempts belong to: what the propagator wrote at the submit, JSON text. Null: none. */
  readonly trace: string | null;
}

export interface Transition {
  readonly state: JobState;
  /** Wall ms. */
  readonly at: number;
  readonly attempt: number;
  readonly timeout?: TimeoutKind;
  readonly reason?: string;
  readonly stop?: StopRecord;
}

/** The processes of an attempt, so that whoever takes the job over can end them first. */
export interface ProcessGroup {
  /** Names the boot of the machine. */
  readonly boot: string;
  /** Of its leader, and so of the group. */
  readonly pid: number;
  /** The leader's start, as the kernel counts it: a process id comes again. */
  readonly startedAt: string;
}

/** A job as stored. Times are wall ms; null = not yet, or off. */
export interface StoredJob extends NewJob {
  readonly state: JobState;
  /** The live attempt, else the last; 0 before the first. */
  readonly attempt: number;
  /** Of the live attempt; null at rest and at the end. */
  readonly token: string | null;
  readonly owner: string | null;
  /** Of the live attempt, where it runs in processes of its own. */
  readonly group: ProcessGroup | null;
  readonly submittedAt: number;
  /** Of the live or last attempt. */
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  /** When it times out if it still waits for its first start. */
  readonly queueDueAt: number | null;
  readonly deadlineAt: number | null;
  readonly lastHeartbeatAt: number | null;
  readonly lastProgressAt: number | null;
  readonly checkpoint: string | null;
  readonly chunks: number;
  /** Times its host ended while it ran in it, since the last checkpoint. */
  readonly crashes: number;
  /** The live or last attempt was claimed ahead of a slot: its code may not have begun. */
  readonly claimedAhead: boolean;
  readonly items: number;
  /** Items in all, where the job said. */
  readonly total: number | null;
  readonly intent: StopIntent | null;
  readonly timeout: TimeoutKind | null;
  readonly reason: string | null;
  readonly failure: StoredFailure | null;
  readonly result: string | null;
  readonly stop: StopRecord | null;
  readonly history: readonly Transition[];
}

export interface CheckpointWrite {
  readonly id: string;
  readonly token: string;
  /** The chunk's number, from 1 over all attempts: a write whose answer was lost may come again. */
  readonly chunk: number;
  readonly checkpoint: string;
  readonly rows: readonly string[];
  readonly items: number;
  /** Items in all, where the job said. */
  readonly total: number | null;
}

export interface Beat {
  readonly id: string;
  readonly token: string;
  /** Wall ms of the last sign of life; null where none came since the last beat. */
  readonly heartbeatAt: number | null;
  readonly total: number | null;
  /** Its processes; null or absent where it has none of its own, or nothing new. */
  readonly group?: ProcessGroup | null;
}

export interface BeatReply {
  readonly id: string;
  readonly token: string;
  /** False: the token is stale, the attempt must end at once. */
  readonly held: boolean;
  /** The lease counts anew, and what came with the beat is stored. False also where the row was just being written: the next beat does it. */
  readonly renewed: boolean;
  /** What was asked of this attempt from elsewhere. */
  readonly intent: StopIntent | null;
  /** The job's, as they are now: its timeouts may have been changed. Null where it is not held. */
  readonly settings: FrozenSettings | null;
}

export interface JobQuery {
  readonly states?: readonly JobState[];
  readonly name?: string;
  /** The idempotency key: at most one job of each name. */
  readonly key?: string;
  /** Submitted at or after, and before; wall ms. */
  readonly from?: number;
  readonly before?: number;
  /** Goes on behind this job, the last of the page before. */
  readonly after?: string;
  readonly limit?: number;
}

/** A schedule as stored. Times are wall ms. */
export interface StoredSchedule {
  readonly key: string;
  /** Another one each time it is stored: of all that tick it, one succeeds. */
  readonly revision: string;
  readonly cron: string;
  readonly timeZone: string;
  /** Of a tick while the last job is not final. */
  readonly overlap: 'skip' | 'allow';
  /** What a tick submits. */
  readonly job: Omit<NewJob, 'id'>;
  readonly nextTickAt: number;
  /** What the next tick was counted from. */
  readonly countedFrom: number;
  /** Of the last tick that submitted a job, and that job; null: none did. */
  readonly lastTickAt: number | null;
  readonly lastJobId: string | null;
  /** The last tick that was skipped. */
  readonly lastSkipAt: number | null;
}

export interface ScheduleQuery {
  readonly key?: string;
  /** Of their jobs. */
  readonly names?: readonly string[];
  /** With a tick at or before, wall ms. */
  readonly dueBy?: number;
  readonly limit?: number;
}

/** What the definition of a job says of all jobs of its name, on all processors of the engine. */
export interface NameLimits {
  /** Alive at a time; Infinity = off. */
  readonly concurrency: number;
  /** Attempts that begin within any so many ms of wall time; null = off. */
  readonly rate: { readonly starts: number; readonly ms: number } | null;
}

export interface Claim {
  readonly owner: string;
  readonly limit: number;
  readonly ahead: number;
  readonly names: readonly string[];
  readonly leaseMs: number;
  /** By name; of names that are not in it, only their keys limit them. */
  readonly limits?: Readonly<Record<string, NameLimits>>;
}

/** A running processor, as it tells of itself. Times are wall ms. */
export interface NodeFacts {
  /** The owner of what it claims. */
  readonly id: string;
  /** For people; of two that were given one name each has its own id. */
  readonly name: string;
  readonly host: string;
  readonly pid: number;
  /** Of Unstuck. */
  readonly version: string;
  readonly startedAt: number;
  readonly isDraining: boolean;
  readonly slots: { readonly max: number; readonly used: number; readonly unconfirmed: number };
  /** Names of the jobs that it runs. */
  readonly jobs: readonly string[];
  readonly health: { readonly status: 'ok' | 'degraded' | 'down'; readonly reasons: readonly string[] };
  /** The last time that its engine failed it; null: it never did. */
  readonly lastFailure: { readonly at: number; readonly message: string } | null;
}

/** A node as others see it. */
export interface StoredNode extends NodeFacts {
  /** ms since it last told of itself, by the clock that leases count on. */
  readonly unseenMs: number;
  /** Its process has ended without a word, or it was not seen for as long as it said. */
  readonly isGone: boolean;
  /** Attempts that it holds, by the name of their jobs. */
  readonly running: readonly { readonly name: string; readonly jobs: number }[];
}

/** A connection of the caller's own with a transaction open, as a client of `pg` is one. */
export interface SqlTransaction {
  /** A statement with `$1`, `$2`… for its values. */
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
}

/** The states of a job that is not over. */
export type OpenState = Exclude<JobState, FinalState>;

/** The jobs of a name that are not over. */
export interface OpenJobs {
  readonly name: string;
  readonly counts: Readonly<Record<OpenState, number>>;
  /** Wall ms from which the one could have started that is to start next; null: none waits for a slot. */
  readonly waitingSince: number | null;
}

export interface Watcher {
  /** After each durable change of a job, in order; and when a job that waited behind others of its key no longer does. */
  changed(id: string, state: JobState): void;
  /** A schedule, or which names are paused, was changed. */
  controlsChanged?(): void;
  /** Changes of another process were too many to be told: anything may have changed. */
  missed(): void;
}

export interface Engine {
  readonly name: string;
  /**
   * Its processors may be on several machines: who takes a job over cannot end what is left of its attempt elsewhere, so an attempt
   * ends itself before its lease does.
   */
  readonly spansMachines: boolean;
  open(clock: Clock): Promise<void>;
  close(): Promise<void>;

  /** Stores jobs, all or none. Answers per job with its row: the older one where its idempotency key is known. */
  submit(jobs: readonly NewJob[]): Promise<StoredJob[]>;
  /**
   * The same in a transaction of the caller's on the engine's own database: the jobs are there if and only if that commits. Absent
   * where an engine is on none.
   */
  submitWithin?(transaction: SqlTransaction, jobs: readonly NewJob[]): Promise<StoredJob[]>;
  /**
   * Up to `limit` jobs that may start now become `running`, each with its next attempt, a token and a lease; after
   * them up to `ahead` more, which are not to start yet (see `claimedAhead`; who was claimed so before, or took a host down, is passed over). The
   * lower rank first (`rankOf`); none of a name that is paused, and no limit of a name or a key is passed.
   */
  claim(claim: Claim): Promise<StoredJob[]>;
  /** Wall ms at which a rate lets a job start that waits for nothing else; null: none does. */
  nextStartAt(limits: Readonly<Record<string, NameLimits>>): Promise<number | null>;
  /** Renews leases; answers for each beat. */
  beat(beats: readonly Beat[], leaseMs: number): Promise<BeatReply[]>;
  /** A chunk's checkpoint and rows, in one transaction; nothing where the chunk is stored already. Refused with StaleAttemptError. */
  checkpoint(write: CheckpointWrite): Promise<void>;
  /**
   * A live job becomes `stopping`, for its owner to see; `token` null: on behalf of whoever holds it.
   * Refused with StaleAttemptError where the token is stale or no attempt is alive.
   */
  recordIntent(id: string, token: string | null, intent: StopIntent): Promise<void>;
  /**
   * The end of an attempt; `token` null: of a job at rest. `queued` gives the attempt's number back, and the job its
   * place. Refused with StaleAttemptError, so of two that settle one attempt exactly one succeeds; and so that a job
   * which was told to end in another process is not set to run again. `followUps` are submitted with it: where it is
   * refused none of them is.
   */
  settle(
    id: string,
    token: string | null,
    verdict: Verdict,
    followUps?: readonly NewJob[],
  ): Promise<StoredJob>;
  /**
   * Other timeouts for a job that is not over, counted from where the old ones did; a live job's owner sees them with its
   * next beat. One that is over stays as it is. Answers with its row.
   */
  setTimeouts(id: string, timeouts: Partial<Timeouts>): Promise<StoredJob>;
  /** A queued job becomes the next for a slot. */
  promote(id: string): Promise<void>;

  get(id: string): Promise<StoredJob | null>;
  /** Newest first. */
  list(query: JobQuery): AsyncIterable<StoredJob>;
  /** Jobs waiting for a slot, in the order in which they will start. */
  queue(): AsyncIterable<string>;
  count(states: readonly JobState[], name?: string): Promise<number>;
  /** How many came to this end at `since` (wall ms) or later; with `timeout`, by this timeout. */
  countEnded(state: FinalState, since: number, timeout?: TimeoutKind): Promise<number>;
  /** When the job was submitted that has waited longest of the queued ones that may start now. Wall ms; null: none waits. */
  oldestWaiting(): Promise<number | null>;
  /** Of each name that has jobs which are not over, or had some. Asked at each scrape: in a file it costs the same however many they are. */
  openJobs(): Promise<OpenJobs[]>;
  rows(id: string): AsyncIterable<string>;

  /** Jobs at rest whose queue timeout or deadline has passed. A bounded number of them; ask again. */
  due(): Promise<StoredJob[]>;
  /** Wall ms at which a job at rest next times out or may start, those that may already excepted; null: none will. */
  nextDueAt(): Promise<number | null>;
  /** Live jobs whose lease is over: their owner is gone. A bounded number of them; ask again. */
  lapsed(): Promise<StoredJob[]>;
  /**
   * An attempt whose owner is gone passes to the caller, who answers for it from now on: the old token is stale, the
   * answer is the new one. Refused with StaleAttemptError.
   */
  adopt(id: string, token: string, owner: string, leaseMs: number): Promise<string>;
  /**
   * Removes jobs that are in one of these states since before `endedBefore` (wall ms), with their rows: a bounded part of
   * them. True where more may be left: ask again.
   */
  prune(states: readonly FinalState[], endedBefore: number): Promise<boolean>;

  /** In the order of their next ticks. */
  schedules(query: ScheduleQuery): Promise<StoredSchedule[]>;
  /**
   * Stores a schedule under its key, in place of the one with the revision `instead` (null: where none has the key), and
   * with it the jobs of its tick, all or none. Null: another one is stored by now, and nothing was.
   */
  storeSchedule(
    schedule: StoredSchedule,
    instead: string | null,
    jobs: readonly NewJob[],
  ): Promise<StoredJob[] | null>;
  /** False: there was none. */
  removeSchedule(key: string): Promise<boolean>;
  /** From then on no job of this name is claimed by anyone; or they are again. */
  setPaused(name: string, isPaused: boolean): Promise<void>;
  pausedNames(): Promise<string[]>;

  /** A node tells of itself, and is gone where it does not again within `goneAfterMs`. Nodes that nobody saw for `keptMs` are removed. */
  nodeSeen(node: NodeFacts, goneAfterMs: number, keptMs: number): Promise<void>;
  /** It stops in order. */
  removeNode(id: string): Promise<void>;
  /** In the order of their names, those that are gone too. */
  nodes(): Promise<StoredNode[]>;

  /** Returns what ends it. */
  watch(watcher: Watcher): () => void;
}

/** A write of an attempt that is no longer the job's own: another took over, or the job is over. */
export class StaleAttemptError extends Error {
  override readonly name = 'StaleAttemptError';
  readonly code = 'ERR_UNSTUCK_STALE_ATTEMPT';
  readonly jobId: string;
  /** What was refused. */
  readonly write: string;
  /** Set where the attempt is current, and the job was told to end meanwhile: with this it is to be settled. */
  readonly intent: StopIntent | null;
  constructor(jobId: string, write: string, intent: StopIntent | null = null) {
    super(
      intent === null
        ? `job ${jobId}: ${write} refused, its attempt is no longer the current one`
        : `job ${jobId}: ${write} refused, it was told to end`,
    );
    this.jobId = jobId;
    this.write = write;
    this.intent = intent;
  }
}

/** The engine cannot do its work: its message says what fails and what to do. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  readonly code = 'ERR_UNSTUCK_ENGINE';
}
