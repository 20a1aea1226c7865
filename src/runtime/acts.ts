// What people and the monitor do to a job, wherever it is: at rest it takes one step of its chart and the step
// is stored; alive here its actor is told; alive elsewhere the intent is stored for its owner to see.

import type { Logger } from 'pino';
import type { Places } from '../actors/attempt.ts';
import { toFailure } from '../actors/isolation/protocol.ts';
import type { Clock } from '../engines/clock.ts';
import {
  type Engine,
  type NewJob,
  StaleAttemptError,
  type StoredJob,
  type Timeouts,
} from '../engines/engine.ts';
import type { JobEvent } from '../machines/jobMessages.ts';
import { isAtRest, isFinal, type TimeoutKind } from '../machines/states.ts';
import { notBegun, type Verdict, verdictOfCrash, verdictOfEnd, verdictOfStop } from '../machines/verdict.ts';
import { chartInput, stepAtRest } from './chartInput.ts';
import { InputError } from './errors.ts';
import { type JobAccess, storedJob, untilStored } from './job.ts';
import type { JobObserver } from './jobObserver.ts';
import type { LiveJobs } from './liveJobs.ts';
import { logFound, logNotTimedOut, logTimedOut, logTransition } from './logLines.ts';
import type { Traces } from './telemetry/traces.ts';

/** How long whoever takes a job over has to end what is left of its attempt, ms; then another may try. */
const adoptedMs = 60_000;

export interface ActsHost extends Pick<JobAccess, 'engine' | 'watch'> {
  readonly clock: Clock;
  /** 0 to 1: see `chance` of the chart's input. */
  random(): number;
  readonly logger: Logger;
  readonly live: LiveJobs;
  readonly places: Places;
  traces(): Traces;
  readonly observer: JobObserver;
  /** Names this processor as an owner. */
  readonly owner: string;
  /** Whether this job's code runs inside its host, inline or in a thread. */
  runsInHost(name: string): boolean;
  settled(job: StoredJob): void;
  /** Jobs to be stored with this end of an attempt, or of a job at rest. */
  followUps(job: StoredJob, verdict: Verdict): readonly NewJob[];
  /** Lets go of a job that was claimed here and has not been started. */
  release(id: string): Promise<void>;
}

export class Acts {
  readonly #host: ActsHost;

  constructor(host: ActsHost) {
    this.#host = host;
  }

  cancel(id: string, reason: string | null): Promise<StoredJob> {
    return this.#untilFinal(id, () => ({ type: 'job.cancel', reason }));
  }

