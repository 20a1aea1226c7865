// The chunk that an attempt has in hand, and the write that stores it: checkpoint and appended rows, made once. Who stores it in
// a transaction of his own (src/postgres) finds it in the chunk's context; the host then writes the same again, which
// changes nothing.

import type { CheckpointWrite } from '../engines/engine.ts';
import type { AttemptStart } from './foldChunks.ts';
import { InputError, toJsonText } from './jsonText.ts';

/** Where a chunk's context has it. The same in each copy of this package: a job may have loaded another one. */
export const inHand = Symbol.for('unstuck.chunkInHand');

export class ChunkInHand {
  readonly #start: AttemptStart;
  readonly #total: number | null;
  #chunk: number;
  #items = 0;
  #rows: string[] = [];
  /** Rows that were there when its code began. */
  #before: readonly string[] = this.#rows;
  #write: CheckpointWrite | null = null;

  constructor(start: AttemptStart, total: number | null) {
    this.#start = start;
    this.#total = total;
    this.#chunk = start.chunksDone;
  }

  append(rows: readonly object[]): void {
    for (const row of rows) this.#rows.push(toJsonText(row, 'row'));
  }

  begin(items: number): void {
    this.#chunk += 1;
    this.#items = items;
    this.#before = [...this.#rows];
    this.#write = null;
  }

  /** Its code is about to run anew: what came of it is forgotten. */
  restart(): void {
    this.#rows = [...this.#before];
    this.#write = null;
  }

  /** The write that stores it, with what was appended so far. `made`: what its code returned. */
  write(made: unknown): CheckpointWrite {
    if (made === undefined)
      throw new InputError('checkpoint: expected process() to return the next one, got nothing.');
    const { jobId: id, token } = this.#start;
    const checkpoint = toJsonText(made, 'checkpoint');
    const rows = this.#rows;
    this.#rows = [];
    this.#write = { id, token, chunk: this.#chunk, checkpoint, rows, items: this.#items, total: this.#total };
    return this.#write;
  }

  /** The same write where it is made by now: what a transaction has stored is what the host is told. */
  finish(made: unknown): CheckpointWrite {
    const stored = this.#write;
    if (stored === null) return this.write(made);
    if (this.#rows.length > 0)
      throw new InputError('append: expected rows before the transaction was stored, got some after.');
    if (made === undefined || toJsonText(made, 'checkpoint') !== stored.checkpoint)
      throw new InputError(
        'checkpoint: expected process() to return what its transaction has stored, got another one.',
      );
    return stored;
  }

  /** Of the chunk among all of the job, from 1. */
  get number(): number {
    return this.#chunk;
  }

  /** Rows that belong to no chunk yet. */
  get hasRows(): boolean {
    return this.#rows.length > 0;
  }
}
