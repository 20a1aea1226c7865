// The real queue beside the plain one (queueModel.ts): a processor that runs jobs, two that only submit and act, and an engine.

import type { StoredJob } from '../../src/engines/engine.ts';
import { defineChunkedJob } from '../../src/index.ts';
import { isFinal } from '../../src/machines/states.ts';
import type { SimulatedAttempt } from '../../src/testing/simulatedAttempt.ts';
import { SimulatedPlaces, SimulatedProcesses } from '../../src/testing/simulatedPlaces.ts';
import { Invariants } from './invariants.ts';
import { backoffMs, graceMs, type ModelJob, type QueueModel, slots } from './queueModel.ts';
import { type Order, Orders, scriptedJob } from './scriptedJob.ts';
import { type EngineName, type Host, World } from './world.ts';

/** Nothing is compared so near to a time at which something happens, ms. */
const blur = 30;

export class QueueWorld {
  readonly world: World;
  readonly invariants: Invariants;
  readonly #orders = new Orders();
  readonly #processes = new SimulatedProcesses();
  /** Not started; by the key limit of its definition. */
  readonly submitters: readonly Host[];
  host: Host<SimulatedPlaces>;
  readonly #hosts: Host<SimulatedPlaces>[] = [];
  /** What was asked for and is not answered yet; who asked in a processor that was killed waits for ever. */
  readonly #unanswered = new Map<Promise<unknown>, { here: boolean }>();

  constructor(engine: EngineName) {
    this.world = new World(engine);
    this.invariants = new Invariants(this.world.store, () => this.world.clock.now());
    this.submitters = [this.#newHost(1), this.#newHost(2)];
    this.host = this.#newHost(1);
  }

  async open(): Promise<this> {
    await this.world.open();
    await this.host.processor.start();
    await this.world.calm();
    return this;
  }

  async close(): Promise<void> {
    await this.untilNoneStops();
    await this.world.advance(2);
    const left = this.#unanswered.size;
    await this.#stop();
    if (left > 0) throw new Error(`${left} that asked for an end were not answered`);
    for (const host of this.submitters) await this.world.stop(host);
    await this.world.close();
  }

  #newHost(concurrencyPerKey: number): Host<SimulatedPlaces> {
    const { clock } = this.world;
    const places = new SimulatedPlaces({ clock, processes: this.#processes });
    const job = scriptedJob(this.#orders, 'process');
    const host = this.world.host(places, {
      jobs: {
        plain: job,
        limited: defineChunkedJob({ ...job, limits: { concurrency: 1 } }),
        keyed: defineChunkedJob({ ...job, limits: { concurrencyPerKey } }),
      },
      maxConcurrentJobs: slots,
      monitorIntervalSeconds: 60,
      graceSeconds: graceMs / 1000,
      heartbeatTimeoutSeconds: Infinity,
      progressTimeoutSeconds: Infinity,
      random: () => 0,
      retry: { backoff: { kind: 'fixed', seconds: backoffMs / 1000 } },
    });
    this.#hosts.push(host);
    return host;
  }

  /** To be answered by the end. `here`: by the processor that runs jobs. */
  asked(answer: Promise<unknown>, here: boolean): void {
    this.#unanswered.set(answer, { here });
    const forget = () => this.#unanswered.delete(answer);
    answer.then(forget, forget);
  }

  attemptOf({ id }: ModelJob): SimulatedAttempt | undefined {
    return [...this.host.places.alive].find(({ spec }) => spec.start.jobId === id);
  }

  order(job: ModelJob, order: Order): void {
    const token = this.attemptOf(job)?.spec.start.token ?? '';
    if (!this.#orders.give(token, order)) throw new Error(`the attempt of ${job.id} waits for no order`);
  }

  /** As by kill -9; another takes its place. */
  async kill(): Promise<void> {
    this.world.kill(this.host);
    for (const [answer, { here }] of this.#unanswered) if (here) this.#unanswered.delete(answer);
    this.host.places.hostGone();
    await this.#next();
  }

  async restart(): Promise<void> {
    await this.#stop();
    for await (const { id, state } of this.world.store.list({ states: ['running', 'stopping'] }))
      throw new Error(`stopped, and job ${id} is ${state}`);
    await this.#next();
  }

  async #stop(): Promise<void> {
    const stopped = this.host.processor.stop();
    await this.world.advance(15);
    await stopped;
  }

  async #next(): Promise<void> {
    this.host = this.#newHost(1);
    await this.host.processor.start();
    await this.world.calm();
  }

  /** The engine answers nobody for so long. */
  async outage(ms: number): Promise<void> {
    this.host.link.gate = () => 'fail';
    await this.world.advance(ms / 1000);
    this.host.link.gate = () => 'go';
  }

  /** Time passes for both; and some more where something is about to happen, or just has. */
  async advance(model: QueueModel, ms: number): Promise<void> {
    let until = model.now + ms + blur;
    model.advanceTo(until);
    while (model.nextAt() < until + blur) {
      until += 2 * blur;
      model.advanceTo(until);
    }
    await this.world.advance((until - this.world.clock.now()) / 1000);
  }

  async compare(model: QueueModel): Promise<void> {
    await this.world.calm();
    await this.invariants.check(
      this.#hosts.map(({ places }) => ({
        limit: slots,
        attempts: [...places.alive].map(({ spec, isolation }) => ({ ...spec.start, isolation })),
      })),
    );
    const found: Record<string, unknown> = {};
    const expected: Record<string, unknown> = {};
    for (const job of model.jobs) {
      const row = await this.row(job);
      const status = await (await this.host.processor.get(job.id)).status();
      found[job.id] = { stored: row?.state, told: status.state, attempt: row?.attempt, chunks: row?.chunks };
      expected[job.id] = { stored: job.state, told: job.state, attempt: job.attempt, chunks: job.chunks };
      // What was begun a few ms apart is so in both.
      if (job.state === 'running') job.startedAt = row?.startedAt ?? null;
      if (job.state === 'retrying') job.notBefore = row?.notBefore ?? 0;
    }
    if (JSON.stringify(found) !== JSON.stringify(expected)) {
      const differ = Object.keys(found).filter(
        (id) => JSON.stringify(found[id]) !== JSON.stringify(expected[id]),
      );
      const words = differ.map(
        (id) => `${JSON.stringify(model.jobs.find((job) => job.id === id))}: ${JSON.stringify(found[id])}`,
      );
      throw new Error(`the model says otherwise: ${words.join('; ')}`);
    }
    const alive = [...this.host.places.alive].map(({ spec }) => spec.start.jobId).sort();
    const live = model.live.map(({ id }) => id).sort();
    if (alive.join() !== live.join()) throw new Error(`alive: ${alive.join()}; expected ${live.join()}`);
  }

