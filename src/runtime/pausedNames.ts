// Which names of the registry are paused, as far as this process has heard. The engine's claim keeps to it by itself; this
// is for what was claimed ahead, for the log and for health().

import type { Logger } from 'pino';
import type { Engine } from '../engines/engine.ts';

export interface PausedNamesOptions {
  readonly engine: Engine;
  readonly logger: Logger;
  /** Of the registry. */
  readonly known: readonly string[];
  changed(paused: readonly string[]): Promise<void>;
}

export class PausedNames {
  readonly #options: PausedNamesOptions;
  #names: readonly string[] = [];
  #asked = 0;
  #heard = 0;
  #heeding: Promise<void> | null = null;

  constructor(options: PausedNamesOptions) {
    this.#options = options;
  }

  get names(): readonly string[] {
    return this.#names;
  }

  /** Resolves when what is paused does not start here any more, and what waited for its slot is handed back. */
  async read(): Promise<void> {
    const { engine, logger, known, changed } = this.#options;
    this.#asked += 1;
    const asked = this.#asked;
    const paused = (await engine.pausedNames()).filter((name) => known.includes(name));
    // Answers may come in another order.
    if (asked < this.#heard) return;
    this.#heard = asked;
    const before = this.#names;
    this.#names = paused;
    const isNew = paused.filter((name) => !before.includes(name));
    const isOver = before.filter((name) => !paused.includes(name));
    for (const name of isNew) logger.info(`${name} is paused: none of its jobs is started`);
    for (const name of isOver) logger.info(`${name} is resumed`);
    if (isNew.length + isOver.length > 0) {
      const heeding = changed(paused).finally(() => {
        if (this.#heeding === heeding) this.#heeding = null;
      });
      this.#heeding = heeding;
    }
    // Also where another read has found it.
    await this.#heeding;
  }
}
