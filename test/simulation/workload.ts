// What the app and its people do: submit, again with the same key until it is acknowledged; wait for results; cancel, time out,
// change, pause, schedule. A call whose host died has no answer: the next try goes to another host.

import { JobCancelledError, JobFailedError, JobTimedOutError } from '../../src/index.ts';
import type { JobState } from '../../src/machines/states.ts';
import type { Job } from '../../src/runtime/job.ts';
import type { Host } from './host.ts';
import type { ActPlan, JobActPlan, Plan } from './plan.ts';
import type { JobPlan } from './planJobs.ts';
import type { Timeline } from './timeline.ts';
import type { Witness } from './witness.ts';

/** A call that has no answer after this is made again, ms. */
const unansweredMs = 40_000;
const againMs = 500;

export interface WorkloadHost {
  readonly plan: Plan;
  readonly timeline: Timeline;
  readonly witness: Witness;
  /** One that is up, this one if it is; null: none is. */
  hostFor(node: number): Host | null;
}

export class Workload {
  readonly #host: WorkloadHost;
  /** Acts that are still to be acknowledged. */
  pending = 0;

  constructor(host: WorkloadHost) {
    this.#host = host;
  }

  /** Everything at its time. */
  begin(): void {
    const { plan, timeline } = this.#host;
    for (const job of plan.jobs) timeline.in(job.at, () => this.#submit(job));
    for (const act of plan.acts) timeline.in(Math.min(act.at, plan.seconds * 1000), () => this.#act(act));
  }

  get hasSubmittedAll(): boolean {
    return this.#host.witness.submitted.size === this.#host.plan.jobs.length;
  }

  /** Until it succeeds: on this host or, where that is down, on another. */
  insist(what: string, node: number, act: (host: Host) => Promise<unknown>): Promise<void> {
    this.pending += 1;
    const { promise, resolve } = Promise.withResolvers<void>();
    const { timeline } = this.#host;
    let isDone = false;
    const attempt = (number: number) => {
      if (isDone) return;
      const host = this.#host.hostFor(node + number);
      let isAnswered = false;
      const again = (ms: number) =>
        timeline.in(ms, () => {
          if (!isAnswered || ms === againMs) attempt(number + 1);
        });
      if (host === null) {
        again(againMs);
        return;
      }
      timeline.in(unansweredMs, () => {
        if (!isAnswered) attempt(number + 1);
      });
      act(host).then(
        () => {
          isAnswered = true;
          if (!isDone) this.pending -= 1;
          isDone = true;
          resolve();
        },
        (error) => {
          isAnswered = true;
          this.#refused(what, error);
          again(againMs);
        },
      );
    };
    attempt(0);
    return promise;
  }

  #submit(job: JobPlan): void {
    const { label, name, node, chunks, settings, priority, startAfterMs, key } = job;
    const { witness } = this.#host;
    this.insist(`submit ${label}`, node, async (host) => {
      const submitted = await host.processor.submit(name as never, { label, chunks } as never, {
        ...settings,
        priority,
        idempotencyKey: label,
        ...(startAfterMs === null ? {} : { startAfter: new Date(host.loop.clock.now() + startAfterMs) }),
        ...(key === null ? {} : { concurrencyKey: key }),
      });
      if (host.loop.isDead) return;
      witness.history.add(`node${host.plan.index} submitted ${label} (${name})`);
      witness.told.submitted(label, submitted.id);
      this.#follow(submitted, host);
    });
  }

  /** Somebody waits for its end, and somebody looks at it all the time. */
  #follow(job: Job, host: Host): void {
    const { witness } = this.#host;
    const over = (state: JobState) => {
      if (!host.loop.isDead) witness.told.over(job.id, state, `result() of node${host.plan.index}`);
    };
    job.result().then(
      () => over('completed'),
      (error) => {
        if (error instanceof JobTimedOutError) over('timedOut');
        else if (error instanceof JobCancelledError) over('cancelled');
        else if (error instanceof JobFailedError) over('failed');
        else this.#refused('result', error);
      },
    );
    const look = async () => {
      for await (const status of job.updates())
        if (!host.loop.isDead) witness.told.told(status, `updates() of node${host.plan.index}`);
    };
    look().catch((error) => this.#refused('updates', error));
  }

  #act(act: ActPlan): void {
    if (act.kind === 'pause' || act.kind === 'resume') {
      const { name, kind } = act;
      this.insist(kind, act.node, ({ processor }) => processor[kind](name as never));
      return;
    }
    if (act.kind === 'schedule') {
      const { key, name, everySeconds, overlap } = act;
      const cron = `*/${everySeconds} * * * * *`;
      const input = { label: key, chunks: 1 };
      this.insist(key, act.node, ({ processor }) =>
        processor.schedule(key, { name, input, cron, overlap, jobTimeoutSeconds: 30 } as never),
      );
      return;
    }
    if (act.kind === 'unschedule') {
      this.insist(act.key, act.node, ({ processor }) => processor.unschedule(act.key));
      return;
    }
    if ('job' in act) this.#actOnJob(act);
  }

  #actOnJob(act: JobActPlan): void {
    const { witness } = this.#host;
    const id = witness.submitted.get(act.job);
    const host = this.#host.hostFor(act.node);
    if (id === undefined || host === null) return;
    const record = witness.records.get(id);
    if (record === undefined) return;
    witness.history.add(`node${host.plan.index} ${act.kind} ${act.job}`);
    if (act.kind === 'cancel') record.isCancelAsked = true;
    if (act.kind === 'timeOut') record.isTimeOutAsked = true;
    if (act.kind === 'promote') record.isPromoted = true;
    this.#actOn(act, id, host).catch((error) => this.#refused(act.kind, error));
  }

  async #actOn(act: JobActPlan, id: string, host: Host): Promise<void> {
    const { processor } = host;
    const over = ({ state }: { state: JobState }) => {
      if (!host.loop.isDead) this.#host.witness.told.over(id, state, `${act.kind} of node${host.plan.index}`);
    };
    if (act.kind === 'cancel') over(await (await processor.get(id)).cancel('by hand'));
    else if (act.kind === 'timeOut') over(await processor.timeoutJob(id));
    else if (act.kind === 'promote') await processor.startJob(id);
    else if (act.kind === 'retry') await processor.retry(id);
    else if (act.kind === 'setTimeouts') await (await processor.get(id)).setTimeouts(act.timeouts);
  }

  /** An engine that does not answer, a job that is over: told by an error of ours, which says what to do. */
  #refused(what: string, error: unknown): void {
    const { code, message } = error as { code?: string; message: string };
    if (typeof code === 'string' && code.startsWith('ERR_UNSTUCK_')) return;
    this.#host.witness.broken('what fails says why', `${what} failed with ${message}`);
  }
}
