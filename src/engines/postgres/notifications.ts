// What one process has changed is told to the others by NOTIFY: after the commit, gathered, from one connection, for within a
// transaction it would make every commit wait for the one before. One connection listens. A notification can be lost (its
// process ended between commit and notification; a connection broke), so each counts the changes it has heard of and
// compares, once a second, with the number that were made: who has missed some looks at everything.

import { randomUUID } from 'node:crypto';
import type { Change } from './changes.ts';
import type { Connections, DedicatedClient } from './connections.ts';

/** After who tells it: what is our own is not read. */
interface Told {
  /** Numbers of the sequence of changes that went into it. */
  readonly numbers: number;
  readonly changes: readonly Change[];
  /** False: there were more than are told. */
  readonly isWhole: boolean;
}

export interface NotificationsHost {
  changed(changes: readonly Change[]): void;
  missed(): void;
  /** Once a second. */
  looked(): Promise<void>;
}

/** How this process tells the others, and hears them. A test may have it on simulated time. */
export interface Notifier {
  open(): Promise<void>;
  close(): Promise<void>;
  /** What a transaction of this process has changed, and how many numbers of the sequence of changes went into it. */
  tell(changes: readonly Change[], numbers: number): void;
}

/** Changes are gathered for so long, ms. */
const gatherMs = 10;
/** What a notification may hold, in bytes: 8000 less what is around it. */
const payloadBytes = 7000;
/** So many at a time; of more it is told only that they were. */
const mostPayloads = 8;
const lookMs = 1000;

export class Notifications implements Notifier {
  readonly #connections: Connections;
  readonly #host: NotificationsHost;
  readonly #schema: string;
  readonly #channel: string;
  readonly #self = randomUUID().slice(0, 8);
  #listener: DedicatedClient | null = null;
  #gathered: Change[] = [];
  #numbers = 0;
  #sending: Promise<void> | null = null;
  /** Changes of all processes, and of how many it was not to hear; null where that is not known. */
  #heard = 0;
  #base: number | null = null;
  /** At the last look: those made, and whether more were heard of than were made. */
  #lastMade = 0;
  #wasAhead = false;
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;

  /** `schema`: quoted. */
  constructor(connections: Connections, schema: string, channel: string, host: NotificationsHost) {
    this.#connections = connections;
    this.#schema = schema;
    this.#channel = channel;
    this.#host = host;
  }

  async open(): Promise<void> {
    await this.#listen();
    try {
      this.#lastMade = await this.#made();
    } catch (error) {
      // Whoever opens it again has another.
      await this.#hangUp();
      throw error;
    }
    this.#base = this.#lastMade - this.#heard;
    this.#lookLater();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    while (this.#sending !== null) await this.#sending;
    await this.#hangUp();
  }

  async #hangUp(): Promise<void> {
    const listener = this.#listener;
    this.#listener = null;
    // Nothing else may keep the process while it says goodbye.
    listener?.ref();
    await listener?.end().catch(() => {});
  }

  tell(changes: readonly Change[], numbers: number): void {
    this.#heard += numbers;
    this.#numbers += numbers;
    this.#gathered.push(...changes);
    this.#sending ??= this.#send();
  }

  async #send(): Promise<void> {
    while (this.#gathered.length > 0 || this.#numbers > 0) {
      if (!this.#isClosed) await new Promise((resolve) => setTimeout(resolve, gatherMs));
      const [changes, numbers] = [this.#gathered, this.#numbers];
      this.#gathered = [];
      this.#numbers = 0;
      try {
        await this.#connections.query(`SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS p(payload)`, [
          this.#channel,
          payloadsOf(this.#self, changes, numbers),
        ]);
      } catch {
        // Those who listen miss the numbers, and look by themselves.
      }
    }
    this.#sending = null;
  }

  async #listen(): Promise<void> {
    const listener = await this.#connections.dedicated();
    this.#listener = listener;
    listener.on('notification', ({ payload = '' }) => this.#hear(payload));
    listener.on('end', () => {
      if (this.#listener === listener) this.#listener = null;
    });
    await listener.query(`LISTEN "${this.#channel.replaceAll('"', '""')}"`);
    listener.unref();
  }

  #hear(payload: string): void {
    if (payload.startsWith(this.#self)) return;
    const { numbers, changes, isWhole } = JSON.parse(payload.slice(this.#self.length)) as Told;
    this.#heard += numbers;
    if (changes.length > 0) this.#host.changed(changes);
    if (!isWhole) this.#host.missed();
  }

  /** How many numbers were given out, whether or not what they are of is stored yet. */
  async #made(): Promise<number> {
    const [made] = await this.#connections.query<{ n: number }>(
      `SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS n FROM ${this.#schema}.changes`,
    );
    return made?.n ?? 0;
  }

  #lookLater(): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#look()
        .catch(() => {
          // The server is not there. What was told meanwhile is not known.
          this.#base = null;
        })
        .finally(() => this.#lookLater());
    }, lookMs);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    if (this.#listener === null) {
      // Changes are heard again from here on; those before it were missed.
      await this.#listen();
      this.#base = null;
    }
    const made = await this.#made();
    // Those that were made by the last look have come by now, unless they are lost.
    const isMissed = this.#base === null || this.#lastMade - this.#base > this.#heard;
    const isAhead = this.#base !== null && made - this.#base < this.#heard;
    if (isMissed || (isAhead && this.#wasAhead)) this.#base = made - this.#heard;
    this.#wasAhead = isAhead;
    this.#lastMade = made;
    if (isMissed) this.#host.missed();
    await this.#host.looked();
  }
}

function payloadsOf(from: string, changes: readonly Change[], numbers: number): string[] {
  const payloads: string[] = [];
  const add = (told: Told) => payloads.push(from + JSON.stringify(told));
  let part: Change[] = [];
  let size = 0;
  for (const change of changes) {
    const length = Buffer.byteLength(JSON.stringify(change)) + 1;
    if (size + length > payloadBytes) {
      if (payloads.length === mostPayloads - 1) {
        add({ numbers, changes: part, isWhole: false });
        return payloads;
      }
      add({ numbers: 0, changes: part, isWhole: true });
      part = [];
      size = 0;
    }
    // An id that no notification can hold.
    if (length > payloadBytes) {
      add({ numbers, changes: part, isWhole: false });
      return payloads;
    }
    part.push(change);
    size += length;
  }
  add({ numbers, changes: part, isWhole: true });
  return payloads;
}
