// Every job with a deadline is over by then, and one that waits too long by its queue timeout: while all is well with a processor and its engine, else within one sweep of both being
// back.

import { dueAtRest } from '../../../src/engines/jobFacts.ts';
import { stopBudgetMs } from '../../../src/machines/ladder.ts';
import { isAtRest, isFinal } from '../../../src/machines/states.ts';
import type { Witness } from '../witness.ts';

/** A lease, a look for those that lapsed, and the adoption of one who died before it had ended what it adopted. ms */
const takeOverMs = 15_000 + 6000 + 60_000;
const allowanceMs = 10_000;

export class EndInvariants {
  readonly #witness: Witness;

  constructor(witness: Witness) {
    this.#witness = witness;
  }

  pulse(): void {
    const { records, plan, timeline, wallNow, calmSince } = this.#witness;
    const sweepMs =
      Math.max(...plan.nodes.map(({ monitorIntervalSeconds }) => monitorIntervalSeconds)) * 1000;
    for (const record of records.values()) {
      const { row } = record;
      const dueAt = isAtRest(row.state) ? dueAtRest(row) : row.deadlineAt;
      if (isFinal(row.state) || dueAt === null || wallNow <= dueAt) {
        record.overdueSince = null;
        continue;
      }
      record.overdueSince ??= timeline.now;
      const since = Math.max(record.overdueSince, calmSince);
      const budgetMs = stopBudgetMs(row.settings.graceSeconds * 1000);
      if (timeline.now - since > budgetMs + sweepMs + takeOverMs + allowanceMs)
        this.#witness.broken(
          'a job is over by its deadline',
          `${record.label} is ${row.state} ${((timeline.now - since) / 1000).toFixed(0)} s after it`,
        );
    }
  }
}
