// What chaos does, by kind: begun at a place or at the database, and lifted after a while, or at once where it is over when it has happened.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from './database.ts';
import type { Place } from './place.ts';

/** Null: it could not be done just now. */
type Lift = (() => void | Promise<void>) | null;

interface AtPlace {
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
    lastsMs: 3000,
    begin: (place) => (place.kill() ? nothing : null),
  },
  jobKilled: { lastsMs: 0, begin: (place, how) => (place.killJob(how) ? nothing : null) },
  machinePaused: {
    lastsMs: longMs,
    begin: (place, how) => (place.pause(true) ? () => place.wake(how < 0.5) : null),
  },
  hostPaused: {
    lastsMs: longMs,
    begin: (place) => (place.pause(false) ? () => place.wake(false) : null),
  },
  linkDown: {
    lastsMs: longMs,
    isOfMachines: true,
    async begin({ machine }) {
      await machine?.linkDown();
      return () => machine?.linkUp();
    },
  },
  packetsDropped: {
    lastsMs: longMs,
    isOfMachines: true,
    async begin({ machine }) {
      await machine?.unplug();
      return () => machine?.plugIn();
    },
  },
  delayed: {
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
  readonly lastsMs: number;
  begin(database: Database, how: number): Promise<() => Promise<void> | void>;
}

export const databaseFaults = {
  databaseKilled: {
    lastsMs: 3000,
    async begin({ server }) {
      await server.kill();
      return () => server.start();
    },
  },
  connectionsTerminated: {
    lastsMs: 0,
    async begin(database, how) {
      await database.terminate(how);
      return nothing;
    },
  },
  connectionsRefused: {
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
  readonly #kinds: readonly FaultKind[];
  /** In an order of chance: none comes again before all have come. */
  #next: FaultKind[] = [];
  readonly #under = new Set<{ over: Promise<void>; end: AbortController }>();
  #isDatabaseTroubled = false;

  constructor(afflicted: Afflicted, chance: () => number) {
    this.#afflicted = afflicted;
    this.#chance = chance;
    const all = Object.entries({ ...placeFaults, ...databaseFaults }) as [FaultKind, AtPlace | AtDatabase][];
    this.counts = Object.fromEntries(all.map(([kind]) => [kind, 0])) as Record<FaultKind, number>;
    const isPossible = (fault: AtPlace | AtDatabase) => afflicted.hasMachines || !('isOfMachines' in fault);
    this.leftOut = all.flatMap(([kind, fault]) => (isPossible(fault) ? [] : [kind]));
    this.#kinds = all.flatMap(([kind, fault]) => (isPossible(fault) ? [kind] : []));
  }

  /** One fault, by chance, somewhere where there is none; of a kind that has not been for the longest. */
  async begin(): Promise<void> {
    if (this.#next.length === 0) {
      const placed = this.#kinds.map((kind) => ({ kind, at: this.#chance() }));
      this.#next = placed.sort((a, b) => a.at - b.at).map(({ kind }) => kind);
    }
    for (const kind of [...this.#next]) {
      if (!(await this.#beginOne(kind))) continue;
      this.#next.splice(this.#next.indexOf(kind), 1);
      return;
    }
  }

  /** False: it cannot be done just now. */
  #beginOne(kind: FaultKind): Promise<boolean> {
    return kind in databaseFaults
      ? this.#beginAtDatabase(kind as keyof typeof databaseFaults)
      : this.#beginAtPlace(kind as keyof typeof placeFaults);
  }

  async #beginAtDatabase(kind: keyof typeof databaseFaults): Promise<boolean> {
    if (this.#isDatabaseTroubled) return false;
    this.#isDatabaseTroubled = true;
    const { begin, lastsMs } = databaseFaults[kind];
    const lift = await begin(this.#afflicted.database, this.#chance());
    this.#keep(kind, lastsMs, async () => {
      await lift();
      this.#isDatabaseTroubled = false;
    });
    return true;
  }

  async #beginAtPlace(kind: keyof typeof placeFaults): Promise<boolean> {
    const { places } = this.#afflicted;
    const free = places.filter(({ isTroubled }) => !isTroubled);
    // Half of them go on: where nothing is done nothing can go wrong.
    if (free.length * 2 <= places.length) return false;
    const place = free[Math.floor(this.#chance() * free.length)] as Place;
    const { begin, lastsMs }: AtPlace = placeFaults[kind];
    place.isTroubled = true;
    const lift = await begin(place, this.#chance());
    if (lift === null) {
      place.isTroubled = false;
      return false;
    }
    this.#keep(kind, lastsMs, async () => {
      await lift();
      place.isTroubled = false;
    });
    return true;
  }

  async liftAll(): Promise<void> {
    for (const { end } of this.#under) end.abort();
    await Promise.all([...this.#under].map(({ over }) => over));
  }

  /** Until it is lifted; two of three are over soon. */
  #keep(kind: FaultKind, lastsMs: number, lift: () => Promise<void>): void {
    this.counts[kind] += 1;
    const chance = this.#chance();
    const ms = chance < 2 / 3 ? chance * 1.5 * Math.min(lastsMs, shortMs) : (chance * 3 - 2) * lastsMs;
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
}
