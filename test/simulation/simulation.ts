// Runs a plan to its end, step by step, and says what came of it. While the plan lasts things go wrong; then all is mended, and
// everything must end: each job, each attempt, each slot, each timer.

import type { Engine } from '../../src/engines/engine.ts';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { SimulatedProcesses } from '../../src/testing/simulatedPlaces.ts';
import { Behaviour } from './behaviour.ts';
import { Ending } from './ending.ts';
import { Faults } from './faults.ts';
import { History } from './history.ts';
import { type Alterations, Host } from './host.ts';
import { Life, type Wall } from './life.ts';
import { MemoryStore } from './memoryStore.ts';
import { Network } from './network.ts';
import type { Plan } from './plan.ts';
import { PostgresStore } from './postgresStore.ts';
import { slotProbe } from './slotProbe.ts';
import { SqliteStore } from './sqliteStore.ts';
import type { Store } from './store.ts';
import { beginning, Timeline } from './timeline.ts';
import { type Violation, Witness } from './witness.ts';
import { Workload } from './workload.ts';

export interface Outcome {
  readonly seed: number;
  readonly violation: Violation | null;
  readonly steps: number;
  /** By kind, how often. */
  readonly faults: Readonly<Record<string, number>>;
  readonly history: readonly string[];
}

/** How long a host waits for an answer of its engine, ms. */
const patiencesMs = [3000, 10_000, 30_000];
/** Of a whole history, and for each second of it: four processors that sweep every 2 s take some 100. */
const mostSteps = 200_000;
const mostStepsASecond = 200;

export async function simulate(plan: Plan, altered: Alterations = {}): Promise<Outcome> {
  const simulation = new Simulation(plan, altered);
  return simulation.run();
}

class Simulation {
  readonly #plan: Plan;
  readonly #altered: Alterations;
  readonly #timeline = new Timeline();
  readonly #wall: Wall = { offset: Date.UTC(2026, 0, 1) };
  readonly #history = new History(() => this.#timeline.now);
  readonly #network: Network;
  readonly #witness: Witness;
  readonly #machine: Life;
  /** By machine: of all nodes, or of each one. */
  readonly #processes = new Map<string, SimulatedProcesses>();
  readonly #behaviour: Behaviour;
  readonly #definitions;
  readonly #workload: Workload;
  readonly #hosts: Host[] = [];
  readonly #starting = new Set<Promise<void>>();
  readonly #faults: Record<string, number> = {};
  #store: Store | null = null;
  #isCalm = false;

