// What the watchdog of an attempt's own process does (actors/isolation/watchdog.ts), on simulated time: it counts for
// itself, whatever becomes of the host, and says which limit has passed.

import type { WatchLimits } from '../actors/attempt.ts';
import type { Sign } from '../actors/isolation/protocol.ts';
import type { Clock } from '../engines/clock.ts';
import type { TimeoutKind } from '../machines/states.ts';

type Counted = 'job' | 'heartbeat' | 'progress';

const counted: readonly Counted[] = ['job', 'heartbeat', 'progress'];

export class SimulatedWatchdog {
  readonly #clock: Clock;
  readonly #expired: (kind: TimeoutKind) => void;
  readonly #lapsed: () => void;
  #lease: unknown = null;
  readonly #timers = new Map<TimeoutKind, unknown>();
  /** What counts, and since when, monotonic ms. */
  readonly #since = new Map<Counted, number>();
  #limits: WatchLimits | null = null;

  constructor(clock: Clock, expired: (kind: TimeoutKind) => void, lapsed: () => void) {
    this.#clock = clock;
    this.#expired = expired;
    this.#lapsed = lapsed;
  }

  watch(limits: WatchLimits): void {
    this.#limits = limits;
    for (const kind of counted) this.#count(kind);
    this.#armDeadline();
  }

  /** Other limits; what has passed counts. */
  rewatch(limits: WatchLimits): void {
    this.#limits = limits;
    for (const kind of counted) this.#recount(kind);
    this.#armDeadline();
  }

  /** Monotonic ms; Infinity = never. */
  endBy(at: number): void {
    this.#restLease();
    if (this.#limits === null || at === Infinity) return;
    this.#lease = this.#clock.setTimeout(() => this.#lapsed(), Math.max(1, at - this.#clock.monotonic()));
  }

  #restLease(): void {
    if (this.#lease !== null) this.#clock.clearTimeout(this.#lease);
    this.#lease = null;
  }

  sign(sign: Sign): void {
    if (this.#limits === null) return;
    this.#count('heartbeat');
    if (sign === 'chunk') this.#count('progress');
    if (sign !== 'waiting') return;
    this.#since.delete('progress');
    this.#disarm('progress');
  }

  rest(): void {
    this.#limits = null;
    this.#restLease();
    for (const kind of [...this.#timers.keys()]) this.#disarm(kind);
  }

  #count(kind: Counted): void {
    this.#since.set(kind, this.#clock.monotonic());
    this.#recount(kind);
  }

  #recount(kind: Counted): void {
    const since = this.#since.get(kind);
    const limits = this.#limits;
    if (since === undefined || limits === null) return;
    const ms = { job: limits.jobMs, heartbeat: limits.heartbeatMs, progress: limits.progressMs }[kind];
    this.#arm(kind, Math.max(1, since + ms - this.#clock.monotonic()), () => this.#expired(kind));
  }

  /** Counts wall time, which may have been set meanwhile. */
  #armDeadline(): void {
    const { deadlineAt } = this.#limits as WatchLimits;
    this.#arm('deadline', Math.max(1, deadlineAt - this.#clock.now()), () => {
      if (this.#clock.now() < deadlineAt) this.#armDeadline();
      else this.#expired('deadline');
    });
  }

  #arm(kind: TimeoutKind, ms: number, fire: () => void): void {
    this.#disarm(kind);
    if (ms === Infinity) return;
    this.#timers.set(
      kind,
      this.#clock.setTimeout(() => {
        this.#timers.delete(kind);
        fire();
      }, ms),
    );
  }

  #disarm(kind: TimeoutKind): void {
    const timer = this.#timers.get(kind);
    if (timer !== undefined) this.#clock.clearTimeout(timer);
    this.#timers.delete(kind);
  }
}
