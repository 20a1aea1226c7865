// What a queue of jobs should do, written for these tests alone: a list, and a loop over the times at which something happens.
// It knows nothing of charts, engines or leases, only what docs/ promises.

import { isAtRest, isFinal, type JobState } from '../../src/machines/states.ts';

export const slots = 2;
export const graceMs = 2000;
export const backoffMs = 1013;
/** Of the name `limited`, alive at a time. */
const limitedTo = 1;
const placesAPoint = 1000;

export type Name = 'plain' | 'limited' | 'keyed';
/** `loop` dies by SIGTERM and hears nothing; `deaf` by SIGKILL alone; null: it hears, and does not leave by itself. */
export type Hang = 'loop' | 'deaf' | null;

/** From the request to stop to the death. */
function stopMs(hang: Hang): number {
  const [ask, terminate] = [1000, 1000];
  return hang === 'loop' ? ask : hang === 'deaf' ? ask + terminate : graceMs;
}

export interface Submitted {
  readonly name: Name;
  readonly key: string | null;
  readonly keyLimit: number;
  readonly priority: number;
  readonly maxAttempts: number;
  readonly delayMs: number;
  /** Infinity: off. */
  readonly jobMs: number;
  readonly queueMs: number;
  readonly deadlineMs: number;
}

export interface ModelJob extends Submitted {
  readonly id: string;
  state: JobState;
  attempt: number;
  jobMs: number;
  queueDueAt: number;
  deadlineAt: number;
  notBefore: number;
  rank: number;
  place: number;
  startedAt: number | null;
  endedAt: number;
  chunks: number;
  hang: Hang;
  /** What the stop is for; `job`: the attempt's own time is over, and another may follow. */
  intent: 'cancel' | 'hand' | 'deadline' | 'job' | null;
  diesAt: number;
  /** Its attempt is over, and that is not stored yet. */
  isOver: boolean;
}

export class QueueModel {
  now: number;
  jobs: ModelJob[] = [];
  readonly paused = new Set<Name>();
  /** By idempotency key. */
  readonly keys = new Map<string, string>();
  #places = 0;

  constructor(now: number) {
    this.now = now;
  }

  submit(id: string, submitted: Submitted): void {
    const { priority, queueMs, deadlineMs, delayMs } = submitted;
    const place = this.#nextPlace();
    this.jobs.push({
      ...submitted,
      ...{ id, state: 'queued', attempt: 0, place, rank: place - priority * placesAPoint },
      ...{ queueDueAt: this.now + queueMs, deadlineAt: this.now + deadlineMs },
      notBefore: delayMs === 0 ? 0 : this.now + delayMs,
      ...{ startedAt: null, endedAt: Infinity, chunks: 0, hang: null, intent: null, diesAt: Infinity },
      isOver: false,
    });
    this.#schedule();
  }

  get live(): ModelJob[] {
    return this.jobs.filter(({ state }) => state === 'running' || state === 'stopping');
  }

