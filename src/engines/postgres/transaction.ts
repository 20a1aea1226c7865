// One transaction on the jobs: what it asks and writes, and what is to be told when it is stored. At its end come those that
// wait behind the keys it has touched, and the tally of what it has moved.

import type { JobState } from '../../machines/states.ts';
import type { Change } from './changes.ts';

export type Query = <Row>(text: string, values?: readonly unknown[]) => Promise<Row[]>;

export class Transaction {
  /** Wall ms, by the clock of the database: one time for all that this transaction writes. */
  readonly now: number;
  readonly query: Query;
  /** Quoted. */
  readonly schema: string;
  readonly changes: Change[] = [];
  /** By name and state. */
  readonly #moved = new Map<string, { name: string; state: JobState; n: number }>();
  readonly #keys = new Map<string, { name: string; key: string }>();
  /** How many numbers of the sequence of changes it took: see Notifications. */
  numbers = 0;

  constructor(query: Query, schema: string, now: number) {
    this.query = query;
    this.schema = schema;
    this.now = now;
  }

  changed(id: string, state: JobState): void {
    this.changes.push([id, state]);
  }

  controlsChanged(): void {
    this.changes.push('controls');
  }

  /** So many jobs of this name came to this state, or left it where `n` is negative. */
  moved(name: string, state: JobState, n: number): void {
    const at = `${state} ${name}`;
    const moved = this.#moved.get(at) ?? { name, state, n: 0 };
    moved.n += n;
    this.#moved.set(at, moved);
  }

  /** A job of this key came to rest, or is alive no more: another may come to wait for a slot. */
  touched(name: string, key: string | null): void {
    if (key !== null) this.#keys.set(`${name}\n${key}`, { name, key });
  }

  /** Those behind the keys that were touched come to wait for a slot, as far as there is room. */
  async moveUp(): Promise<void> {
    if (this.#keys.size === 0) return;
    // In one order for all: they are locked.
    const keys = [...this.#keys].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, key]) => key);
    this.#keys.clear();
    const moved = await this.query<{ moved_id: string; moved_state: JobState }>(
      `SELECT r.* FROM json_to_recordset($1) AS k(name text, key text), ${this.schema}.refill(k.name, k.key) AS r`,
      [JSON.stringify(keys)],
    );
    for (const { moved_id, moved_state } of moved) this.changed(moved_id, moved_state);
  }

  /** To be done before the commit. Answers with what is on its way then: it is not waited for before the commit is sent. */
  async finish(): Promise<readonly Promise<unknown>[]> {
    await this.moveUp();
    const moved = [...this.#moved.values()].filter(({ n }) => n !== 0);
    this.numbers = moved.length;
    if (moved.length > 0)
      return [
        this.query(
          `INSERT INTO ${this.schema}.tally (name, state, n) SELECT * FROM json_to_recordset($1) AS m(name text, state text, n bigint)`,
          [JSON.stringify(moved)],
        ),
      ];
    if (!this.changes.includes('controls')) return [];
    this.numbers = 1;
    return [this.query(`SELECT nextval('${this.schema}.changes')`)];
  }
}
