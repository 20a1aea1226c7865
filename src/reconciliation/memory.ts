// How `memory` bounds the whole process of the job, and not DuckDB's buffers alone: what Node needs, and what DuckDB takes
// beside its own limit, is left out of that limit.

import { availableParallelism } from 'node:os';

const units = { K: 1, M: 2, G: 3, T: 4 } as const;

/** Of an amount such as `512MB` (thousands) or `512 MiB` (1024). Null: it is none. */
export function memoryBytes(amount: string): number | null {
  const [, number, unit, binary] = /^([1-9]\d{0,5}(?:\.\d+)?) ?([KMGT])(i?)B$/i.exec(amount) ?? [];
  if (number === undefined) return null;
  const power = units[unit!.toUpperCase() as keyof typeof units];
  return Math.floor(Number(number) * (binary === '' ? 1000 : 1024) ** power);
}

const MB = 1_000_000;
export const leastMemory = 256 * MB;
/** Node with DuckDB loaded and its sources, before the first row. */
const besideDuckDB = 120 * MB;

/** What DuckDB is given of `memory`. */
export function duckdbShare(memory: string): { memoryLimit: string; threads: number } {
  const bytes = memoryBytes(memory)!;
  const limit = Math.floor(((bytes - besideDuckDB) * 4) / 5);
  // A thread works on 100 MB and more at a time: with less each, all of them would only spill.
  const threads = Math.max(1, Math.min(availableParallelism(), Math.floor(limit / (128 * MB))));
  return { memoryLimit: `${Math.floor(limit / MB)}MB`, threads };
}
