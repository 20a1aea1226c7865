// Which of some amounts add up to another: the fewest, and of those the first in order. The search is bounded, because
// there are exponentially many ways to add up; `budget` counts down with each amount that is tried.

export interface Budget {
  /** Of one search. */
  readonly each: number;
  /** Of all searches together; runs down. */
  all: number;
}

/** `null`: none. `bounded`: it gave up before it had tried all. Indexes into `amounts`, ascending. */
export function findSubset(
  amounts: readonly bigint[],
  target: bigint,
  drift: bigint,
  most: number,
  budget: Budget,
): readonly number[] | null | 'bounded' {
  const [sought, off, ...items] = compact([target, drift, ...amounts]);
  const isGrowing = amounts.every((amount) => amount >= 0n);
  const start = Math.min(budget.each, budget.all);
  let left = start;
  const chosen: number[] = [];
  const search = (from: number, wanted: number, rest: number): boolean => {
    if (wanted === 0) return rest <= off! && -rest <= off!;
    // Amounts that only grow do not come back from beyond.
    if (isGrowing && -rest > off!) return false;
    for (let at = from; at + wanted <= items.length; at += 1) {
      left -= 1;
      if (left < 0) return false;
      chosen.push(at);
      if (search(at + 1, wanted - 1, rest - items[at]!)) return true;
      chosen.pop();
    }
    return false;
  };
  let found: readonly number[] | null | 'bounded' = null;
  for (let size = 2; size <= Math.min(most, items.length) && found === null; size += 1) {
    if (search(0, size, sought!)) found = chosen;
    else if (left < 0) found = 'bounded';
  }
  budget.all -= start - Math.max(0, left);
  return found;
}

/**
 * The same numbers in the largest unit that holds them all, as numbers where their sum is exact as such, which are
 * quicker. Else they stay bigints, which know the same operators.
 */
function compact(values: readonly bigint[]): number[] {
  let unit = 1n;
  while (unit < 10n ** 18n && values.every((value) => value % (unit * 10n) === 0n)) unit *= 10n;
  const small = values.map((value) => value / unit);
  const reach = small.reduce((sum, value) => sum + (value < 0n ? -value : value), 0n);
  return (reach <= BigInt(Number.MAX_SAFE_INTEGER) ? small.map(Number) : small) as number[];
}
