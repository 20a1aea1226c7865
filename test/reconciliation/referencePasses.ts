// The matching passes written a second time, the plain way: every row against every row, no bounds.

import type { MatchingPass } from '../../src/reconciliation/index.ts';
import { type Cell, compareCells, type Reference } from './reference.ts';
import { isWithin, limitIn, normalOf, type Rule, readCell, textOf, units } from './referenceRules.ts';

type Side = 'left' | 'right';
type Row = Cell[];

export interface Rows {
  order: Record<Side, (row: Row) => Cell[]>;
  cell: Record<Side, (row: Row, name: string) => Cell>;
  ruleOf: (name: string) => Rule;
}

/** Takes what it matches out of `found.onlyLeft` and `found.onlyRight`; answers with the summary's entries. */
export function runPasses(passes: readonly MatchingPass[], found: Reference, rows: Rows): object[] {
  const open = {
    left: found.onlyLeft.toSorted((a, b) => compareCells(rows.order.left(a), rows.order.left(b))),
    right: found.onlyRight.toSorted((a, b) => compareCells(rows.order.right(a), rows.order.right(b))),
  };
  const summary = passes.map((pass) => {
    const name = pass.name ?? pass.match;
    const matches = matchesOf(pass, open, rows).map((match) => ({ pass: name, ...match }));
    for (const side of ['left', 'right'] as const) {
      const taken = new Set(matches.flatMap((match) => match[side]));
      open[side] = open[side].filter((row) => !taken.has(row));
    }
    found.matches.push(...matches);
    const count = (side: Side) => matches.reduce((sum, match) => sum + match[side].length, 0);
    return { pass: name, matches: matches.length, left: count('left'), right: count('right'), bounded: 0 };
  });
  found.onlyLeft = open.left;
  found.onlyRight = open.right;
  return summary;
}

interface Match {
  score: number;
  left: Row[];
  right: Row[];
}

function matchesOf(pass: MatchingPass, open: Record<Side, Row[]>, rows: Rows): Match[] {
  const scored = () => {
    const pairs: { l: number; r: number; score: number }[] = [];
    for (const [l, left] of open.left.entries()) {
      for (const [r, right] of open.right.entries()) {
        const score = scoreOf(pass, left, right, rows);
        if (score !== null) pairs.push({ l, r, score });
      }
    }
    return pairs;
  };
  const taken = { left: new Set<number>(), right: new Set<number>() };
  const matches: Match[] = [];
  const take = (score: number, ls: number[], rs: number[]) => {
    for (const l of ls) taken.left.add(l);
    for (const r of rs) taken.right.add(r);
    matches.push({ score, left: ls.map((l) => open.left[l]!), right: rs.map((r) => open.right[r]!) });
  };
  switch (pass.match) {
    case 'exact':
    case 'near': {
      const round = (score: number) => Math.round(score * 1e9);
      const nearest = scored().sort((a, b) => round(b.score) - round(a.score) || a.l - b.l || a.r - b.r);
      for (const { l, r, score } of nearest) {
        if (!taken.left.has(l) && !taken.right.has(r)) take(score, [l], [r]);
      }
      return matches;
    }
    case 'similar': {
      const pairs = scored();
      const best = (side: 'l' | 'r', at: number) => {
        const other = side === 'l' ? 'r' : 'l';
        return pairs
          .filter((pair) => pair[side] === at)
          .sort((a, b) => b.score - a.score || a[other] - b[other])[0];
      };
      for (const pair of pairs) {
        if (best('l', pair.l) === pair && best('r', pair.r) === pair) take(pair.score, [pair.l], [pair.r]);
      }
      return matches;
    }
    case 'sum': {
      const pairs = scored();
      const amount = (side: Side, at: number) => amountOf(pass.amount, side, open[side][at]!, rows)!;
      const drift = units(String(pass.drift ?? 0))!;
      for (const one of ['left', 'right'] as const) {
        const other = one === 'left' ? 'right' : 'left';
        for (const at of open[one].keys()) {
          if (taken[one].has(at)) continue;
          const free = pairs
            .filter((pair) => (one === 'left' ? pair.l : pair.r) === at)
            .map((pair) => (one === 'left' ? pair.r : pair.l))
            .filter((candidate) => !taken[other].has(candidate))
            .sort((a, b) => a - b);
          const chosen = subsets(free, pass.rows ?? 5).find((subset) => {
            const off = subset.reduce((rest, each) => rest - amount(other, each), amount(one, at));
            return off <= drift && off >= -drift;
          });
          if (chosen === undefined) continue;
          const off = chosen.reduce((rest, each) => rest - amount(other, each), amount(one, at));
          const score = off === 0n ? 1 : 1 - Math.abs(Number(off)) / Number(drift);
          take(score, one === 'left' ? [at] : chosen, one === 'left' ? chosen : [at]);
        }
      }
      return matches;
    }
  }
}

