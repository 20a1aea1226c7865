// The token fences every write: what comes with one that is not the job's own is refused, and changes nothing.

import { StaleAttemptError, type StoredJob } from '../../../src/engines/engine.ts';
import type { Witness } from '../witness.ts';

interface Write {
  readonly id: string;
  readonly token: string | null;
  /** Null: it is refused without one too. */
  readonly isAnyToken: boolean;
}

export class WriteInvariants {
  readonly #witness: Witness;
  #before: StoredJob | null = null;

  constructor(witness: Witness) {
    this.#witness = witness;
  }

  asked(method: string, args: readonly unknown[]): void {
    const write = writeOf(method, args);
    this.#before = write === null ? null : (this.#witness.records.get(write.id)?.row ?? null);
  }

  answered(method: string, args: readonly unknown[], answer: { value: unknown } | { error: unknown }): void {
    const write = writeOf(method, args);
    const before = this.#before;
    if (write === null) return;
    // Who adopts a job changes its token, which is no news.
    this.#witness.changed(write.id);
    if (before === null || write.isAnyToken || before.token === write.token) return;
    const { label } = this.#witness.records.get(write.id) ?? {};
    if (!('error' in answer && answer.error instanceof StaleAttemptError))
      this.#witness.broken(
        'a stale write is refused',
        `${method} of ${label} came with an old token, and was taken`,
      );
    else this.#witness.history.add(`${label} ${method} refused: an old token`);
  }
}

function writeOf(method: string, args: readonly unknown[]): Write | null {
  if (method === 'checkpoint') return { ...(args[0] as { id: string; token: string }), isAnyToken: false };
  if (method !== 'settle' && method !== 'adopt' && method !== 'recordIntent') return null;
  const [id, token] = args as [string, string | null];
  return { id, token, isAnyToken: method === 'recordIntent' && token === null };
}
