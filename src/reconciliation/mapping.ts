// Columns that have another name on the right: `map` says which belong together. What the input names otherwise (key, compare,
// ignore, tolerance) are names of the left.

import type { CheckedInput } from './input.ts';
import type { Side } from './sources/source.ts';

type Mapped = Pick<CheckedInput, 'map'>;

/** The name on the right of a column of the left. Null where the right's column of that name belongs to another one. */
export function rightName({ map }: Mapped, left: string): string | null {
  if (Object.hasOwn(map, left)) return map[left]!;
  return Object.values(map).includes(left) ? null : left;
}

/** The key's columns by the names they have on that side. */
export function keyOf(input: Pick<CheckedInput, 'key' | 'map'>, side: Side): string[] {
  return side === 'left' ? input.key : input.key.map((name) => rightName(input, name) ?? name);
}
