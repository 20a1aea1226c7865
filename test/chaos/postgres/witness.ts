// Looks at the database again and again while chaos goes on, a snapshot each time: how many attempts of each name, and of each key, it holds
// for alive. Never more than the limits.

import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { limits } from './jobs.ts';

const lookMs = 25;
const look = `SELECT name, concurrency_key AS key, count(*)::int AS n FROM unstuck.jobs WHERE token IS NOT NULL GROUP BY name, concurrency_key`;

export class Witness {
  readonly #url: string;
  readonly #watching: Promise<void>;
  #isOver = false;
  looks = 0;
  /** Snapshots with more than a limit, one line each. */
  readonly exceeded: string[] = [];
  mostAlive = 0;

  constructor(url: string) {
    this.#url = url;
    this.#watching = this.#watch();
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#watching;
  }

  async #watch(): Promise<void> {
    while (!this.#isOver) {
      const client = new pg.Client(this.#url);
      client.on('error', () => {});
      try {
        await client.connect();
        while (!this.#isOver) {
          this.#judge((await client.query(look)).rows);
          await sleep(lookMs);
        }
      } catch {
        // The database was killed: again, when it is back.
        await sleep(lookMs);
      } finally {
        await client.end().catch(() => {});
      }
    }
  }

  #judge(rows: readonly { name: string; key: string | null; n: number }[]): void {
    this.looks += 1;
    let all = 0;
    for (const [name, { concurrency, concurrencyPerKey }] of Object.entries(limits)) {
      const found = rows.filter((row) => row.name === name);
      const alive = found.reduce((sum, { n }) => sum + n, 0);
      if (alive > concurrency || found.some(({ key, n }) => key !== null && n > concurrencyPerKey))
        this.exceeded.push(`limitsExceeded: seen alive ${JSON.stringify(found)}`);
      all += alive;
    }
    this.mostAlive = Math.max(this.mostAlive, all);
  }
}
