// Nothing that may start waits for nothing: while all is well, a job with no limits that is at rest is started as soon as a slot is
// free; and one whose attempt is gone is taken up again.

import { stopBudgetMs } from '../../../src/machines/ladder.ts';
import { isAtRest } from '../../../src/machines/states.ts';
import type { Host } from '../host.ts';
import type { JobRecord } from '../record.ts';
import type { Witness } from '../witness.ts';

/** What was late when things went wrong has come by then, ms. */
const lateMs = 35_000;
/** A claim that failed is made again after 1 s, what was claimed ahead is handed back after 1 s. */
const startMs = 5000;
/** A lease, a look for those that lapsed, and the adoption of one who died before it had ended what it adopted. ms */
const takeOverMs = 15_000 + 6000 + 60_000;

export class StartInvariants {
  readonly #witness: Witness;
  /** Since when a host has a free slot, and a job may start or is alive without an attempt, ms. */
  readonly #free = new Map<Host, number>();
  readonly #waits = new Map<JobRecord, number>();
  readonly #orphans = new Map<JobRecord, number>();

  constructor(witness: Witness) {
    this.#witness = witness;
  }

  pulse(hosts: readonly Host[]): void {
    const { records, timeline, calmSince } = this.#witness;
    const { now } = timeline;
    for (const host of hosts) {
      const isFree = host.isUp && [...host.places.alive()].length < host.plan.maxConcurrentJobs;
      if (!isFree) this.#free.delete(host);
      else if (!this.#free.has(host)) this.#free.set(host, now);
    }
    const freeSince = Math.min(Infinity, ...hosts.map((host) => this.#free.get(host) ?? Infinity));
    const alive = new Set<JobRecord>();
    for (const { attempt, record } of this.#witness.attempts.values()) if (attempt.isAlive) alive.add(record);
    for (const record of records.values()) {
      const waitsSince = since(this.#waits, record, this.#mayStart(record), now);
      const waited = now - Math.max(waitsSince, freeSince, calmSince + lateMs);
      if (waited > startMs)
        this.#witness.broken(
          'what may start is started',
          `${record.label} waits for ${(waited / 1000).toFixed(1)} s, and a slot is free`,
        );
      const isOrphan = record.row.token !== null && !alive.has(record);
      const orphanedSince = since(this.#orphans, record, isOrphan, now);
      const left = now - Math.max(orphanedSince, calmSince + lateMs);
      if (left > takeOverMs + stopBudgetMs(record.row.settings.graceSeconds * 1000))
        this.#witness.broken(
          'what was lost is taken up again',
          `${record.label} is ${record.row.state}, and nothing of it runs for ${(left / 1000).toFixed(0)} s`,
        );
    }
  }

  #mayStart({ row }: JobRecord): boolean {
    const { plan, paused, wallNow } = this.#witness;
    if (!isAtRest(row.state) || paused.has(row.name)) return false;
    if (row.notBefore !== null && row.notBefore > wallNow) return false;
    const limits = plan.names.find(({ name }) => name === row.name)?.limits ?? {};
    return Object.keys(limits).length === 0;
  }
}

/** Since when it is so; Infinity: it is not. */
function since(from: Map<JobRecord, number>, record: JobRecord, isSo: boolean, now: number): number {
  if (!isSo) from.delete(record);
  else if (!from.has(record)) from.set(record, now);
  return from.get(record) ?? Infinity;
}
