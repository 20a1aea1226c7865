// Whether something runs: the event loop of a host, or its threads. What comes to one that is paused waits, and what comes to one
// that is dead is lost. Its clock is Clock as a real process has it: timers that came due in a pause fire behind the
// messages that waited, and the absence is told afterwards as the system's clock tells it.

import type { Absence, Clock } from '../../src/engines/clock.ts';
import type { Timeline } from './timeline.ts';

/** The wall clock of the machine: all its processes see the same. */
export interface Wall {
  offset: number;
}

interface Pause {
  readonly from: number;
  readonly to: number;
}

interface Timer {
  happening: unknown;
  isCleared: boolean;
}

/** See systemClock. */
const tickMs = 100;
const gapMs = 250;

export class Life {
  isDead = false;
  isPaused = false;
  readonly pauses: Pause[] = [];
  /** Timers that would still fire. */
  pending = 0;
  readonly clock: Clock;
  readonly #timeline: Timeline;
  #pausedAt = 0;
  #messages: (() => void)[] = [];
  #timers: (() => void)[] = [];

  constructor(timeline: Timeline, wall: Wall) {
    this.#timeline = timeline;
    this.clock = {
      now: () => timeline.now + wall.offset,
      monotonic: () => timeline.now,
      setTimeout: (callback, ms) => this.#arm(callback, ms),
      clearTimeout: (timer) => this.#disarm(timer as Timer),
      watchAbsence: () => this.#watchAbsence(),
    };
  }

  /** A message reaches it. */
  receive(read: () => void): void {
    if (this.isDead) return;
    if (this.isPaused) this.#messages.push(read);
    else read();
  }

  pause(): void {
    if (this.isPaused || this.isDead) return;
    this.isPaused = true;
    this.#pausedAt = this.#timeline.now;
  }

  goOn(): void {
    if (!this.isPaused || this.isDead) return;
    this.isPaused = false;
    this.pauses.push({ from: this.#pausedAt, to: this.#timeline.now });
    // One a step, so that each is judged by itself.
    for (const each of [...this.#messages, ...this.#timers]) this.#timeline.in(0, () => this.receive(each));
    this.#messages = [];
    this.#timers = [];
  }

  die(): void {
    this.isDead = true;
    this.#messages = [];
    this.#timers = [];
  }

  /** ms that it was paused since then. */
  missedSince(at: number): number {
    let missed = this.isPaused ? this.#timeline.now - Math.max(at, this.#pausedAt) : 0;
    for (const { from, to } of this.pauses) missed += Math.max(0, to - Math.max(at, from));
    return missed;
  }

  #arm(callback: () => void, ms: number): Timer {
    const timer: Timer = { happening: null, isCleared: ms === Infinity };
    if (timer.isCleared || this.isDead) return timer;
    this.pending += 1;
    const fire = () => {
      if (timer.isCleared) return;
      timer.isCleared = true;
      this.pending -= 1;
      callback();
    };
    timer.happening = this.#timeline.in(ms, () => {
      if (this.isDead || timer.isCleared) return;
      if (this.isPaused) this.#timers.push(fire);
      else fire();
    });
    return timer;
  }

  #disarm(timer: Timer): void {
    if (timer.isCleared) return;
    timer.isCleared = true;
    this.pending -= 1;
    if (timer.happening !== null) this.#timeline.cancel(timer.happening);
  }

  /** As the ticker of the system's clock finds it, reckoned and not ticked. */
  #watchAbsence(): Absence {
    let tickedAt = this.#timeline.now;
    let seen = this.pauses.length;
    let endedAt = -Infinity;
    let totalMs = 0;
    return {
      look: () => {
        for (; seen < this.pauses.length; seen += 1) {
          const { from, to } = this.pauses[seen] as Pause;
          if (to <= tickedAt) continue;
          const last = tickedAt + Math.floor(Math.max(0, from - tickedAt) / tickMs) * tickMs;
          const lateMs = to - last - tickMs;
          if (lateMs > gapMs) {
            endedAt = to;
            totalMs += lateMs;
          }
          tickedAt = to;
        }
        return { endedAt, totalMs };
      },
      stop: () => {},
    };
  }
}