  /** The one door of every timeout that is not a chart's own timer. */
  async timeOutByHand(id: string): Promise<StoredJob> {
    try {
      return await this.#untilFinal(id, (job) => ({
        type: 'job.timeOut',
        kind: isAtRest(job.state) ? 'queue' : 'job',
        by: 'hand',
      }));
    } catch (error) {
      logNotTimedOut(this.#host.logger, id, (error as Error).message);
      throw error;
    }
  }

  async setTimeouts(id: string, timeouts: Partial<Timeouts>): Promise<StoredJob> {
    const { live, logger } = this.#host;
    const job = await (await this.#host.engine()).setTimeouts(id, timeouts);
    if (isFinal(job.state))
      throw new InputError(`job ${id}: expected one that is not over, got ${job.state}. Submit it again.`);
    logger.info({ jobId: id, job: job.name, timeouts }, `timeouts of job ${id} changed`);
    live.retime(job);
    return job;
  }

  /** Ends what the monitor found; does not wait for the proof. */
  async timeOutFound(id: string, kind: TimeoutKind): Promise<void> {
    try {
      await this.#tell(await storedJob(await this.#host.engine(), id), {
        type: 'job.timeOut',
        kind,
        by: 'monitor',
      });
    } catch (error) {
      // Gone on by itself meanwhile: it is not stuck.
      if (!(error instanceof StaleAttemptError))
        logNotTimedOut(this.#host.logger, id, (error as Error).message);
    }
  }

  /**
   * A job whose owner is gone goes back to the queue, or where it was being sent; once nothing of its attempt runs on
   * this machine any more.
   */
  async recover(job: StoredJob): Promise<void> {
    const { logger, places } = this.#host;
    const engine = await this.#host.engine();
    // First of all its writes are refused: an owner that lives after all must not settle what is done to it here.
    const token = await engine.adopt(job.id, job.token as string, this.#host.owner, adoptedMs);
    logger.warn({ jobId: job.id, owner: job.owner }, `job ${job.id} lost its owner`);
    if (job.group !== null) await places.endGroup(job.group);
    const settled = await this.#settle(job, token, this.#verdictOfLoss(job));
    if (mayHaveBegun(job) && job.owner !== this.#host.owner) this.#host.traces().recovered(job, settled);
  }

  /** A job that was claimed here and has not been started goes back to the queue, or where it was being sent. */
  async handBack({ id, token }: StoredJob): Promise<void> {
    const job = await storedJob(await this.#host.engine(), id);
    if (job.token !== token) return;
    try {
      await this.#settle(job, token, this.#verdictOfIntent(job) ?? notBegun);
    } catch (error) {
      if (!(error instanceof StaleAttemptError)) throw error;
    }
  }

  #verdictOfLoss(job: StoredJob): Verdict {
    const asked = this.#verdictOfIntent(job);
    if (asked !== null) return asked;
    // Of this very processor, and not alive in it: its claim was stored, and the answer lost.
    const neverBegan = job.claimedAhead || job.owner === this.#host.owner;
    const mayBeTheCause = this.#host.runsInHost(job.name) && !neverBegan;
    const verdict = verdictOfCrash(mayBeTheCause ? job.crashes + 1 : null, job.settings.maxCrashes);
    return neverBegan ? { ...verdict, neverBegan } : verdict;
  }

  /** What was asked of a job meanwhile is carried out, now that nothing of it runs. */
  #verdictOfIntent(job: StoredJob): Verdict | null {
    if (job.intent === null || job.intent.kind === 'handBack') return null;
    const now = this.#host.clock.now();
    return verdictOfStop(chartInput(job, now, false, 0), null, job.intent, { kind: 'stopped' }, now);
  }

  /** A job whose attempt could not even begin. */
  async fail(job: StoredJob, error: unknown): Promise<void> {
    const { clock, random } = this.#host;
    const outcome = { kind: 'failed', failure: toFailure(error) } as const;
    const facts = chartInput(job, clock.now(), false, random());
    await this.#settle(job, job.token, verdictOfEnd(facts, outcome, clock.now()));
  }

  async #untilFinal(id: string, eventFor: (job: StoredJob) => JobEvent): Promise<StoredJob> {
    for (;;) {
      await this.#host.release(id);
      const job = await storedJob(await this.#host.engine(), id);
      if (isFinal(job.state)) return job;
      try {
        await this.#tell(job, eventFor(job));
      } catch (error) {
        if (error instanceof StaleAttemptError) continue;
        throw error;
      }
      const next = await untilStored(
        this.#host,
        id,
        ({ state, token }) => isFinal(state) || token !== job.token || isAtRest(state),
      );
      if (isFinal(next.state)) return next;
    }
  }

  async #tell(job: StoredJob, event: JobEvent): Promise<void> {
    const { live, clock, logger } = this.#host;
    if (isAtRest(job.state)) {
      const verdict = stepAtRest(job, event, clock.now());
      if (verdict === null) return;
      if (event.type === 'job.timeOut' && event.by !== 'monitor') logFound(logger, 1);
      await this.#settle(job, null, verdict);
      if (event.type === 'job.timeOut') {
        logTimedOut(logger, job.id);
        this.#host.observer.timeoutFound(job.name, event.kind, event.by);
      }
      return;
    }
    if (isFinal(job.state) || live.tell(job, event)) return;
    const engine = await this.#host.engine();
    if (event.type === 'job.cancel')
      await engine.recordIntent(job.id, null, { kind: 'cancel', reason: event.reason });
    else if (event.type === 'job.timeOut') {
      await engine.recordIntent(job.id, null, { kind: 'timeout', timeout: event.kind, by: event.by });
    }
  }

  async #settle(job: StoredJob, token: string | null, verdict: Verdict): Promise<StoredJob> {
    let { intent } = job;
    const engine: Engine = await this.#host.engine();
    const settle = (as: Verdict) => engine.settle(job.id, token, as, this.#host.followUps(job, as));
    const settled = await settle(verdict).catch((error) => {
      // Told to end since it was read.
      if (!(error instanceof StaleAttemptError) || error.intent === null) throw error;
      intent = error.intent;
      return settle(this.#verdictOfIntent({ ...job, intent: error.intent }) as Verdict);
    });
    // Asked for while nobody was there to carry it out: found, and ended, here.
    if (token !== null && intent?.kind === 'timeout') {
      logFound(this.#host.logger, 1);
      logTimedOut(this.#host.logger, job.id);
      this.#host.observer.timeoutFound(job.name, intent.timeout, intent.by);
    }
    logTransition(this.#host.logger.child({ jobId: job.id, job: job.name, attempt: job.attempt }), settled);
    this.#host.observer.settled(settled);
    this.#host.settled(settled);
    return settled;
  }
}

/** Claimed ahead of a slot, it waited for that: processes show that it began. */
function mayHaveBegun({ claimedAhead, group }: StoredJob): boolean {
  return !claimedAhead || group !== null;
}
