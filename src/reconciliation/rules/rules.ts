// What a rules file may say, and the API's `rules` too: the words. rulesSchema.ts holds the same as a JSON Schema, by
// which both are checked.

/** What the values of a column are compared as. */
export type ColumnType = 'text' | 'integer' | 'decimal' | 'date' | 'timestamp' | 'boolean';

/** One for both sides, or one for each. */
export type ForSides<T> = T | { left?: T; right?: T };

/** How the values of a column are read before they are compared. */
export interface ColumnOptions {
  /** Upper and lower case are the same. Default false. */
  ignoreCase?: boolean;
  /** `trim`: white space around the text does not count; `collapse`: nor does how much of it stands inside. */
  whitespace?: 'trim' | 'collapse';
  /** `NFC`: the same letters, composed or not, are the same. */
  unicode?: 'NFC';
  /** How the file writes 1234.56: `1.234,56`, `1,234.56`, `1 234,56`, `1'234.56`, `1234,56` or `1234.56`. */
  numbers?: ForSides<string>;
  /** How the file writes dates, as in strptime: `%d.%m.%Y`. Of several the first that fits is taken. */
  dates?: ForSides<string | string[]>;
  /** An empty text is NULL. Default false: the two differ. */
  emptyIsNull?: boolean;
}

interface PassNarrowing {
  /** As the matches and the summary call it. Default: its kind. */
  name?: string;
  /** Columns that must be equal. */
  same?: string[];
  /** How far columns may lie apart: `{ amount: '0.05', booked: '3 days' }`. Name the one that narrows most first. */
  within?: Record<string, number | string>;
  /** How many rows of the other side are looked at for one row, nearest first. Default 1000; of `sum` 20. */
  candidates?: number;
}

/** Pairs rows whose chosen columns are all equal, one to one. */
export interface ExactPass {
  match: 'exact';
  name?: string;
  columns: string[];
}

/** Pairs rows that lie within the limits, the nearest first, one to one. */
export interface NearPass extends PassNarrowing {
  match: 'near';
  within: Record<string, number | string>;
}

/** Matches one row with several of the other side whose amounts add up to its own, both ways round. */
export interface SumPass extends PassNarrowing {
  match: 'sum';
  /** The column that adds up. */
  amount: string;
  /** How far the sum may be off. Default 0. */
  drift?: number | string;
  /** At most so many rows for one. Default 5. */
  rows?: number;
}

/** Pairs rows whose texts are alike, each the best of the other (Jaro-Winkler). */
export interface SimilarPass extends PassNarrowing {
  match: 'similar';
  /** The column with the text. */
  text: string;
  /** The least score, 0 to 1. Default 0.9. */
  floor?: number;
}

/** A pass looks at the rows that all before it left over. A row with NULL in a column it needs takes no part. */
export type MatchingPass = ExactPass | NearPass | SumPass | SimilarPass;

/** How rows are compared and matched: what a rules file holds. */
export interface ReconciliationRules {
  /** The columns that name a row, on both sides. NULL is a value like any other: two NULLs are the same key. */
  key?: string[];
  /** The columns to compare. Default: all that both sides have, but the key. */
  compare?: string[];
  /** Columns left out of the comparison. */
  ignore?: string[];
  /** What columns are compared as; `*` stands for every compared one. Default: found from the values of both sides. */
  types?: Record<string, ColumnType>;
  /**
   * How far two values may lie apart and still match, by column: `0.01`, `'0.1%'` of the larger, `'2 days'`. Exact in
   * decimal, up to 19 digits before the point and 18 after. A value that is no such number or date compares as text.
   */
  tolerance?: Record<string, number | string>;
  /** How columns are read; `*` stands for every compared one. A key column is read as told before it is looked up. */
  columns?: Record<string, ColumnOptions>;
  /** What becomes of keys that stand more than once: `report` them (the default), or `pair` them one to one first. */
  duplicates?: 'report' | 'pair';
  /** What else is tried with the rows that no key matched, in this order. */
  passes?: MatchingPass[];
}
