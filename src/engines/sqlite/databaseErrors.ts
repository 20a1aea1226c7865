// What SQLite says when it cannot do its work, in words that say what to do. The codes are those of
// sqlite3.h's primary result codes.

import { EngineError } from '../engine.ts';

const said: Record<number, string> = {
  5: 'is locked by another process for too long. Find what holds it.',
  8: 'cannot be written. Give this user the right to write the file and its folder.',
  10: 'cannot be read or written: the disk reports an error. Look at the disk.',
  11: 'is damaged. Restore it from a copy.',
  13: 'cannot grow: the disk is full. Nothing of the last writes was stored. Free some space.',
  14: 'cannot be opened. Does its folder exist, and may this user write there?',
  26: 'is no SQLite database. Name another file.',
};

function codeOf(error: unknown): number {
  return ((error as { errcode?: number }).errcode ?? 0) & 0xff;
}

export function isBusy(error: unknown): boolean {
  return codeOf(error) === 5;
}

/** The file or the machine fails, and not one call: `said` has them, and 7, which is no memory. */
export function isOfDatabase(error: unknown): boolean {
  const code = codeOf(error);
  return code in said || code === 7;
}

export function engineErrorOf(path: string, error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  const words = said[codeOf(error)] ?? `: ${(error as Error).message}`;
  return new EngineError(`${path} ${words}`, { cause: error });
}

/** An error of SQLite in words that name the file. */
export function explained<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw engineErrorOf(path, error);
  }
}
