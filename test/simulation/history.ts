// What happened, as a person reads it: a line each, with the simulated time. Names are those of the plan: ids and tokens are
// new in each run, and two runs of a seed must be the same to the letter.

export class History {
  readonly lines: string[] = [];
  readonly #now: () => number;
  readonly #began: number;
  readonly #labels = new Map<string, string>();

  constructor(now: () => number) {
    this.#now = now;
    this.#began = now();
  }

  add(text: string): void {
    this.lines.push(`t=${((this.#now() - this.#began) / 1000).toFixed(3)}s ${text}`);
  }

  /** From now on this id is called so. */
  name(id: string, label: string): void {
    if (!this.#labels.has(id)) this.#labels.set(id, label);
  }

  labelOf(id: string): string {
    return this.#labels.get(id) ?? 'a job without a name';
  }
}
