// A planted fault: one small edit of the sources that breaks a promise, and the tests that must notice. The lists are
// in plants/; `npm run mutate` plants them one by one.

export interface Plant {
  /** For the command line. */
  readonly name: string;
  /** What is wrong then. */
  readonly fault: string;
  /** What it breaks. */
  readonly promise: string;
  readonly file: `src/${string}.ts`;
  /** Stands in the file once. */
  readonly find: string;
  readonly put: string;
  readonly caughtBy: readonly Catcher[];
  /** Of a fault that is a race, and shows most times: how often it is tried at most. Default 1. */
  readonly tries?: number;
}

/** A test, by its file and a part of its name: each of them must fail by itself. */
export interface Catcher {
  readonly file: `test/${string}.test.ts`;
  readonly test: string;
}

export class StalePlantError extends Error {
  override readonly name = 'StalePlantError';
}

/** The source with the fault in it. Throws where its place is not there, or there twice: the plant is to be set anew. */
export function withFault(source: string, { name, file, find, put }: Plant): string {
  const parts = source.split(find);
  if (parts.length !== 2) {
    throw new StalePlantError(
      `${name}: expected its text once in ${file}, got it ${parts.length - 1} times. Set the plant anew: ${find}`,
    );
  }
  return parts.join(put);
}
