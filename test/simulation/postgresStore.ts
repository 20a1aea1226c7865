// The PostgreSQL engine on a real server, in a schema of its own. Each host has an engine with one connection, as processes of several
// machines have; what one has changed is told to the others by the simulation and not by LISTEN. A transaction takes simulated time, is then
// carried out at once, and no step is over before the server has answered: so no two are ever under way at the same time, and
// in which order they come is the seed's to say. The clock is that of the simulated machine, for all.

import { randomUUID } from 'node:crypto';
import type { Clock } from '../../src/engines/clock.ts';
import { type Engine, EngineError, StaleAttemptError, type StoredJob } from '../../src/engines/engine.ts';
import type { Change } from '../../src/engines/postgres/changes.ts';
import type { NotificationsHost, Notifier } from '../../src/engines/postgres/notifications.ts';
import { PostgresEngine } from '../../src/engines/postgres/postgres.ts';
import { onServer, postgresUrl } from '../engines/postgresServer.ts';
import type { Life } from './life.ts';
import { reads } from './memoryStore.ts';
import type { Network } from './network.ts';
import { Random } from './random.ts';
import { carryOut, type News, type Server, type Store, type StoreWitness } from './store.ts';
import type { Timeline } from './timeline.ts';
import type { Answered } from './witness.ts';

/** What an engine gathers into one transaction. */
const gathered = new Set([
  ...['submit', 'checkpoint', 'recordIntent', 'settle', 'setTimeouts', 'promote', 'adopt', 'prune'],
  ...['storeSchedule', 'removeSchedule'],
]);

export interface PostgresStoreOptions {
  readonly seed: number;
  readonly clock: Clock;
  readonly timeline: Timeline;
  readonly network: Network;
  readonly witness: StoreWitness;
  /** What the hosts have in place of the engine. */
  altered(engine: Engine): Engine;
  /** The server did not do what it was asked, and not because that was refused. */
  failed(error: Error): void;
}

export class PostgresStore implements Store {
  readonly #options: PostgresStoreOptions;
  readonly #schema = `unstuck_simulation_${process.pid}_${randomUUID().slice(0, 8)}`;
  readonly #servers: PostgresServer[] = [];
  readonly #reader: PostgresEngine;

  static async open(options: PostgresStoreOptions): Promise<PostgresStore> {
    const store = new PostgresStore(options);
    await store.#reader.open(options.clock);
    return store;
  }

  private constructor(options: PostgresStoreOptions) {
    this.#options = options;
    this.#reader = this.#engine(() => {});
  }

  #engine(told: (changes: readonly Change[]) => void, heard = (_: NotificationsHost) => {}): PostgresEngine {
    return new PostgresEngine(
      { url: postgresUrl, schema: this.#schema, maxConnections: 1, durability: 'normal', time: 'given' },
      (host): Notifier => {
        heard(host);
        return { open: async () => {}, close: async () => {}, tell: told };
      },
    );
  }

  get(id: string): Promise<StoredJob | null> {
    return this.#reader.get(id);
  }

  rows(id: string): AsyncIterable<string> {
    return this.#reader.rows(id);
  }

  /** A connection is taken over from a host that is no more. */
  serverFor(life: Life): Server {
    const free = this.#servers.find((server) => server.isFree);
    if (free !== undefined) return free.servesNow(life);
    const index = this.#servers.length;
    const others = () => this.#servers.filter((_, other) => other !== index);
    let hearing: NotificationsHost | null = null;
    const engine = this.#engine(
      (changes) => {
        for (const other of others()) other.hear(changes);
      },
      (host) => {
        hearing = host;
      },
    );
    const hear = (changes: readonly Change[]) => hearing?.changed(changes);
    const server = new PostgresServer(
      engine,
      hear,
      new Random(this.#options.seed, `server ${index}`),
      this.#options,
    );
    this.#servers.push(server);
    return server.servesNow(life);
  }

  async close(): Promise<void> {
    await Promise.all(
      [this.#reader, ...this.#servers.map(({ engine }) => engine)].map((engine) => engine.close()),
    );
    await onServer((client) => client.query(`DROP SCHEMA IF EXISTS ${this.#schema} CASCADE`));
  }
}

interface Call {
  readonly method: string;
  readonly args: readonly unknown[];
  answer(settled: () => Promise<unknown>): void;
}

/** The way of one host to the server. */
class PostgresServer implements Server {
  readonly engine: PostgresEngine;
  readonly hear: (changes: readonly Change[]) => void;
  readonly #called: Engine;
  readonly #random: Random;
  readonly #options: PostgresStoreOptions;
  #life: Life | null = null;
  #opening: Promise<void> | null = null;
  /** For the next transaction. */
  #waiting: Call[] = [];

  constructor(
    engine: PostgresEngine,
    hear: (changes: readonly Change[]) => void,
    random: Random,
    options: PostgresStoreOptions,
  ) {
    this.engine = engine;
    this.#called = options.altered(engine);
    this.hear = hear;
    this.#random = random;
    this.#options = options;
    engine.watch({ changed: (id) => options.witness.changed(id), missed: () => {} });
  }

  get isFree(): boolean {
    return this.#life === null || this.#life.isDead;
  }

  servesNow(life: Life): this {
    this.#life = life;
    return this;
  }

  async open(): Promise<void> {
    this.#opening ??= this.engine.open(this.#options.clock);
    await this.#opening;
  }

  async close(): Promise<void> {
    this.#life = null;
  }

  watch(read: (news: News[]) => void): () => void {
    return this.engine.watch({
      changed: (id, state) => read([[id, state]]),
      controlsChanged: () => read(['controls']),
      missed: () => read(['missed']),
    });
  }

  call(method: string, args: readonly unknown[], answer: Call['answer']): void {
    const { timeline, network } = this.#options;
    const call = { method, args, answer };
    const inMs = reads.has(method)
      ? this.#random.long(0.1, 3)
      : (network.commitMs ?? this.#random.long(0.3, 5));
    if (!gathered.has(method)) {
      timeline.in(inMs, () => timeline.outside(this.#carryOut([call])));
      return;
    }
    this.#waiting.push(call);
    if (this.#waiting.length > 1) return;
    timeline.in(inMs, () => {
      const calls = this.#waiting;
      this.#waiting = [];
      timeline.outside(this.#carryOut(calls));
    });
  }

  async #carryOut(calls: readonly Call[]): Promise<void> {
    const { network, failed } = this.#options;
    await Promise.all(
      calls.map(async (call) => {
        if (network.isDiskFull && !reads.has(call.method)) {
          call.answer(() => Promise.reject(new EngineError('the disk is full: free some space')));
          return;
        }
        try {
          this.#answer(call, { value: await carryOut(this.#called, call.method, call.args) });
        } catch (error) {
          const isRefusal =
            error instanceof StaleAttemptError || /not in this engine$/.test((error as Error).message);
          if (!isRefusal) failed(error as Error);
          this.#answer(call, { error });
        }
      }),
    );
  }

  #answer({ method, args, answer }: Call, settled: Answered): void {
    this.#options.witness.answered(method, args, settled);
    answer(() => ('value' in settled ? Promise.resolve(settled.value) : Promise.reject(settled.error)));
  }
}
