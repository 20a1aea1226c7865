// Which of some amounts add up to another: the fewest, and of those the first in order. The search is bounded, because
// there are exponentially many ways to add up.

/** `null`: none. `bounded`: it gave up before it had tried all. Indexes into `amounts`, ascending. */
export function findSubset(
  amounts: readonly bigint[],
  target: bigint,
  drift: bigint,
  most: number,
  steps: number,
): readonly number[] | null | 'bounded' {
  let left = steps;
  const chosen: number[] = [];
  const search = (from: number, wanted: number, rest: bigint): boolean => {
    if (wanted === 0) return rest <= drift && rest >= -drift;
    for (let at = from; at + wanted <= amounts.length; at += 1) {
      left -= 1;
      if (left < 0) return false;
      chosen.push(at);
      if (search(at + 1, wanted - 1, rest - amounts[at]!)) return true;
      chosen.pop();
    }
    return false;
  };
  for (let size = 2; size <= most; size += 1) {
    if (search(0, size, target)) return chosen;
    if (left < 0) return 'bounded';
  }
  return null;
}
