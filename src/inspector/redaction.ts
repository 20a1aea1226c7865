// What a view may show of what apps put into jobs: a copy, with secrets replaced and long texts cut. The paths are those of
// pino's `redact`, counted from the input, the checkpoint, the result, the log line or the event itself.

import redactor from '@pinojs/redact';
import { ConfigurationError, describeValue } from '../runtime/errors.ts';

const longestText = 2_000;
const longestArray = 100;
/** A larger payload is not even parsed: the page is for looks, `result()` and `rows()` for data. */
const largestPayload = 256 * 1024;

/** The attempt's token fences its writes: nobody needs to see it. */
const ownSecrets = ['token', 'input.token'];

export class Redaction {
  readonly #redact: (value: object) => unknown;

  /** Throws ConfigurationError. */
  constructor(paths: readonly string[]) {
    if (!Array.isArray(paths) || paths.some((path) => typeof path !== 'string'))
      throw new ConfigurationError(
        'redact',
        "an array of paths, as pino's redact takes",
        describeValue(paths),
      );
    try {
      this.#redact = redactor({ paths: [...ownSecrets, ...paths], serialize: false });
    } catch (error) {
      throw new ConfigurationError('redact', "paths as pino's redact takes", (error as Error).message);
    }
  }

  /** Whole, but for its secrets. */
  redacted<T extends object>(value: T): T {
    return this.#redact(value) as T;
  }

  /** Of anything that is JSON. */
  shown(value: unknown): unknown {
    return this.#copy(value, bounded);
  }

  /** Of a payload as it is stored: JSON text. */
  shownText(json: string): unknown {
    if (json.length > largestPayload) return `(${json.length} characters, too many to be shown)`;
    return this.shown(JSON.parse(json));
  }

  /** Of an event or a context of our charts, in which a result is JSON text and a timeout may be off. */
  shownOfChart(value: unknown): unknown {
    return this.#copy(value, (key, part) => {
      if (key === 'result' && typeof part === 'string') return this.shownText(part);
      return part === Infinity ? 'off' : bounded(key, part);
    });
  }

  #copy(value: unknown, replacer: (key: string, part: unknown) => unknown): unknown {
    const redacted = typeof value === 'object' && value !== null ? this.#redact(value) : value;
    const text = JSON.stringify(redacted, replacer);
    return text === undefined ? null : JSON.parse(text);
  }
}

function bounded(_key: string, part: unknown): unknown {
  if (typeof part === 'string' && part.length > longestText)
    return `${part.slice(0, longestText)}… (${part.length} characters)`;
  if (Array.isArray(part) && part.length > longestArray)
    return [...part.slice(0, longestArray), `… (${part.length} items)`];
  return part;
}
