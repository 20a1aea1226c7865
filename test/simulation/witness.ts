// Sees everything that is stored, told and run, and holds it against the invariants (invariants/*.ts) after every step. The first
// that is broken ends the simulation.

import type { StoredJob } from '../../src/engines/engine.ts';
import type { SimulatedAttempt } from '../../src/testing/simulatedAttempt.ts';
import type { History } from './history.ts';
import type { Host } from './host.ts';
import { AttemptInvariants } from './invariants/attempts.ts';
import { EndInvariants } from './invariants/ends.ts';
import { LimitInvariants } from './invariants/limits.ts';
import { RowInvariants } from './invariants/rows.ts';
import { StartInvariants } from './invariants/starts.ts';
import { TickInvariants } from './invariants/ticks.ts';
import { ToldInvariants } from './invariants/told.ts';
import { WriteInvariants } from './invariants/writes.ts';
import type { Wall } from './life.ts';
import type { Plan } from './plan.ts';
import { JobRecord } from './record.ts';
import type { Store, StoreWitness } from './store.ts';
import type { Timeline } from './timeline.ts';

/** An invariant that was broken: its name, and what was seen. */
export interface Violation {
  readonly invariant: string;
  readonly what: string;
}

/** What the engine answered to a call. */
export type Answered = { readonly value: unknown } | { readonly error: unknown };

/** A run of code, as the witness follows it. */
export interface SeenAttempt {
  readonly attempt: SimulatedAttempt;
  readonly host: Host;
  readonly record: JobRecord;
  /** Monotonic ms. */
  readonly launchedAt: number;
  /** Its last sign of life left it; and the last one that its host must have heard, was it not paused. */
  signAt: number;
  heardAt: number;
  /** Its last chunk was acknowledged. */
  progressAt: number;
  /** Since when it can be ended. */
  killableSince: number;
}

/** Longer than a message of an attempt is on its way. */
const transitMs = 25;

export class Witness implements StoreWitness {
  readonly plan: Plan;
  readonly timeline: Timeline;
  readonly wall: Wall;
  readonly history: History;
  readonly records = new Map<string, JobRecord>();
  /** By label, of what was submitted by the plan. */
  readonly submitted = new Map<string, string>();
  readonly attempts = new Map<SimulatedAttempt, SeenAttempt>();
  readonly paused = new Set<string>();
  violation: Violation | null = null;
  /** Since when nothing is wrong; Infinity: something is. Monotonic ms. */
  calmSince = 0;
  store: Store | null = null;
  readonly #rows: RowInvariants;
  readonly #limits: LimitInvariants;
  readonly #writes: WriteInvariants;
  readonly #ticks: TickInvariants;
  readonly #attempts: AttemptInvariants;
  readonly #ends: EndInvariants;
  readonly #starts: StartInvariants;
  readonly told: ToldInvariants;
  #changed = new Set<string>();
  #others = 0;

  constructor(plan: Plan, timeline: Timeline, wall: Wall, history: History) {
    this.plan = plan;
    this.timeline = timeline;
    this.wall = wall;
    this.history = history;
    this.#rows = new RowInvariants(this);
    this.#limits = new LimitInvariants(this);
    this.#writes = new WriteInvariants(this);
    this.#ticks = new TickInvariants(this);
    this.#attempts = new AttemptInvariants(this);
    this.#ends = new EndInvariants(this);
    this.#starts = new StartInvariants(this);
    this.told = new ToldInvariants(this);
  }

  get wallNow(): number {
    return this.timeline.now + this.wall.offset;
  }

  broken(invariant: string, what: string): void {
    if (this.violation !== null) return;
    this.violation = { invariant, what };
    this.history.add(`VIOLATION ${invariant}: ${what}`);
  }

  changed(id: string): void {
    this.#changed.add(id);
  }

  answered(method: string, args: readonly unknown[], answer: Answered): void {
    this.#writes.answered(method, args, answer);
    this.#ticks.answered(method, args, answer);
    if (method === 'setPaused' && 'value' in answer) {
      if (args[1] === true) this.paused.add(args[0] as string);
      else this.paused.delete(args[0] as string);
      this.history.add(`${args[0]} is ${args[1] === true ? 'paused' : 'resumed'}`);
    }
  }

  /** After each step. */
  async check(): Promise<void> {
    while (this.#changed.size > 0) {
      const changed = this.#changed;
      this.#changed = new Set();
      for (const id of changed) {
        const row = await (this.store as Store).get(id);
        if (row !== null) await this.#see(row);
      }
      this.#limits.check();
    }
  }

  async #see(row: StoredJob): Promise<void> {
    const known = this.records.get(row.id);
    const record = known ?? this.#met(row);
    const before = known === undefined ? null : known.row;
    for (const entry of row.history.slice(before?.history.length ?? 0)) {
      const why = [entry.timeout, entry.reason].filter((each) => each !== undefined).join(', ');
      this.history.add(
        `${record.label} ${entry.state}, attempt ${entry.attempt}${why === '' ? '' : ` (${why})`}`,
      );
    }
    if (before !== null && row.chunks !== before.chunks)
      this.history.add(`${record.label} chunk ${row.chunks} stored`);
    await this.#rows.check(record, before, row);
    this.#limits.changed(record, before, row);
    record.seen(row);
  }

  #met(row: StoredJob): JobRecord {
    const { label: given } = JSON.parse(row.input) as { label: string };
    const planned = this.plan.jobs.find(({ label }) => given === label && row.retryOf === null);
    if (planned !== undefined && [...this.records.values()].some(({ label }) => label === planned.label))
      this.broken('one key, one job', `${planned.label} is stored twice`);
    this.#others += planned === undefined ? 1 : 0;
    const label = planned?.label ?? `other${this.#others} (${row.name})`;
    this.history.name(row.id, label);
    const record = new JobRecord(row, label, this.records.size, this.wallNow);
    this.records.set(row.id, record);
    return record;
  }

  /** The wall clock is about to be set. */
  clockSet(): void {
    for (const record of this.records.values()) record.wallHigh = Math.max(record.wallHigh, this.wallNow);
    this.#limits.clockSet();
  }

  launched(attempt: SimulatedAttempt, host: Host): void {
    this.#attempts.launched(attempt, host);
  }

  reached(attempt: SimulatedAttempt, point: string): void {
    this.#attempts.reached(attempt, point);
  }

  /** An attempt has said something. */
  signed(attempt: SimulatedAttempt): void {
    const seen = this.attempts.get(attempt);
    if (seen === undefined || !attempt.isAlive) return;
    const { now } = this.timeline;
    seen.signAt = now;
    this.timeline.in(transitMs, () => {
      seen.heardAt = Math.max(seen.heardAt, now);
    });
  }

  /** Each second. */
  pulse(hosts: readonly Host[]): void {
    this.#attempts.pulse();
    this.#ends.pulse();
    this.#starts.pulse(hosts);
  }
}
