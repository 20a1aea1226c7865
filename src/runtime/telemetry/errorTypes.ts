// The types of errors that a process tells: the first 50, and `_OTHER` for all after them. A job's code may make up a new one each
// time, with an id in it.

import { other } from './instruments.ts';

const most = 50;
/** What looks like a name or a code; a message, or half of one, does not. */
const plain = /^[\w.:-]{1,60}$/;

export class ErrorTypes {
  readonly #known = new Set<string>();

  of(type: string | null): string | null {
    if (type === null || this.#known.has(type)) return type;
    if (this.#known.size >= most || !plain.test(type)) return other;
    this.#known.add(type);
    return type;
  }
}
