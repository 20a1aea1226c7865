// What chaos does, by kind: begun at a place or at the database, and lifted after a while, or at once where it is over when it has happened.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from './database.ts';
import type { Place } from './place.ts';

/** Null: it could not be done just now. */
type Lift = (() => void | Promise<void>) | null;

interface AtPlace {
  readonly weight: number;
  /** At most, ms. 0: it is over when it has happened. */
  readonly lastsMs: number;
  /** Needs a machine of its own. */
  readonly isOfMachines?: true;
  /** `how`: chance, 0 to 1. */
  begin(place: Place, how: number): Lift | Promise<Lift>;
}

/** Longer than a lease. */
const longMs = 20_000;
const shortMs = 2000;
const nothing = () => {};

export const placeFaults = {
  workerKilled: {
    weight: 3,
    lastsMs: 3000,
    begin: (place) => (place.kill() ? nothing : null),
  },
  jobKilled: { weight: 2, lastsMs: 0, begin: (place, how) => (place.killJob(how) ? nothing : null) },
  machinePaused: {
    weight: 2,
    lastsMs: longMs,
    begin: (place, how) => (place.pause(true) ? () => place.wake(how < 0.5) : null),
  },
  hostPaused: {
    weight: 2,
    lastsMs: longMs,
    begin: (place) => (place.pause(false) ? () => place.wake(false) : null),
  },
  linkDown: {
    weight: 2,
    lastsMs: longMs,
    isOfMachines: true,
    async begin({ machine }) {
      await machine?.linkDown();
      return () => machine?.linkUp();
    },
  },
  packetsDropped: {
    weight: 3,
    lastsMs: longMs,
    isOfMachines: true,
    async begin({ machine }) {
      await machine?.unplug();
      return () => machine?.plugIn();
    },
  },
  delayed: {
    weight: 2,
    lastsMs: longMs,
    begin({ wire }) {
      wire.delayMs = 200;
      return () => {
        wire.delayMs = 0;
      };
    },
  },
} satisfies Record<string, AtPlace>;

interface AtDatabase {
  readonly weight: number;
  readonly lastsMs: number;
  begin(database: Database, how: number): Promise<() => Promise<void> | void>;
}

export const databaseFaults = {
  databaseKilled: {
    weight: 1,
    lastsMs: 3000,
    async begin({ server }) {
      await server.kill();
      return () => server.start();
    },
  },
  connectionsTerminated: {
    weight: 1,
    lastsMs: 0,
    async begin(database, how) {
      await database.terminate(how);
      return nothing;
    },
  },
  connectionsRefused: {
    weight: 1,
    lastsMs: 3000,
    async begin(database) {
      await database.refuse();
      return () => database.accept();
    },
  },
} satisfies Record<string, AtDatabase>;

export type FaultKind = keyof typeof placeFaults | keyof typeof databaseFaults;

export interface Afflicted {
  readonly places: readonly Place[];
  readonly database: Database;
  readonly hasMachines: boolean;
}

/** Begins faults, and lifts them when their time is over, or all at once. */
export class Faults {
  readonly counts: Record<FaultKind, number>;
  /** Kinds that cannot be done here. */
  readonly leftOut: FaultKind[];
  readonly #afflicted: Afflicted;
  readonly #chance: () => number;
  readonly #kinds: readonly { kind: FaultKind; weight: number }[];
  readonly #under = new Set<{ over: Promise<void>; end: AbortController }>();
  #isDatabaseTroubled = false;

  constructor(afflicted: Afflicted, chance: () => number) {
    this.#afflicted = afflicted;
    this.#chance = chance;
    const all = Object.entries({ ...placeFaults, ...databaseFaults }) as [FaultKind, AtPlace | AtDatabase][];
    this.counts = Object.fromEntries(all.map(([kind]) => [kind, 0])) as Record<FaultKind, number>;
    const isPossible = (fault: AtPlace | AtDatabase) => afflicted.hasMachines || !('isOfMachines' in fault);
    this.leftOut = all.flatMap(([kind, fault]) => (isPossible(fault) ? [] : [kind]));
    this.#kinds = all.flatMap(([kind, fault]) => (isPossible(fault) ? [{ kind, weight: fault.weight }] : []));
  }

  /** One fault, by chance, somewhere where there is none. */
  async begin(): Promise<void> {
    const kind = this.#pick();
    // As much chance for each, whether or not it comes about: the next is the same.
    const [at, lasts, how] = [this.#chance(), this.#chance(), this.#chance()];
    // Two of three are over soon.
    const ms = (most: number) =>
      lasts < 2 / 3 ? lasts * 1.5 * Math.min(most, shortMs) : (lasts * 3 - 2) * most;
    if (kind in databaseFaults) {
      if (this.#isDatabaseTroubled) return;
      this.#isDatabaseTroubled = true;
      const { begin, lastsMs } = databaseFaults[kind as keyof typeof databaseFaults];
      const lift = await begin(this.#afflicted.database, how);
      this.#keep(kind, ms(lastsMs), async () => {
        await lift();
        this.#isDatabaseTroubled = false;
      });
      return;
    }
    const { places } = this.#afflicted;
    const free = places.filter(({ isTroubled }) => !isTroubled);
    const place = free[Math.floor(at * free.length)];
    // Half of them go on: where nothing is done nothing can go wrong.
    if (place === undefined || free.length * 2 <= places.length) return;
    const { begin, lastsMs }: AtPlace = placeFaults[kind as keyof typeof placeFaults];
    place.isTroubled = true;
    const lift = await begin(place, how);
    if (lift === null) place.isTroubled = false;
    else
      this.#keep(kind, ms(lastsMs), async () => {
        await lift();
        place.isTroubled = false;
      });
  }

  async liftAll(): Promise<void> {
    for (const { end } of this.#under) end.abort();
    await Promise.all([...this.#under].map(({ over }) => over));
  }

  #keep(kind: FaultKind, ms: number, lift: () => Promise<void>): void {
    this.counts[kind] += 1;
    const end = new AbortController();
    const fault = {
      end,
      over: sleep(ms, undefined, { signal: end.signal })
        .catch(() => {})
        .then(lift)
        .finally(() => this.#under.delete(fault)),
    };
    this.#under.add(fault);
  }

  #pick(): FaultKind {
    let left = this.#chance() * this.#kinds.reduce((sum, { weight }) => sum + weight, 0);
    for (const { kind, weight } of this.#kinds) {
      left -= weight;
      if (left < 0) return kind;
    }
    throw new Error('no kind of fault has any weight');
  }
}