  end(job: ModelJob, outcome: 'completes' | 'fails'): void {
    this.#isOver(job);
    if (outcome === 'completes') this.#final(job, 'completed');
    else if (this.#mayRetry(job)) this.#retry(job);
    else this.#final(job, 'failed');
    this.#schedule();
  }

  stop(job: ModelJob, intent: 'cancel' | 'hand' | 'deadline' | 'job'): void {
    if (isFinal(job.state)) return;
    if (isAtRest(job.state)) this.#final(job, intent === 'cancel' ? 'cancelled' : 'timedOut');
    else if (job.state === 'running') {
      Object.assign(job, { state: 'stopping', intent, diesAt: this.now + stopMs(job.hang) });
      // A stop that is under way takes what is more: nothing goes above a cancel.
    } else if (job.intent !== 'cancel') job.intent = intent;
    this.#schedule();
  }

  promote(job: ModelJob): void {
    if (!isAtRest(job.state)) return;
    job.place = this.#nextPlace();
    job.rank = job.place - 2 ** 52;
    this.#schedule();
  }

  pause(name: Name, isPaused: boolean): void {
    if (isPaused) this.paused.add(name);
    else this.paused.delete(name);
    this.#schedule();
  }

  /** A place as of now: of a job that was tried again while nobody looked. */
  triedAgain(job: ModelJob): void {
    job.place = this.#nextPlace();
    job.rank = job.place - job.priority * placesAPoint;
  }

  /** The next time at which something happens by itself; Infinity: nothing does. */
  nextAt(): number {
    return Math.min(Infinity, ...this.jobs.map((job) => this.#dueAt(job)));
  }

  advanceTo(until: number): void {
    for (;;) {
      const at = this.nextAt();
      if (at > until) break;
      this.now = Math.max(this.now, at);
      for (const job of this.jobs.filter((each) => this.#dueAt(each) <= this.now)) this.#happens(job);
      this.#schedule();
    }
    this.now = until;
  }

  #dueAt({ state, queueDueAt, deadlineAt, startedAt, notBefore, jobMs, diesAt }: ModelJob): number {
    if (isFinal(state)) return Infinity;
    if (state === 'stopping') return diesAt;
    if (state === 'running') return Math.min((startedAt ?? 0) + jobMs, deadlineAt);
    const mayStart = notBefore > this.now ? notBefore : Infinity;
    return Math.min(startedAt === null ? queueDueAt : Infinity, deadlineAt, mayStart);
  }

  #happens(job: ModelJob): void {
    const isPast = job.deadlineAt <= this.now;
    if (job.state === 'stopping') this.#dies(job);
    else if (job.state === 'running') this.stop(job, isPast ? 'deadline' : 'job');
    else if (isPast || (job.startedAt === null && job.queueDueAt <= this.now)) this.#final(job, 'timedOut');
  }

  /** Its slot is free at once, and the next may have it; for the limits it counts until its end is stored. */
  #isOver(job: ModelJob): void {
    job.isOver = true;
    this.#schedule();
  }

  #dies(job: ModelJob): void {
    this.#isOver(job);
    if (job.intent === 'cancel') this.#final(job, 'cancelled');
    else if (job.intent === 'job' && this.#mayRetry(job)) this.#retry(job);
    else this.#final(job, 'timedOut');
  }

  #mayRetry({ attempt, maxAttempts, deadlineAt }: ModelJob): boolean {
    return attempt < maxAttempts && this.now + backoffMs < deadlineAt;
  }

  #retry(job: ModelJob): void {
    this.triedAgain(job);
    Object.assign(job, { state: 'retrying', notBefore: this.now + backoffMs, ...noStop });
  }

  #final(job: ModelJob, state: JobState): void {
    Object.assign(job, { state, endedAt: this.now, ...noStop });
  }

  #schedule(): void {
    while (this.live.filter(({ isOver }) => !isOver).length < slots) {
      const [next] = this.jobs
        .filter((job) => this.#mayStart(job))
        .sort((a, b) => a.rank - b.rank || a.place - b.place);
      if (next === undefined) return;
      Object.assign(next, { state: 'running', attempt: next.attempt + 1, startedAt: this.now, hang: null });
    }
  }

  #waits(job: ModelJob): boolean {
    return isAtRest(job.state) && job.notBefore <= this.now;
  }

  #mayStart(job: ModelJob): boolean {
    if (!this.#waits(job) || this.paused.has(job.name)) return false;
    const ofName = this.live.filter(({ name }) => name === job.name);
    if (job.name === 'limited' && ofName.length >= limitedTo) return false;
    if (job.key === null) return true;
    const isAhead = (other: ModelJob) =>
      other.name === job.name &&
      other.key === job.key &&
      this.#waits(other) &&
      (other.rank < job.rank || (other.rank === job.rank && other.place < job.place));
    return !this.jobs.some(isAhead) && ofName.filter(({ key }) => key === job.key).length < job.keyLimit;
  }

  #nextPlace(): number {
    this.#places += 1;
    return this.#places;
  }
}

const noStop = { intent: null, diesAt: Infinity, isOver: false };
