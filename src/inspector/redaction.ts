// What a view may show of what apps put into jobs: a copy, with secrets replaced and long texts cut. The paths are those of
// pino's `redact`, counted from the input, the checkpoint, the result, the log line or the event itself; or, from `status` on,
// from the job's status.

import redactor from '@pinojs/redact';
import type { JobStatus } from '../index.ts';
import { ConfigurationError, describeValue } from '../runtime/errors.ts';

const longestText = 2_000;
const longestArray = 100;
/** A larger payload is not even parsed: the page is for looks, `result()` and `rows()` for data. */
const largestPayload = 256 * 1024;

/** The attempt's token fences its writes: nobody needs to see it. */
const ownSecrets = ['token', 'input.token'];

export class Redaction {
  readonly #redact: (value: object) => unknown;
  readonly #redactStatus: (value: { status: JobStatus }) => { status: JobStatus };

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
      const ofStatus = paths.filter((path) => path.startsWith('status.'));
      const redact = redactor({ paths: ofStatus, serialize: false });
      this.#redactStatus = (value) => (ofStatus.length === 0 ? value : (redact(value) as typeof value));
    } catch (error) {
      throw new ConfigurationError('redact', "paths as pino's redact takes", (error as Error).message);
    }
  }

  /** Of a job, whose own words are no payload: of the paths, those count that begin with `status.`. */
  status(status: JobStatus): JobStatus {
    return this.#redactStatus({ status }).status;
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
    const { outcome, verdict } = Object(value);
    const opened = (part: { result?: unknown }) =>
      typeof part.result === 'string' ? { ...part, result: this.shownText(part.result) } : part;
    const whole = {
      ...Object(value),
      ...(outcome ? { outcome: opened(outcome) } : {}),
      ...(verdict ? { verdict: opened(verdict) } : {}),
    };
    return this.#copy(typeof value === 'object' && value !== null ? whole : value, (key, part) =>
      part === Infinity ? 'off' : bounded(key, part),
    );
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