  constructor(plan: Plan, altered: Alterations) {
    this.#plan = plan;
    this.#altered = altered;
    this.#network = new Network(plan.seed, plan.nodes.length);
    this.#witness = new Witness(plan, this.#timeline, this.#wall, this.#history);
    this.#machine = new Life(this.#timeline, this.#wall);
    this.#behaviour = new Behaviour({
      ...{ seed: plan.seed, jobs: plan.jobs },
      isCalm: () => this.#isCalm,
      happened: (fault, attempt) => {
        this.#happened(fault);
        const { jobId, attempt: number } = attempt.spec.start;
        this.#history.add(`${fault}: ${this.#history.labelOf(jobId)} attempt ${number}`);
      },
    });
    this.#definitions = { ...this.#behaviour.definitions(plan.names), ...slotProbe.definitions };
    this.#workload = new Workload({
      ...{ plan, timeline: this.#timeline, witness: this.#witness },
      hostFor: (node) => this.#hostFor(node),
    });
  }

  async run(): Promise<Outcome> {
    const thrown = (error: unknown) =>
      this.#witness.broken('nothing is thrown that nobody hears', String((error as Error)?.stack ?? error));
    process.on('unhandledRejection', thrown);
    this.#timeline.seize();
    try {
      await this.#begin();
      await this.#through(this.#plan.seconds);
      this.#isCalm = true;
      await new Ending({
        ...{ plan: this.#plan, witness: this.#witness, workload: this.#workload, hosts: this.#hosts },
        patienceMs: Math.max(...patiencesMs),
        through: (seconds, until) => this.#through(seconds, until),
        restart: (node) => this.#restart(node),
      }).run();
    } catch (error) {
      thrown(error);
    } finally {
      await this.#timeline.turn();
      this.#timeline.release();
      await this.#store?.close();
      process.off('unhandledRejection', thrown);
    }
    return {
      seed: this.#plan.seed,
      violation: this.#witness.violation,
      steps: this.#timeline.steps,
      faults: this.#faults,
      history: this.#history.lines,
    };
  }

  async #begin(): Promise<void> {
    this.#store = await this.#openStore();
    this.#witness.store = this.#store;
    for (const { index } of this.#plan.nodes) {
      this.#restart(index);
      await this.#allStarted();
    }
    this.#workload.begin();
    new Faults({
      ...{ timeline: this.#timeline, network: this.#network, wall: this.#wall, witness: this.#witness },
      hostAt: (node) => this.#hosts[node] as Host,
      restart: (node) => this.#restart(node),
      happened: (fault) => this.#happened(fault),
    }).begin(this.#plan.faults);
    const pulse = () => {
      this.#witness.pulse(this.#hosts);
      this.#timeline.in(1000, pulse);
    };
    pulse();
  }

  async #openStore(): Promise<Store> {
    const parts = { timeline: this.#timeline, network: this.#network, witness: this.#witness };
    if (this.#plan.engine === 'sqlite') return new SqliteStore({ ...parts, seed: this.#plan.seed });
    if (this.#plan.engine === 'postgres')
      return PostgresStore.open({
        ...{ ...parts, seed: this.#plan.seed, clock: this.#machine.clock },
        altered: (engine) => this.#altered.engine?.(engine) ?? engine,
        failed: (error) => this.#witness.broken('the server carries out what it is asked', error.message),
      });
    const memory: Engine = new MemoryEngine();
    const engine = this.#altered.engine?.(memory) ?? memory;
    return new MemoryStore({ ...parts, engine, clock: this.#machine.clock });
  }

  #processesOf(node: number): SimulatedProcesses {
    const machine = this.#plan.spansMachines ? `machine ${node}` : 'machine';
    const processes = this.#processes.get(machine) ?? new SimulatedProcesses(machine);
    this.#processes.set(machine, processes);
    return processes;
  }

  /** Within the step that begins it. */
  #restart(node: number): void {
    const before = this.#hosts[node];
    if (before !== undefined && !before.loop.isDead) return;
    const { seed } = this.#plan;
    const host = new Host({
      ...{ seed, plan: this.#plan.nodes[node] as Plan['nodes'][number] },
      ...{ timeline: this.#timeline, wall: this.#wall, network: this.#network, machine: this.#machine },
      ...{ store: this.#store as Store, processes: this.#processesOf(node), behaviour: this.#behaviour },
      ...{ definitions: this.#definitions, witness: this.#witness, altered: this.#altered },
      patienceMs: patiencesMs[seed % 3] as number,
      spansMachines: this.#plan.spansMachines,
      happened: (fault) => this.#happened(fault),
    });
    this.#hosts[node] = host;
    if (before !== undefined) this.#history.add(`node${node} is started again`);
    this.#starting.add(this.#started(host));
  }

  async #started(host: Host): Promise<void> {
    let isStarted = false;
    const started = host.processor.start().finally(() => {
      isStarted = true;
    });
    // What it loads comes by the real event loop; nothing simulated happens meanwhile.
    while (!isStarted) await this.#timeline.turn();
    await started;
  }

  async #allStarted(): Promise<void> {
    if (this.#starting.size === 0) return;
    const starting = [...this.#starting];
    this.#starting.clear();
    await Promise.all(starting);
    await this.#timeline.settle();
  }

  /** Steps until then, as long as nothing is broken. */
  async #through(seconds: number, until: () => boolean = () => false): Promise<void> {
    const end = this.#timeline.now + seconds * 1000;
    // What was begun outside of a step.
    await this.#timeline.settle();
    while (this.#witness.violation === null && !until() && (await this.#timeline.step(end))) {
      await this.#allStarted();
      await this.#witness.check();
      if (this.#timeline.steps % 1000 === 0) await this.#timeline.turn();
      const elapsedSeconds = (this.#timeline.now - beginning) / 1000;
      if (this.#timeline.steps > mostSteps + mostStepsASecond * elapsedSeconds)
        this.#witness.broken('it does not run in circles', `${this.#timeline.steps} steps`);
    }
  }

  #hostFor(node: number): Host | null {
    const count = this.#hosts.length;
    for (let offset = 0; offset < count; offset += 1) {
      const host = this.#hosts[(node + offset) % count];
      if (host?.isUp === true) return host;
    }
    return null;
  }

  #happened(fault: string): void {
    this.#faults[fault] = (this.#faults[fault] ?? 0) + 1;
  }
}
