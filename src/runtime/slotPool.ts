// Some slots and the jobs that may have them: the supervisor that counts and claims, what is claimed ahead, and the rates
// that say when to claim again. A processor has one for its jobs, and one for its deliveries, which must go out when every
// slot is held by a job that hangs.

import { type AnyActorRef, createActor, fromPromise } from 'xstate';
import { ClaimAhead, type ClaimedJob } from '../actors/claimAhead.ts';
import type { Clock } from '../engines/clock.ts';
import type { Engine, NameLimits, StoredJob } from '../engines/engine.ts';
import { supervisorMachine } from '../machines/supervisor.ts';

const mostStartsInTurn = 50;
/** Of jobs that wait here. */
const startsATurn = 8;

export interface SlotPoolOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  /** For people: of its supervisor. */
  readonly title: string;
  readonly owner: string;
  readonly names: readonly string[];
  /** Of those names that have limits. */
  readonly limits: Readonly<Record<string, NameLimits>>;
  /** Slots. */
  readonly limit: number;
  readonly leaseMs: number;
  /** How long a job that was claimed ahead may wait, ms. */
  readonly keptMs: number;
}

export interface SlotPoolHost {
  /** Begins its attempt; throws where that cannot be. */
  start(claimed: ClaimedJob): void;
  /** It could not be started. Never rejects. */
  unstartable(job: StoredJob, error: unknown): Promise<void>;
  handBack(job: StoredJob): Promise<void>;
  /** A slot came free, or a claim came back. */
  settled(): void;
  engineAnswered(): void;
  engineFailed(error: unknown): void;
}

export class SlotPool {
  readonly #options: SlotPoolOptions;
  readonly #host: SlotPoolHost;
  readonly #supervisor;
  readonly #ahead: ClaimAhead;
  readonly #areLimited: boolean;
  /** Slots on their way from one attempt to the next. */
  #passing = 0;
  #startsInTurn = 0;
  #rateTimer: unknown = null;
  #draining: Promise<void> | null = null;
  #isStopped = false;

  constructor(options: SlotPoolOptions, host: SlotPoolHost) {
    this.#options = options;
    this.#host = host;
    const { engine, clock, owner, names, limits, limit, leaseMs, keptMs } = options;
    this.#areLimited = Object.values(limits).some(({ concurrency }) => concurrency !== Infinity);
    this.#ahead = new ClaimAhead(
      { engine, clock, owner, names, limits, leaseMs, keptMs },
      { refilled: () => this.wake(), handBack: host.handBack, failed: host.engineFailed },
    );
    const claimJobs = fromPromise<number, { slots: number }>(async ({ input: { slots } }) => {
      // A chain of claims, starts and ends that waits for nothing would not let the host's loop turn.
      if (this.#startsInTurn >= mostStartsInTurn) await new Promise(setImmediate);
      const jobs = await this.#ahead.claim(slots).catch((error) => {
        host.engineFailed(error);
        throw error;
      });
      host.engineAnswered();
      for (const claimed of jobs) await this.#start(claimed);
      // Not waited for: these jobs have begun, whatever becomes of it.
      if (jobs.length < slots) this.#wakeForRates().catch(host.engineFailed);
      return jobs.length;
    });
    this.#supervisor = createActor(supervisorMachine.provide({ actors: { claimJobs } }), {
      input: { limit },
      clock,
    });
    // A claim that was under way when draining began may be all that a drain still waits for.
    this.#supervisor.subscribe(() => host.settled());
  }

  get names(): readonly string[] {
    return this.#options.names;
  }

  get title(): string {
    return this.#options.title;
  }

  get supervisor(): AnyActorRef {
    return this.#supervisor;
  }

  /** The end of a job may let another one of it start. */
  get areLimited(): boolean {
    return this.#areLimited;
  }

  start(): void {
    this.#supervisor.start();
  }

  /** Work may be there. */
  wake(): void {
    if (this.#supervisor.getSnapshot().status === 'active') this.#supervisor.send({ type: 'work.available' });
  }

  /** Claimed here, and not started. */
  has(id: string): boolean {
    return this.#ahead.has(id);
  }

  /** The same; it does no more here. */
  take(id: string): StoredJob | null {
    return this.#ahead.take(id);
  }

  /** Of these names nothing is started that was claimed ahead. */
  pause(names: readonly string[]): Promise<void> {
    return this.#ahead.pause(names);
  }

  /** After an attempt of so many ms. */
  slotFreed(ms: number): void {
    this.#ahead.attemptTook(ms);
    this.#passSlot();
  }

  /** Claims nothing more; resolves when what was claimed ahead is handed back. */
  drain(): Promise<void> {
    this.#draining ??= this.#drain();
    return this.#draining;
  }

  async #drain(): Promise<void> {
    if (this.#supervisor.getSnapshot().status === 'active')
      this.#supervisor.send({ type: 'processor.drain' });
    await this.#ahead.close().catch(this.#host.engineFailed);
  }

  /** What the claim brings that was under way when draining began still runs. */
  get isClaiming(): boolean {
    return this.#supervisor.getSnapshot().matches({ claiming: 'closing' });
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#rateTimer !== null) this.#options.clock.clearTimeout(this.#rateTimer);
    this.#supervisor.stop();
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
      const claimed = this.#draining === null ? this.#ahead.next() : null;
      if (claimed === null) this.#freeSlot();
      else this.#start(claimed);
    }
  }

  #freeSlot(): void {
    if (this.#supervisor.getSnapshot().status === 'active') this.#supervisor.send({ type: 'slot.freed' });
    this.#host.settled();
  }

  /** One that cannot be started has failed, and does not take the others of its claim with it. */
  async #start(claimed: ClaimedJob): Promise<void> {
    this.#startsInTurn += 1;
    if (this.#startsInTurn === 1)
      setImmediate(() => {
        this.#startsInTurn = 0;
      });
    try {
      this.#host.start(claimed);
    } catch (error) {
      await this.#host.unstartable(claimed.job, error);
      queueMicrotask(() => this.#passSlot());
    }
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
      this.wake();
    };
    this.#rateTimer = at === null ? null : clock.setTimeout(wake, Math.max(1, at - clock.now()));
  }
}
