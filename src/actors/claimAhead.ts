// Claims jobs for free slots, and where jobs are shorter than a claim takes, some more ahead of the slots: a slot
// then never waits for a commit. What is claimed ahead has not begun: its clocks do not run, it holds no slot, and it
// is handed back when it is not started within a beat.

import type { Clock } from '../engines/clock.ts';
import type { Engine, NameLimits, StoredJob } from '../engines/engine.ts';

/**
 * As many are claimed ahead as start within so many ms: other processes, and jobs of higher priority, wait no longer. Where a claim
 * takes longer, as many as start within three of them: else fewer would start with each claim, and then fewer be claimed.
 */
const aheadMs = 100;
const mostAhead = 1000;
/** A claim that is quicker than this is not worth going ahead of, ms. */
const quickMs = 1;
/** Nor where an attempt takes so many times as long as a claim. */
const longAttempt = 10;

export interface ClaimAheadOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly owner: string;
  readonly names: readonly string[];
  /** By name. */
  readonly limits: Readonly<Record<string, NameLimits>>;
  readonly leaseMs: number;
  /** How long a job may wait here, ms. */
  readonly keptMs: number;
}

export interface ClaimAheadHost {
  /** Jobs may have come that were not waited for: to be claimed again. */
  refilled(): void;
  /** Gives a job that was not started back to the queue. */
  handBack(job: StoredJob): Promise<void>;
  failed(error: unknown): void;
}

export interface ClaimedJob {
  readonly job: StoredJob;
  /** Its lease counts from no earlier; monotonic ms. */
  readonly askedAt: number;
}

export class ClaimAhead {
  readonly #options: ClaimAheadOptions;
  readonly #host: ClaimAheadHost;
  #waiting: ClaimedJob[] = [];
  #paused: readonly string[] = [];
  #refill: Promise<void> | null = null;
  #isClosed = false;
  #timer: unknown = null;
  readonly #isRated: boolean;
  /** Of late: how long a claim took, and an attempt, ms; and how many attempts ended in a ms. */
  #claimMs = 0;
  #attemptMs = Infinity;
  #rate = 0;
  #ended = 0;
  #claimedAt = 0;

  constructor(options: ClaimAheadOptions, host: ClaimAheadHost) {
    this.#options = options;
    this.#host = host;
    this.#isRated = Object.values(options.limits).some(({ rate }) => rate !== null);
  }

