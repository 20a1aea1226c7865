// What every kind of source promises, whatever it is: that it can be judged before a job is submitted, that it is read as
// a relation of DuckDB, and that it is known whether it is still what it was. One file a kind; ../source.ts chooses.

import type { Database } from '../database.ts';

export type Side = 'left' | 'right';

export interface TypedColumn {
  readonly name: string;
  readonly type: string;
}

/** One side, as far as it can be judged without DuckDB and without reading all of it. */
export interface Source {
  readonly side: Side;
  /** As the messages name it. Never holds a password. */
  readonly path: string;
  /** About how many bytes it is as CSV. The same as long as the fingerprint is: it decides how many chunks there are. */
  readonly size: number;
  /** The real paths of its files. */
  readonly files: readonly string[];
  /** Changes with what it is, and with what it holds as far as that is cheap to see. Never holds a password. */
  readonly fingerprint: string;
  /** Null where only reading it tells. */
  readonly columns: readonly string[] | null;
  /** Makes it readable for DuckDB. Throws a ReconciliationInputError where it cannot be. */
  open(request: OpenRequest): Promise<OpenSource>;
  /** What it holds, of a source whose fingerprint does not say: costs a look at every row. Else ''. */
  contents(signal?: AbortSignal): Promise<string>;
}

export interface OpenRequest {
  readonly database: Database;
  /** Private to this run, and removed with it: what is unpacked, converted or exported goes there. */
  readonly folder: string;
  readonly signal: AbortSignal;
  /** How much of the preparation is done, 0 to 1. */
  readonly progress: (done: number) => void;
}

export interface OpenSource {
  readonly columns: readonly TypedColumn[];
  /** What stands after FROM: one column for each of `columns`, by the names c0, c1, … */
  readonly relation: string;
  /** Bytes that DuckDB reads for it, for progress. */
  readonly bytes: number;
  /** As `contents()`, of what was opened. */
  readonly contents: string;
  /** Puts rows that could not be read into `rejected`, once the relation was read. */
  keepRejected(): Promise<void>;
  /** What an error of DuckDB while it read the relation means, where that is known. */
  explain(error: unknown): Promise<unknown>;
}
