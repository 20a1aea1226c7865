// Children started ahead, so that a job does not pay for the start of its process or thread. Each runs one
// attempt. Those of jobs that asked for reuse come back here, and only that job's next attempt gets them.

import type { Child } from './child.ts';

/** A child that came back and is not needed for so long is ended, ms. */
const idleMs = 60_000;

export class Spares {
  readonly #start: () => Child;
  readonly #count: number;
  readonly #warm: string;
  /** Started and never used, with what the start depended on. */
  readonly #fresh = new Map<Child, string>();
  /** Used, with the module whose attempts they ran. */
  readonly #rested = new Map<Child, { module: string; idle: NodeJS.Timeout }>();
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

  #begin(): Child {
    const child = this.#start();
    // Not replaced at once: one that cannot live must not be started over and over.
    child.gone.then(() => {
      this.#fresh.delete(child);
      this.#rested.delete(child);
    });
    return child;
  }

  /** One that is ready or on its way to be, else a new one. Throws where none can be started. */
  take(module: string): Child {
    for (const [child, rested] of this.#rested) {
      if (rested.module !== module) continue;
      clearTimeout(rested.idle);
      this.#rested.delete(child);
      return child;
    }
    const now = surroundings();
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

  /** Keeps a child whose attempt is over for the module's next one. */
  rest(child: Child, module: string): void {
    child.hold(false);
    const end = () => {
      this.#rested.delete(child);
      child.kill();
    };
    const idle = setTimeout(end, this.#isClosed ? 0 : idleMs).unref();
    this.#rested.set(child, { module, idle });
  }

  /** Ends all that wait here; resolves when they are gone. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { idle } of this.#rested.values()) clearTimeout(idle);
    const waiting = [...this.#fresh.keys(), ...this.#rested.keys()];
    for (const child of waiting) {
      child.hold(true);
      child.kill();
    }
    await Promise.all(waiting.map((child) => child.gone));
  }
}

/** What a process or thread copies when it starts. */
function surroundings(): string {
  return JSON.stringify([process.cwd(), process.env]);
}