  /** Up to `slots` jobs to start now. Fewer: no more are there, or `refilled` will be called. */
  async claim(slots: number): Promise<ClaimedJob[]> {
    if (this.#waiting.length === 0 && this.#refill !== null) await this.#refill;
    // However many wait: the host's loop turns between them, and what they write goes on its way.
    else if (this.#waiting.length > 0) await new Promise(setImmediate);
    this.#dropStale();
    if (this.#waiting.length === 0) return this.#claim(slots);
    const jobs = this.#waiting.splice(0, slots);
    if (jobs.length < slots || this.#isLow()) this.#refillSoon();
    return jobs;
  }

  /** A job that waits here, for a slot that has come free. */
  next(): ClaimedJob | null {
    this.#dropStale();
    const next = this.#waiting.shift() ?? null;
    if (next !== null && this.#isLow()) this.#refillSoon();
    return next;
  }

  has(id: string): boolean {
    return this.#waiting.some(({ job }) => job.id === id);
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** An attempt took so long. */
  attemptTook(ms: number): void {
    this.#attemptMs = this.#attemptMs === Infinity ? ms : mean(this.#attemptMs, ms);
    this.#ended += 1;
  }

  /** The job, where it waits here; it does no more. */
  take(id: string): StoredJob | null {
    const index = this.#waiting.findIndex(({ job }) => job.id === id);
    return this.#waiting.splice(index, index < 0 ? 0 : 1)[0]?.job ?? null;
  }

  /** Of these names nothing that waits here is started: it is handed back. */
  async pause(names: readonly string[]): Promise<void> {
    this.#paused = names;
    await this.#handBackPaused();
  }

  /** Hands everything back, and claims nothing ahead any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#timer !== null) this.#options.clock.clearTimeout(this.#timer);
    await this.#refill;
    await this.#handBack(Infinity);
  }

  async #claim(slots: number): Promise<ClaimedJob[]> {
    const { engine, clock, owner, names, limits, leaseMs } = this.#options;
    const began = clock.monotonic();
    // At the same moment as the last one it says nothing yet.
    if (began > this.#claimedAt) {
      this.#rate = mean(this.#rate, this.#ended / (began - this.#claimedAt));
      this.#ended = 0;
      this.#claimedAt = began;
    }
    const ahead = Math.max(0, this.#wanted() - this.#waiting.length);
    const jobs = await engine.claim({ owner, limit: slots, ahead, names, limits, leaseMs });
    const now = clock.monotonic();
    // Read so late (this process was not there, say) it is no hold any more: they may be another's by now, or before a first beat
    // that takes as long is stored.
    if (now - began > leaseMs / 2) {
      const given = this.#giveUp(jobs);
      if (this.#isClosed) await given;
      return [];
    }
    if (jobs.length > 0) this.#claimMs = mean(this.#claimMs, now - began);
    const claimed = jobs.map((job) => ({ job, askedAt: began }));
    this.#waiting.push(...claimed.slice(slots));
    if (this.#isClosed) await this.#handBack(Infinity);
    else this.#handBackPaused().catch((error) => this.#host.failed(error));
    this.#handBackLater();
    return claimed.slice(0, slots);
  }

  /** Those that are still this process's own go back, to be claimed again. */
  async #giveUp(jobs: readonly StoredJob[]): Promise<void> {
    try {
      await Promise.all(jobs.map((job) => this.#host.handBack(job)));
    } catch (error) {
      this.#host.failed(error);
    }
    this.#host.refilled();
  }

  #wanted(): number {
    // Where there is a rate, an attempt begins when it is claimed and not later.
    if (
      this.#isRated ||
      this.#isClosed ||
      this.#claimMs < quickMs ||
      this.#attemptMs > this.#claimMs * longAttempt
    )
      return 0;
    const ms = Math.min(Math.max(aheadMs, 3 * this.#claimMs), this.#options.keptMs / 2);
    return Math.min(mostAhead, Math.ceil(this.#rate * ms));
  }

  /** While the rest starts, more can come. */
  #isLow(): boolean {
    return this.#waiting.length < this.#wanted() * 0.75;
  }

  #refillSoon(): void {
    this.#refill ??= this.#claim(0)
      .then(
        () => this.#host.refilled(),
        (error) => {
          this.#host.failed(error);
          // The slots it was for are asked for again.
          this.#host.refilled();
        },
      )
      .finally(() => {
        this.#refill = null;
      });
  }

  /** What waits for too long goes back: where the host was not there to start it, it may be another's by now. */
  #dropStale(): void {
    const since = this.#options.clock.monotonic() - this.#options.keptMs;
    const [oldest] = this.#waiting;
    if (oldest !== undefined && oldest.askedAt <= since)
      this.#handBack(since).catch((error) => this.#host.failed(error));
  }

  #handBackLater(): void {
    const [oldest] = this.#waiting;
    if (this.#timer !== null || oldest === undefined) return;
    const { clock, keptMs } = this.#options;
    this.#timer = clock.setTimeout(
      () => {
        this.#timer = null;
        this.#dropStale();
        this.#handBackLater();
      },
      oldest.askedAt + keptMs - clock.monotonic(),
    );
  }

  /** What came before `since`. */
  #handBack(since: number): Promise<void> {
    return this.#handBackWhere(({ askedAt }) => askedAt <= since);
  }

  async #handBackPaused(): Promise<void> {
    if (this.#paused.length > 0) await this.#handBackWhere(({ job }) => this.#paused.includes(job.name));
  }

  /** Where that fails a job's lease lapses, and it is recovered. */
  async #handBackWhere(goes: (waiting: ClaimedJob) => boolean): Promise<void> {
    const going = this.#waiting.filter(goes);
    this.#waiting = this.#waiting.filter((waiting) => !goes(waiting));
    await Promise.all(going.map(({ job }) => this.#host.handBack(job)));
  }
}

function mean(before: number, now: number): number {
  return before * 0.8 + now * 0.2;
}
