// The end of a simulation: nothing goes wrong any more, and everything must end. Each job, each attempt, each slot, each timer.

import { isFinal } from '../../src/machines/states.ts';
import type { Host } from './host.ts';
import { latestMs } from './network.ts';
import type { Plan } from './plan.ts';
import { slotProbe } from './slotProbe.ts';
import type { Witness } from './witness.ts';
import type { Workload } from './workload.ts';

/** All must have ended within this, s. */
const endSeconds = 3600;
const stopSeconds = 60;
/** What nothing can end has gone on by itself within this, s. */
const hangSeconds = 120;

export interface EndingHost {
  readonly plan: Plan;
  readonly witness: Witness;
  readonly workload: Workload;
  /** In the place of one that is gone comes another. */
  readonly hosts: readonly Host[];
  /** How long a host waits for an answer of its engine, ms. */
  readonly patienceMs: number;
  /** Lets time pass. */
  through(seconds: number, until?: () => boolean): Promise<void>;
  restart(node: number): void;
}

export class Ending {
  readonly #host: EndingHost;

  constructor(host: EndingHost) {
    this.#host = host;
  }

  async run(): Promise<void> {
    this.#host.witness.history.add('all is well from now on');
    await this.#allUp();
    await this.#lateIsIn();
    await this.#allOver();
    await this.#slotsFree();
    await this.#allStopped();
  }

  async #allUp(): Promise<void> {
    const { hosts, through, restart } = this.#host;
    // Faults that end with the plan are mended in it.
    await through(0.001);
    const isUp = () => hosts.every(({ isUp }) => isUp);
    await through(stopSeconds, () => {
      for (const { plan, loop } of hosts) if (loop.isDead) restart(plan.index);
      return isUp();
    });
    this.#must(isUp(), 'a stop ends', () => 'a processor that was told to stop has not');
  }

  /** What was asked while things went wrong is answered, and what was late has come: a pause, say. */
  async #lateIsIn(): Promise<void> {
    const { plan, witness, workload, patienceMs, through } = this.#host;
    await through(endSeconds, () => workload.pending === 0);
    await through(Math.max(latestMs, patienceMs) / 1000 + 5);
    for (const act of plan.acts)
      if (act.kind === 'schedule')
        workload.insist('unschedule', 0, ({ processor }) => processor.unschedule(act.key));
    for (const name of witness.paused)
      workload.insist('resume', 0, ({ processor }) => processor.resume(name));
  }

  async #allOver(): Promise<void> {
    const { plan, hosts, witness, workload, through } = this.#host;
    const left = () => [...witness.records.values()].filter(({ row }) => !isFinal(row.state));
    const isOver = () => workload.pending === 0 && left().length === 0;
    // What starts at a wall time waits for it, where the clock was set back too.
    const setBackMs = plan.faults.reduce(
      (sum, fault) => sum + (fault.kind === 'clockSet' ? Math.max(0, -fault.byMs) : 0),
      0,
    );
    await through(endSeconds + setBackMs / 1000, isOver);
    this.#must(isOver(), 'everything ends', () => {
      const jobs = left().map(({ label, row }) => `${label} is ${row.state} (attempt ${row.attempt})`);
      return `${jobs.join(', ') || 'no job'} and ${workload.pending} calls are left`;
    });
    await through(hangSeconds, () => hosts.every(({ places }) => [...places.alive()].length === 0));
  }

  async #slotsFree(): Promise<void> {
    const { plan, hosts, through } = this.#host;
    const total = plan.nodes.reduce((sum, { maxConcurrentJobs }) => sum + maxConcurrentJobs, 0);
    const probe = slotProbe.send(hosts, total);
    const isFree = () => probe.most() === total;
    await through(slotProbe.seconds, isFree);
    this.#must(isFree(), 'all slots are free at the end', () => `${probe.most()} of ${total} are`);
  }

  async #allStopped(): Promise<void> {
    const { hosts, patienceMs, through } = this.#host;
    let stopped = 0;
    for (const { processor } of hosts)
      processor.stop().then(() => {
        stopped += 1;
      });
    const areStopped = () => stopped === hosts.length;
    await through(stopSeconds, areStopped);
    this.#must(areStopped(), 'a stop ends', () => `${stopped} of ${hosts.length} stopped`);
    // A call that nobody waits for any more may be under way.
    await through(patienceMs / 1000 + 1);
    for (const { plan, loop, places } of hosts) {
      const alive = [...places.alive()].length;
      this.#must(alive + loop.pending === 0, 'a stop leaves nothing', () => {
        return `node${plan.index} leaves ${alive} attempts and ${loop.pending} timers`;
      });
    }
  }

  #must(holds: boolean, invariant: string, what: () => string): void {
    if (!holds) this.#host.witness.broken(invariant, what());
  }
}
