// Never more attempts than the limits of a name, a key and a rate allow, over all processors; and of a key in order, the order.

import type { StoredJob } from '../../../src/engines/engine.ts';
import { isAtRest } from '../../../src/machines/states.ts';
import type { JobRecord } from '../record.ts';
import type { Witness } from '../witness.ts';

export class LimitInvariants {
  readonly #witness: Witness;
  /** By name: wall times of starts. */
  #starts = new Map<string, number[]>();
  readonly #alive = new Set<JobRecord>();

  constructor(witness: Witness) {
    this.#witness = witness;
  }

  changed(record: JobRecord, before: StoredJob | null, row: StoredJob): void {
    if (row.token === null) this.#alive.delete(record);
    else this.#alive.add(record);
    if (row.state !== 'running' || before === null || before.attempt === row.attempt) return;
    const plan = this.#witness.plan.names.find(({ name }) => name === row.name);
    if (plan?.limits.rate !== undefined) this.#began(row.name, plan.limits.rate, row.startedAt as number);
    if (plan?.limits.inOrder === true) this.#checkOrder(record, plan.limits.concurrencyPerKey ?? 1);
  }

  check(): void {
    for (const { name, limits } of this.#witness.plan.names) {
      const alive = [...this.#alive].filter(({ row }) => row.name === name);
      if (alive.length > (limits.concurrency ?? Infinity))
        this.#witness.broken(
          'the concurrency of a name holds',
          `${alive.map(({ label }) => label).join(', ')} of ${name} are alive, ${limits.concurrency} may be`,
        );
      const keyLimit = limits.concurrencyPerKey ?? 1;
      for (const { row } of alive) {
        if (row.concurrencyKey === null) continue;
        const ofKey = alive.filter((each) => each.row.concurrencyKey === row.concurrencyKey);
        if (ofKey.length > keyLimit)
          this.#witness.broken(
            'the concurrency of a key holds',
            `${ofKey.map(({ label }) => label).join(', ')} are alive, ${keyLimit} may be`,
          );
      }
    }
  }

  /** Rates count wall time: across a clock that was set there is nothing to count. */
  clockSet(): void {
    this.#starts = new Map();
  }

  /** By what is stored of it: an attempt begins a message later. */
  #began(name: string, { starts, seconds }: { starts: number; seconds: number }, now: number): void {
    const within = (this.#starts.get(name) ?? []).filter((at) => at > now - seconds * 1000);
    within.push(now);
    this.#starts.set(name, within);
    if (within.length > starts)
      this.#witness.broken('a rate holds', `${within.length} of ${name} began within ${seconds} s`);
  }

  #checkOrder(record: JobRecord, places: number): void {
    if (record.isPromoted) return;
    for (const other of this.#witness.records.values()) {
      const { row } = other;
      const isBefore =
        row.name === record.row.name &&
        row.concurrencyKey === record.row.concurrencyKey &&
        other.order < record.order;
      if (
        isBefore &&
        isAtRest(row.state) &&
        // In its pause it has one of the places; the others are free.
        (places === 1 || (row.notBefore ?? 0) <= this.#witness.wallNow) &&
        !other.isPromoted &&
        row.deadlineAt === null &&
        row.queueDueAt === null
      )
        this.#witness.broken('a key in order keeps its order', `${record.label} began before ${other.label}`);
    }
  }
}