  /** What a crash or an outage made of the jobs is not foreseen to the second: the model goes on from there. */
  async resume(model: QueueModel): Promise<void> {
    await this.world.calm();
    model.now = this.world.clock.now();
    const tried: { job: ModelJob; at: number }[] = [];
    for (const job of model.jobs) {
      const row = await this.row(job);
      if (row === null) throw new Error(`job ${job.id} is lost`);
      if (isFinal(job.state) && job.state !== row.state)
        throw new Error(`job ${job.id} was ${job.state}, and is ${row.state}`);
      const retried = row.history.filter(({ state }) => state === 'retrying');
      const seen = this.invariants.checkedBefore(job.id);
      for (const { at } of retried.slice(seen.filter(({ state }) => state === 'retrying').length))
        tried.push({ job, at });
      const attempt = this.attemptOf(job);
      Object.assign(job, {
        ...{ state: row.state, attempt: row.attempt, startedAt: row.startedAt, chunks: row.chunks },
        ...{ notBefore: row.notBefore ?? 0, endedAt: row.endedAt ?? Infinity },
        hang: attempt?.hangs ?? null,
      });
    }
    for (const { job } of tried.sort((a, b) => a.at - b.at)) model.triedAgain(job);
  }

  row({ id }: ModelJob): Promise<StoredJob | null> {
    return this.world.store.get(id);
  }

  /** No attempt is being stopped: the model does not know since when. */
  async untilNoneStops(): Promise<void> {
    for (let seconds = 0; (await this.world.store.count(['stopping'])) > 0; seconds += 1) {
      if (seconds > 60) throw new Error('a stop does not end');
      await this.world.advance(1);
    }
  }
}
