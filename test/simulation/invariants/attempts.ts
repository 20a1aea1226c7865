// What runs: no more than the slots of its host, one at a time where it is a process, from the last checkpoint that was
// acknowledged; and each ends within its timeouts and the stop budget.

import { stopBudgetMs } from '../../../src/machines/ladder.ts';
import type { SimulatedAttempt } from '../../../src/testing/simulatedAttempt.ts';
import type { Host } from '../host.ts';
import type { SeenAttempt, Witness } from '../witness.ts';

/** What messages and beats take, ms: an attempt is heard so much later, and its end too. */
const allowanceMs = 3000;
/** See patientClock: what a host gives after an absence. */
const patienceMs = 1000;

export class AttemptInvariants {
  readonly #witness: Witness;

  constructor(witness: Witness) {
    this.#witness = witness;
  }

  /** The kernel does not let it go, so its watchdog cannot end it, and who recovered the job was on another machine. */
  #isBeyondReach({ attempt }: SeenAttempt): boolean {
    return this.#witness.plan.spansMachines && attempt.hangs === 'unkillable';
  }

  launched(attempt: SimulatedAttempt, host: Host): void {
    const { records, attempts, timeline, history } = this.#witness;
    const { jobId, attempt: number, checkpoint } = attempt.spec.start;
    const record = records.get(jobId);
    if (record === undefined) return;
    history.add(`node${host.plan.index} runs ${record.label} attempt ${number} (${attempt.isolation})`);
    const { now } = timeline;
    const since = { launchedAt: now, signAt: now, heardAt: now, progressAt: now, killableSince: now };
    const seen = { attempt, host, record, ...since };
    for (const other of attempts.values()) {
      if (!other.attempt.isAlive) attempts.delete(other.attempt);
      else if (other.record === record && isProcess(other) && isProcess(seen) && !this.#isBeyondReach(other))
        this.#witness.broken(
          'one at a time',
          `${record.label} attempt ${number} began while attempt ${other.attempt.spec.start.attempt} was alive`,
        );
    }
    attempts.set(attempt, seen);
    const alive = [...host.places.alive()].length;
    if (alive > host.plan.maxConcurrentJobs)
      this.#witness.broken(
        'the slots hold',
        `${alive} attempts are alive in node${host.plan.index}, ${host.plan.maxConcurrentJobs} may be`,
      );
    if (Number(checkpoint ?? 0) < record.acknowledged)
      this.#witness.broken(
        'an acknowledged chunk is not run again',
        `${record.label} begins at ${checkpoint}, ${record.acknowledged} were acknowledged`,
      );
  }

  reached(attempt: SimulatedAttempt, point: string): void {
    const seen = this.#witness.attempts.get(attempt);
    if (seen === undefined || point !== 'acknowledged') return;
    const { record } = seen;
    const chunk = Number(attempt.spec.start.checkpoint ?? 0) + attempt.chunk;
    record.acknowledged = Math.max(record.acknowledged, chunk);
    seen.progressAt = this.#witness.timeline.now;
    seen.heardAt = seen.progressAt;
    if (attempt.isolation === 'inline') seen.signAt = seen.progressAt;
    this.#witness.history.add(`${record.label} chunk ${chunk} acknowledged`);
    if (record.row.chunks < chunk)
      this.#witness.broken(
        'nothing acknowledged is lost',
        `${record.label} chunk ${chunk} was acknowledged, ${record.row.chunks} are stored`,
      );
  }

  pulse(): void {
    for (const seen of this.#witness.attempts.values()) {
      if (!seen.attempt.isAlive) this.#witness.attempts.delete(seen.attempt);
      else this.#mustEnd(seen);
    }
  }

  #mustEnd(seen: SeenAttempt): void {
    const { attempt, host, record, launchedAt, signAt, progressAt } = seen;
    const { now } = this.#witness.timeline;
    if (!isKillable(attempt)) seen.killableSince = now;
    const { seconds, row } = record;
    const graceMs = row.settings.graceSeconds * 1000;
    const ends: [string, number, number][] = [
      ['job', launchedAt, seconds.job.most],
      ['heartbeat', signAt, seconds.heartbeat.most],
      ['progress', progressAt, seconds.progress.most],
    ];
    for (const [timeout, since, most] of ends) {
      // Inline code shows life by hand alone.
      if (timeout !== 'job' && attempt.isolation === 'inline') continue;
      const missed = host.loop.missedSince(since);
      const patience = patienceMs * (1 + host.loop.pauses.length);
      const late = now - Math.max(since + most * 1000, seen.killableSince);
      const overMs = late - stopBudgetMs(graceMs) - missed - patience - allowanceMs;
      if (overMs > 0 && most !== Infinity)
        this.#witness.broken(
          'an attempt ends in time',
          `${record.label} attempt ${attempt.spec.start.attempt} is alive ${(late / 1000).toFixed(1)} s after its ${timeout} timeout`,
        );
    }
  }
}

function isProcess({ attempt }: { attempt: SimulatedAttempt }): boolean {
  return attempt.isolation === 'process';
}

function isKillable({ isolation, hangs }: SimulatedAttempt): boolean {
  if (isolation === 'inline' || hangs === 'unkillable') return false;
  return isolation === 'process' || hangs !== 'deaf';
}
