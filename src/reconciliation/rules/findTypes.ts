// Finds what a column is compared as, where nobody told. It is a number or a date only where reading it loses nothing:
// every value of both sides is one, and within a side no two spellings mean the same. Else it stays text: account
// numbers with leading zeros, versions (1.9, 1.10), mixed formats.

import type { Database } from '../database.ts';
import type { Plan } from '../plan.ts';
import type { TypedColumn } from '../source.ts';
import type { ColumnRule } from './columnRule.ts';
import type { ColumnType } from './rules.ts';

type Side = 'left' | 'right';
type Kind = 'number' | 'moment' | 'truth';

/** What a side says about a column: its kind, and how narrow it is. Null: it holds no value, so anything may be. */
type Evidence = { kind: Kind | null; isNarrow: boolean; shape: string } | null;

/** How many rows are looked at before all of them are: most text is known for text by then. */
const sampleRows = 1000;

/** The plan with every compared column's type known. Both sides are staged. */
export async function findTypes(
  database: Database,
  plan: Plan,
  declared: Record<Side, readonly TypedColumn[]>,
): Promise<Plan> {
  const open = plan.compared.filter((column) => column.rule.type === null);
  const sides = { left: new Map<number, Evidence>(), right: new Map<number, Evidence>() };
  for (const side of ['left', 'right'] as const) {
    const texts = new Map<number, Kind | null>();
    for (const column of open) {
      const at = column[side];
      const type = declared[side][at]!.type;
      if (type === 'VARCHAR') texts.set(at, null);
      else sides[side].set(at, declaredEvidence(type));
    }
    const first = await evidenceIn(database, side, texts, `LIMIT ${sampleRows}`);
    const likely = new Map<number, Kind | null>();
    for (const [at, found] of first) {
      sides[side].set(at, found);
      if (found === null || found.kind !== null) likely.set(at, found?.kind ?? null);
    }
    for (const [at, found] of await evidenceIn(database, side, likely, '')) sides[side].set(at, found);
  }
  return {
    ...plan,
    compared: plan.compared.map((column) => {
      if (column.rule.type !== null) return column;
      const type = typeOf(sides.left.get(column.left)!, sides.right.get(column.right)!);
      return { ...column, rule: { ...column.rule, type } satisfies ColumnRule };
    }),
  };
}

function typeOf(left: Evidence, right: Evidence): ColumnType {
  const one = left ?? right;
  const other = right ?? left;
  if (one === null || other === null || one.kind === null || one.kind !== other.kind) return 'text';
  switch (one.kind) {
    case 'number':
      return one.isNarrow && other.isNarrow ? 'integer' : 'decimal';
    case 'moment':
      // A moment with a zone and one without cannot be held against each other without a guess.
      if (!one.isNarrow && !other.isNarrow && one.shape !== other.shape) return 'text';
      return one.isNarrow && other.isNarrow ? 'date' : 'timestamp';
    case 'truth':
      return 'boolean';
  }
}

function declaredEvidence(type: string): Evidence {
  if (/^U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?$/.test(type)) return { kind: 'number', isNarrow: true, shape: '' };
  if (/^(DECIMAL|FLOAT|DOUBLE)/.test(type)) return { kind: 'number', isNarrow: false, shape: '' };
  if (type === 'DATE') return { kind: 'moment', isNarrow: true, shape: 'local' };
  if (type.startsWith('TIMESTAMP'))
    return { kind: 'moment', isNarrow: false, shape: type.endsWith('ZONE') ? 'zone' : 'local' };
  if (type === 'BOOLEAN') return { kind: 'truth', isNarrow: true, shape: '' };
  return { kind: null, isNarrow: false, shape: '' };
}

// No leading zeros, no plus, no minus zero, and within what a decimal holds.
const number = "'(0(\\.\\d{1,18})?|-?[1-9]\\d{0,18}(\\.\\d{1,18})?|-0\\.\\d*[1-9]\\d*)'";

/** What counts for each kind, of the value `v`. */
const counts: Record<Kind, (v: string) => Record<string, string>> = {
  number: (v) => {
    const scale = `CASE WHEN contains(${v}, '.') THEN length(${v}) - instr(${v}, '.') ELSE 0 END`;
    return {
      numbers: `count_if(regexp_full_match(${v}, ${number}))`,
      least: `min(${scale})`,
      most: `max(${scale})`,
      trailing: `count_if(contains(${v}, '.') AND ends_with(${v}, '0'))`,
    };
  },
  moment: (v) => {
    const shape = `regexp_replace(regexp_replace(${v}, '[+-]\\d\\d(:?\\d\\d)?$', ''), '\\d', '9', 'g')`;
    return {
      moments: `count_if(moment(${v}) IS NOT NULL)`,
      days: `count_if(length(${v}) = 10)`,
      zones: `count_if(regexp_matches(${v}, '(Z|[+-]\\d\\d(:?\\d\\d)?)$') AND length(${v}) > 10)`,
      shapes: `count(DISTINCT CASE WHEN length(${v}) < 40 THEN ${shape} ELSE '' END)`,
    };
  },
  truth: (v) => ({
    lower: `count_if(${v} IN ('true', 'false'))`,
    upper: `count_if(${v} IN ('TRUE', 'FALSE'))`,
    title: `count_if(${v} IN ('True', 'False'))`,
  }),
};

/** Of the first rows or of all; where a column's kind is known already, only that one is looked for. */
async function evidenceIn(
  database: Database,
  side: Side,
  columns: ReadonlyMap<number, Kind | null>,
  limit: string,
): Promise<Map<number, Evidence>> {
  const found = new Map<number, Evidence>();
  if (columns.size === 0) return found;
  const cells: string[] = [];
  const asked: string[] = [];
  for (const [at, kind] of columns) {
    // An empty text says as little about the type as NULL does.
    cells.push(`nullif(${side[0]}${at}, '') AS v${at}`);
    asked.push(`count(v${at})::DOUBLE AS n${at}`);
    for (const each of kind === null ? (Object.keys(counts) as Kind[]) : [kind]) {
      for (const [name, count] of Object.entries(counts[each](`v${at}`)))
        asked.push(`CAST(${count} AS DOUBLE) AS ${name}${at}`);
    }
  }
  const [row] = await database.rows(
    `SELECT ${asked.join(', ')} FROM (SELECT ${cells.join(', ')} FROM ${side}_rows ${limit})`,
  );
  for (const at of columns.keys())
    found.set(
      at,
      judge((name) => Number(row![`${name}${at}`] ?? 0)),
    );
  return found;
}

function judge(count: (name: string) => number): Evidence {
  const n = count('n');
  if (n === 0) return null;
  if (count('numbers') === n) {
    // One number has one spelling: as many digits after the point everywhere, or as few as it needs.
    const isOneSpelling = count('least') === count('most') || count('trailing') === 0;
    return { kind: isOneSpelling ? 'number' : null, isNarrow: count('most') === 0, shape: '' };
  }
  if (count('moments') === n && count('shapes') === 1) {
    const zones = count('zones');
    if (zones !== 0 && zones !== n) return { kind: null, isNarrow: false, shape: '' };
    return { kind: 'moment', isNarrow: count('days') === n, shape: zones === n ? 'zone' : 'local' };
  }
  if (['lower', 'upper', 'title'].some((spelling) => count(spelling) === n))
    return { kind: 'truth', isNarrow: true, shape: '' };
  return { kind: null, isNarrow: false, shape: '' };
}
