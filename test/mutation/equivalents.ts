// Mutants that no test can kill, because what they change nobody can see. Each with its reason; `npm run stryker` says
// so where one of them is killed after all, or is there no more.

export interface Equivalent {
  readonly file: `src/${string}.ts`;
  /** A part of its line: one of these mutators there is enough to be known by. */
  readonly line: string;
  readonly mutator: string;
  readonly reason: string;
}

export const equivalents: readonly Equivalent[] = [];
