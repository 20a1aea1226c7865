// Simulated time: what is to happen, in order, and nothing else. A step is one happening and everything that follows from it at
// once: all promises, and all turns of the event loop, which are queued here while the simulation runs. Nothing waits for
// real time, so a history is the same each time.

interface Happening {
  readonly at: number;
  readonly order: number;
  readonly happen: () => void;
  isCancelled: boolean;
}

/** So many turns of the event loop in one step are a loop that never waits. */
const mostTurns = 5000;

/** The machine has been up for a while. Monotonic ms. */
export const beginning = 1_000_000;

export class Timeline {
  /** Monotonic ms of the machine. */
  now = beginning;
  steps = 0;
  #order = 0;
  #heap: Happening[] = [];
  #turns: (() => void)[] = [];
  /** How much goes on outside of this time. */
  #outside = 0;
  #wake = () => {};
  readonly #setImmediate = globalThis.setImmediate;
  readonly #clearImmediate = globalThis.clearImmediate;

  /** From now on `setImmediate` is a turn of this time line; until `release`. */
  seize(): void {
    globalThis.setImmediate = ((callback: (...args: unknown[]) => void, ...args: unknown[]) => {
      const turn = () => callback(...args);
      this.#turns.push(turn);
      this.#wake();
      return turn;
    }) as unknown as typeof setImmediate;
    globalThis.clearImmediate = ((turn: unknown) => {
      this.#turns = this.#turns.filter((each) => each !== turn);
    }) as typeof clearImmediate;
  }

  release(): void {
    globalThis.setImmediate = this.#setImmediate;
    globalThis.clearImmediate = this.#clearImmediate;
  }

  in(ms: number, happen: () => void): Happening {
    const happening = { at: this.now + ms, order: this.#order++, happen, isCancelled: false };
    push(this.#heap, happening);
    return happening;
  }

  cancel(happening: unknown): void {
    (happening as Happening).isCancelled = true;
  }

  /** The next happening, and all that follows from it. False: there is none until `until`. */
  async step(until: number): Promise<boolean> {
    for (;;) {
      const [next] = this.#heap;
      if (next === undefined || next.at > until) {
        this.now = Math.max(this.now, until);
        return false;
      }
      pop(this.#heap);
      if (next.isCancelled) continue;
      this.now = Math.max(this.now, next.at);
      this.steps += 1;
      next.happen();
      await this.settle();
      return true;
    }
  }

  /** Real input and output, say: no step is over before it is. */
  outside(work: Promise<unknown>): void {
    this.#outside += 1;
    const done = () => {
      this.#outside -= 1;
      this.#wake();
    };
    work.then(done, done);
  }

  async settle(): Promise<void> {
    for (;;) {
      await this.#drain();
      if (this.#turns.length > 0) continue;
      if (this.#outside === 0) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async #drain(): Promise<void> {
    await promises();
    for (let turn = 0; this.#turns.length > 0; turn += 1) {
      if (turn > mostTurns) throw new Error('the event loop turned 5000 times without waiting for anything');
      const turns = this.#turns;
      this.#turns = [];
      for (const each of turns) {
        each();
        await promises();
      }
    }
  }

  /** Of the real event loop: for what is loaded, and for who interrupts. */
  turn(): Promise<void> {
    return new Promise((resolve) => this.#setImmediate(resolve));
  }
}

/** Everything that promises have waiting is done. */
function promises(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

function isBefore(a: Happening, b: Happening): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

function push(heap: Happening[], happening: Happening): void {
  let index = heap.push(happening) - 1;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if (isBefore(heap[parent] as Happening, happening)) break;
    heap[index] = heap[parent] as Happening;
    index = parent;
  }
  heap[index] = happening;
}

function pop(heap: Happening[]): void {
  const last = heap.pop() as Happening;
  if (heap.length === 0) return;
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    if (child >= heap.length) break;
    const right = child + 1;
    if (right < heap.length && isBefore(heap[right] as Happening, heap[child] as Happening)) child = right;
    if (!isBefore(heap[child] as Happening, last)) break;
    heap[index] = heap[child] as Happening;
    index = child;
  }
  heap[index] = last;
}
