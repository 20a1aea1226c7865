// What is told is so: a state that a processor tells, a result, an acknowledged submit are stored; and a timeout is told when its
// time has passed, by the clock it counts on.

import { isFinal, type JobState, type TimeoutKind } from '../../../src/machines/states.ts';
import type { JobStatus } from '../../../src/runtime/status.ts';
import type { Host } from '../host.ts';
import type { JobRecord } from '../record.ts';
import type { SeenAttempt, Witness } from '../witness.ts';

export class ToldInvariants {
  readonly #witness: Witness;

  constructor(witness: Witness) {
    this.#witness = witness;
  }

  /** A submit was acknowledged. */
  submitted(label: string, id: string): void {
    const { submitted, records } = this.#witness;
    const known = submitted.get(label);
    if (known !== undefined && known !== id)
      this.#witness.broken('one key, one job', `${label} was acknowledged as two jobs`);
    submitted.set(label, id);
    if (!records.has(id))
      this.#witness.broken('nothing acknowledged is lost', `${label} was acknowledged, and is not stored`);
  }

  /** A status was told, by an event or to who asked. */
  told({ id, state, attempt }: Pick<JobStatus, 'id' | 'state' | 'attempt'>, by: string): void {
    const record = this.#witness.records.get(id);
    if (record === undefined) {
      this.#witness.broken('what is told is stored', `${by} told of a job that is not stored`);
      return;
    }
    const { row, label } = record;
    // What is being stopped is told before it is stored: the ladder does not wait for an engine.
    if (state === 'stopping') return;
    const isStored = row.history.some((entry) => entry.state === state);
    if (!isStored || (isFinal(state) && row.state !== state))
      this.#witness.broken(
        'what is told is stored',
        `${by} told ${label} ${state}, attempt ${attempt}; it is ${row.state}`,
      );
  }

  /** Somebody was told that a job is over. */
  over(id: string, state: JobState, by: string): void {
    this.told({ id, state, attempt: 0 }, by);
    if (!isFinal(state))
      this.#witness.broken('what is told is stored', `${by} told ${state}, which is no end`);
  }

  /** A chart begins to stop an attempt for a timeout. */
  stopping(host: Host, { id, timeout, attempt }: JobStatus): void {
    const { records, attempts } = this.#witness;
    const record = records.get(id);
    const seen = [...attempts.values()].find(
      (each) => each.host === host && each.record === record && each.attempt.spec.start.attempt === attempt,
    );
    if (record === undefined || seen === undefined || timeout === null || record.isTimeOutAsked) return;
    const earlyMs = this.#earlyMs(record, timeout, seen);
    if (earlyMs > 0)
      this.#witness.broken(
        'never early',
        `the ${timeout} timeout of ${record.label} came ${earlyMs.toFixed(0)} ms early`,
      );
  }

  #earlyMs(
    record: JobRecord,
    timeout: TimeoutKind,
    seen: Pick<SeenAttempt, 'launchedAt' | 'heardAt' | 'progressAt'>,
  ): number {
    const { timeline, wallNow } = this.#witness;
    const since = { job: seen.launchedAt, heartbeat: seen.heardAt, progress: seen.progressAt };
    if (timeout === 'deadline') return record.deadlineAt - Math.max(record.wallHigh, wallNow);
    if (timeout === 'queue') return Infinity;
    return since[timeout] + record.seconds[timeout].least * 1000 - timeline.now;
  }
}
