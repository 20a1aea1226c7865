// The lines that a logger and its children write, told as they are written: by pino's own `streamWrite` hook, which is set
// while somebody watches and at no other time.

import { type Logger, symbols } from 'pino';
import { Listeners } from './inspection.ts';

/** Not among pino's types; the symbol is one for all copies of pino. */
const hooksSymbol: unique symbol = (symbols as unknown as { readonly hooksSym: never }).hooksSym;

interface Hooks {
  readonly streamWrite?: (line: string) => string;
}

export class LogTap {
  readonly #logger: Logger & { [hooksSymbol]?: Hooks };
  readonly #watchers = new Listeners<string>();

  /** The logger must be ours alone: a child made for this. */
  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** `written` is called with each line as the app's own hook leaves it. Returns what ends it. */
  watch(written: (line: string) => void): () => void {
    if (this.#watchers.isEmpty) this.#hook();
    const unwatch = this.#watchers.add(written);
    return () => {
      unwatch();
      if (this.#watchers.isEmpty) delete this.#logger[hooksSymbol];
    };
  }

  #hook(): void {
    // Inherited from the app's logger. One that is not pino's has none, and is left alone.
    const hooks = this.#logger[hooksSymbol];
    if (hooks === undefined) return;
    const change = hooks.streamWrite ?? ((line: string) => line);
    this.#logger[hooksSymbol] = {
      ...hooks,
      streamWrite: (line) => {
        const changed = change(line);
        this.#watchers.tell(changed);
        return changed;
      },
    };
  }
}
