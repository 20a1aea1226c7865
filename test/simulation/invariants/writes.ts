// The token fences every write: what comes with one that is not the job's own is refused. Which one that is, is kept here, from
// what the engine has answered.

import { StaleAttemptError } from '../../../src/engines/engine.ts';
import type { Answered, Witness } from '../witness.ts';

interface Write {
  readonly id: string;
  readonly token: string | null;
}

interface Token {
  readonly id: string;
  readonly token: string | null;
}

export class WriteInvariants {
  readonly #witness: Witness;
  /** By job; null: it has none, at rest or at its end. */
  readonly #tokens = new Map<string, string | null>();

  constructor(witness: Witness) {
    this.#witness = witness;
  }

  answered(method: string, args: readonly unknown[], answer: Answered): void {
    const write = writeOf(method, args);
    if (write !== null) this.#check(method, write, answer);
    if (!('value' in answer)) return;
    if (method === 'claim')
      for (const { id, token } of answer.value as readonly Token[]) this.#tokens.set(id, token);
    if (write !== null && method === 'settle') this.#tokens.set(write.id, null);
    if (write !== null && method === 'adopt') this.#tokens.set(write.id, answer.value as string);
  }

  #check(method: string, { id, token }: Write, answer: Answered): void {
    const { label } = this.#witness.records.get(id) ?? {};
    // Who adopts a job changes its token, which is no news.
    this.#witness.changed(id);
    if ((this.#tokens.get(id) ?? null) === token) return;
    if ('error' in answer && answer.error instanceof StaleAttemptError)
      this.#witness.history.add(`${label} ${method} refused: an old token`);
    else if ('value' in answer)
      this.#witness.broken(
        'a stale write is refused',
        `${method} of ${label} came with an old token, and was taken`,
      );
  }
}

function writeOf(method: string, args: readonly unknown[]): Write | null {
  if (method === 'checkpoint') return args[0] as { id: string; token: string };
  if (method !== 'settle' && method !== 'adopt' && method !== 'recordIntent') return null;
  const [id, token] = args as [string, string | null];
  // On behalf of whoever holds it.
  return method === 'recordIntent' && token === null ? null : { id, token };
}
