// Limits in SQLite: how many jobs of a name may be claimed now, and which jobs of a key wait for a slot. Of each key no more
// jobs than may be alive are in the queue that is claimed from; the others wait behind them, so that a claim costs the same
// however many there are.

import type { JobState } from '../../machines/states.ts';
import type { NameLimits } from '../engine.ts';
import { stages } from '../stages.ts';
import type { Instant } from './jobStore.ts';
import type { Statements } from './statements.ts';

export class LimitStore {
  readonly #statements: Statements;
  readonly #changed: (id: string, state: JobState) => void;

  constructor(statements: Statements, changed: (id: string, state: JobState) => void) {
    this.#statements = statements;
    this.#changed = changed;
  }

  /** How many more attempts of this name may begin now. */
  roomFor(at: Instant, name: string, limits: NameLimits | undefined): number {
    if (limits === undefined) return Infinity;
    const { concurrency, rate } = limits;
    const free = concurrency === Infinity ? Infinity : concurrency - this.#alive(name);
    if (rate === null) return free;
    // Where the clock was set back, what began later began now.
    // By more than a span: what another process has begun meanwhile is not in the future.
    this.#statements.run('UPDATE starts SET at = :now WHERE name = :name AND at > :wrong', {
      name,
      now: at.now,
      wrong: at.now + rate.ms,
    });
    this.#statements.run('DELETE FROM starts WHERE name = :name AND at <= :since', {
      name,
      since: at.now - rate.ms,
    });
    const begun = this.#statements.get<{ n: number | null }>(
      'SELECT sum(n) AS n FROM starts WHERE name = :name',
      { name },
    );
    return Math.min(free, rate.starts - (begun?.n ?? 0));
  }

  /** So many attempts of a name with a rate begin. */
  began(at: Instant, name: string, n: number): void {
    this.#statements.run('INSERT INTO starts (name, at, n) VALUES (:name, :now, :n)', {
      name,
      now: at.now,
      n,
    });
  }

  nextStartAt(at: Instant, limits: Readonly<Record<string, NameLimits>>): number | null {
    let next = Infinity;
    for (const [name, { rate }] of Object.entries(limits)) {
      if (rate === null || this.roomFor(at, name, { concurrency: Infinity, rate }) > 0) continue;
      const waits = this.#statements.get(
        'SELECT 1 FROM jobs INDEXED BY jobs_ready WHERE stage = 1 AND name = :name LIMIT 1',
        { name },
      );
      const first = this.#statements.get<{ at: number | null }>(
        'SELECT min(at) AS at FROM starts WHERE name = :name',
        { name },
      );
      if (waits !== undefined) next = Math.min(next, (first?.at ?? at.now) + rate.ms);
    }
    return next === Infinity ? null : next;
  }

  /** What may start by now waits for a slot, and for nothing else. */
  ripen(at: Instant): void {
    const keyed = this.#statements.all<{ name: string; concurrencyKey: string }>(
      `UPDATE jobs SET stage = 2 WHERE stage = 0 AND notBefore <= :now AND concurrencyKey IS NOT NULL
       RETURNING name, concurrencyKey`,
      { now: at.now },
    );
    this.#statements.run('UPDATE jobs SET stage = 1 WHERE stage = 0 AND notBefore <= :now', { now: at.now });
    for (const { name, concurrencyKey } of keyed) this.refill(name, concurrencyKey);
  }

  /**
   * After a job of this key came to rest, or was alive and is no more: the first of them wait for a slot, each by its own limit.
   * Those after one that must wait wait behind, so that none is passed for ever by those of a higher limit.
   */
  refill(name: string, concurrencyKey: string): void {
    const key = { name, concurrencyKey };
    const ofKey = 'FROM jobs INDEXED BY jobs_keyed WHERE name = :name AND concurrencyKey = :concurrencyKey';
    /** They waited for a slot before, and are told of no more. */
    const moved = new Set<number>();
    for (;;) {
      const next = this.#statements.get<{
        seq: number;
        id: string;
        state: JobState;
        rank: number;
        keyLimit: number;
      }>(`SELECT seq, id, state, rank, keyLimit ${ofKey} AND stage = 2 ORDER BY rank, seq LIMIT 1`, key);
      if (next === undefined) return;
      const { rank, seq } = next;
      const later = this.#statements.all<{ seq: number }>(
        `SELECT seq ${ofKey} AND stage = 1 AND rank >= :rank AND (rank > :rank OR seq > :seq)`,
        { ...key, rank, seq },
      );
      for (const head of later) {
        this.#moveTo(stages.itsKey, head.seq);
        moved.add(head.seq);
      }
      const count = (stage: number) =>
        this.#statements.get<{ n: number }>(`SELECT count(*) AS n ${ofKey} AND stage = :stage`, {
          ...key,
          stage,
        })?.n ?? 0;
      const pausing = this.#statements.get<{ n: number }>(
        `SELECT count(*) AS n FROM jobs INDEXED BY jobs_pausing WHERE name = :name AND concurrencyKey = :concurrencyKey
           AND stage = 0 AND inOrder = 1 AND state = 'retrying'`,
        key,
      );
      if (count(stages.alive) + count(stages.slot) + (pausing?.n ?? 0) >= next.keyLimit) return;
      this.#moveTo(stages.slot, seq);
      if (!moved.has(seq)) this.#changed(next.id, next.state);
    }
  }

  #moveTo(stage: number, seq: number): void {
    this.#statements.run('UPDATE jobs SET stage = :stage WHERE seq = :seq', { stage, seq });
  }

  #alive(name: string): number {
    let alive = 0;
    const holders = this.#statements.all<{ holder: string }>(
      'SELECT DISTINCT holder FROM jobs WHERE token IS NOT NULL',
      {},
    );
    for (const { holder } of holders) {
      const found = this.#statements.get<{ n: number }>(
        'SELECT count(*) AS n FROM jobs WHERE token IS NOT NULL AND holder = :holder AND name = :name',
        { holder, name },
      );
      alive += found?.n ?? 0;
    }
    return alive;
  }
}
