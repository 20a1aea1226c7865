// What a staging was made of. Another file, another content or another option that changes the result gives
// another fingerprint, and the work begins anew. `memory`, `out`, `fresh`, `format`, `stopAfter`
// and `checkpoint` change nothing in it.

import { createHash } from 'node:crypto';
import type { CheckedInput } from './input.ts';
import type { Source } from './source.ts';

/** Counted up whenever the tables of a staging change, so that a newer version does not resume an older one's. */
const layout = 2;

export function fingerprintOf(input: CheckedInput, left: Source, right: Source): string {
  const tolerance = Object.entries(input.tolerance).sort(([one], [other]) => (one < other ? -1 : 1));
  const parts = [
    layout,
    left.fingerprint,
    right.fingerprint,
    input.key,
    input.compare,
    input.ignore,
    Object.entries(input.map).sort(([one], [other]) => (one < other ? -1 : 1)),
    tolerance,
    input.types,
    input.columns,
    input.duplicates,
    input.passes,
    input.sample,
  ];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
