// Children started ahead, so that a job does not pay for the start of its process or thread. Each runs one
// attempt. Those of jobs that asked for reuse come back here, and only that job's next attempt gets them.

import type { Child } from './child.ts';

/** A child that came back and is not needed for so long is ended, ms. */
const idleMs = 60_000;

interface Rested {
  /** The job whose attempts it ran. */
  owner: string;
  surroundings: string;
  idle: NodeJS.Timeout;
}

export class Spares {
  readonly #start: () => Child;
  readonly #count: number;
  readonly #warm: string;
  /** Started and never used, with what the start depended on. */
  readonly #fresh = new Map<Child, string>();
  /** Used, and waiting; the last to come back is the last here. */
  readonly #rested = new Map<Child, Rested>();
  /** Ended children whose handles are still being closed. */
  readonly #closing = new Set<Promise<void>>();
  #isClosed = false;

  /** `warm`: URL of a module to load ahead. */
  constructor(start: () => Child, count: number, warm: string) {
    this.#start = start;
    this.#count = count;
    this.#warm = warm;
  }

  /** Starts as many as are missing. */
  fill(): void {
    while (!this.#isClosed && this.#fresh.size < this.#count) {
      try {
        const child = this.#begin();
        child.hold(false);
        child.post({ type: 'warm', module: this.#warm });
        this.#fresh.set(child, surroundings());
      } catch {
        // Not needed yet: the attempt that needs one will say what is wrong.
        return;
      }
    }
  }

  /** A used one of this owner (null: none), else one that is ready or on its way to be, else a new one, if one can be started. */
  take(owner: string | null): Child {
    const now = surroundings();
    const used = this.#takeRested(owner, now);
    if (used !== undefined) return used;
    let found: Child | null = null;
    for (const [child, then] of this.#fresh) {
      this.#fresh.delete(child);
      if (then === now) {
        found = child;
        break;
      }
      // The app changed its environment since: the job must see it as it is.
      child.kill();
    }
    found ??= this.#begin();
    this.fill();
    return found;
  }

  /** Keeps a child whose attempt is over for its owner's next one. */
  rest(child: Child, owner: string): void {
    child.hold(false);
    const idle = setTimeout(() => this.#endRested(child), this.#isClosed ? 0 : idleMs).unref();
    this.#rested.set(child, { owner, surroundings: surroundings(), idle });
  }

  /** Ends all that wait here; resolves when they are gone, and no handle is left of those that went before. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const waiting = [...this.#fresh.keys(), ...this.#rested.keys()];
    for (const child of waiting) {
      child.hold(true);
      this.#endRested(child);
    }
    await Promise.all(waiting.map((child) => child.gone));
    await Promise.all(this.#closing);
  }

  #begin(): Child {
    const child = this.#start();
    // Not replaced at once: one that cannot live must not be started over and over.
    child.gone.then(() => {
      this.#fresh.delete(child);
      clearTimeout(this.#rested.get(child)?.idle);
      this.#rested.delete(child);
      this.#closing.add(child.closed);
      child.closed.then(() => this.#closing.delete(child.closed));
    });
    return child;
  }

  /** The last that came back: the others may fall idle. */
  #takeRested(owner: string | null, now: string): Child | undefined {
    for (const [child, rested] of [...this.#rested].reverse()) {
      if (rested.owner !== owner) continue;
      if (rested.surroundings !== now) {
        this.#endRested(child);
        continue;
      }
      clearTimeout(rested.idle);
      this.#rested.delete(child);
      return child;
    }
    return undefined;
  }

  #endRested(child: Child): void {
    clearTimeout(this.#rested.get(child)?.idle);
    this.#rested.delete(child);
    child.kill();
  }
}

/** What a process or thread copies when it starts. */
function surroundings(): string {
  return JSON.stringify([process.cwd(), process.env]);
}