/** Of 2 to `most`, the small ones first, each in order. */
function subsets(items: number[], most: number): number[][] {
  const ofSize = (size: number, from: number): number[][] =>
    size === 0
      ? [[]]
      : items
          .slice(from)
          .flatMap((item, at) => ofSize(size - 1, from + at + 1).map((rest) => [item, ...rest]));
  return Array.from({ length: Math.max(0, most - 1) }, (_, at) => ofSize(at + 2, 0)).flat();
}

/** Null: not to be matched. */
function scoreOf(pass: MatchingPass, left: Row, right: Row, { cell, ruleOf }: Rows): number | null {
  for (const name of pass.match === 'exact' ? pass.columns : (pass.same ?? [])) {
    const one = normalOf(ruleOf(name), 'left', cell.left(left, name));
    const other = normalOf(ruleOf(name), 'right', cell.right(right, name));
    if (one === null || one !== other) return null;
  }
  if (pass.match === 'exact') return 1;
  const shares: number[] = [];
  for (const [name, limit] of Object.entries(pass.within ?? {})) {
    const rule: Rule = { ...ruleOf(name), type: limitedType(ruleOf(name), limit) };
    const one = readCell(rule, 'left', cell.left(left, name));
    const other = readCell(rule, 'right', cell.right(right, name));
    if (one === null || other === null || !isWithin(limit, one, other)) return null;
    const distance = Number(one > other ? one - other : other - one);
    const text = String(limit);
    const most = text.endsWith('%')
      ? (Math.max(...[one, other].map((value) => Math.abs(Number(value)))) * Number(text.slice(0, -1))) / 100
      : Number(limitIn(text));
    shares.push(distance === 0 ? 0 : distance / most);
  }
  if (pass.match === 'sum') {
    const known = [
      amountOf(pass.amount, 'left', left, { cell, ruleOf } as Rows),
      amountOf(pass.amount, 'right', right, { cell, ruleOf } as Rows),
    ];
    return known.includes(null) ? null : 1;
  }
  if (pass.match === 'similar') {
    const one = textOf(ruleOf(pass.text), cell.left(left, pass.text));
    const other = textOf(ruleOf(pass.text), cell.right(right, pass.text));
    if (!one || !other) return null;
    const score = jaroWinkler(one, other);
    return score >= (pass.floor ?? 0.9) ? score : null;
  }
  return 1 - shares.reduce((sum, share) => sum + share, 0) / shares.length;
}

function limitedType(rule: Rule, limit: number | string): Rule['type'] {
  const isTime = /[a-z]/.test(String(limit));
  const fits = isTime ? ['date', 'timestamp'] : ['integer', 'decimal'];
  return fits.includes(rule.type) ? rule.type : isTime ? 'timestamp' : 'decimal';
}

function amountOf(name: string, side: Side, row: Row, { cell, ruleOf }: Rows): bigint | null {
  return readCell({ ...ruleOf(name), type: limitedType(ruleOf(name), 0) }, side, cell[side](row, name));
}

/** As Winkler wrote it: the common beginning, up to four letters, counts where the rest is alike by 0.7. */
function jaroWinkler(one: string, other: string): number {
  if (one === other) return 1;
  const reach = Math.max(0, Math.floor(Math.max(one.length, other.length) / 2) - 1);
  const met = new Set<number>();
  const ones = [...one].filter((letter, at) => {
    for (let to = Math.max(0, at - reach); to <= Math.min(other.length - 1, at + reach); to += 1) {
      if (met.has(to) || other[to] !== letter) continue;
      met.add(to);
      return true;
    }
    return false;
  });
  if (ones.length === 0) return 0;
  const others = [...other].filter((_, at) => met.has(at));
  const swapped = Math.floor(ones.filter((letter, at) => letter !== others[at]).length / 2);
  const same = ones.length;
  const jaro = (same / one.length + same / other.length + (same - swapped) / same) / 3;
  if (jaro <= 0.7) return jaro;
  let prefix = 0;
  while (prefix < 4 && prefix < one.length && one[prefix] === other[prefix]) prefix += 1;
  return jaro + prefix * 0.1 * (1 - jaro);
}
