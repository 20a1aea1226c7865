// A reconciliation written a second time, the plain way: everything in memory, row by row and field by field.

import type { ReconciliationRules } from '../../src/reconciliation/index.ts';
import { runPasses } from './referencePasses.ts';
import { isSame, normalOf, type Rule, ruleFor } from './referenceRules.ts';

export type Cell = string | null;
export interface Table {
  columns: string[];
  rows: Cell[][];
}

export interface Reference {
  counts: Record<string, unknown>;
  differences: Cell[][];
  onlyLeft: Cell[][];
  onlyRight: Cell[][];
  /** Side, then the row. */
  duplicates: Cell[][];
  /** Pass, score, and the rows of both sides. */
  matches: { pass: string; score: number; left: Cell[][]; right: Cell[][] }[];
}

export function reconcileInMemory(
  left: Table,
  right: Table,
  key: string[],
  rules: ReconciliationRules = {},
): Reference {
  const bothHave = left.columns.filter((name) => right.columns.includes(name) && !key.includes(name));
  const cell = (table: Table, row: Cell[], name: string) => row[table.columns.indexOf(name)]!;
  const values = (name: string) => ({
    left: left.rows.map((row) => cell(left, row, name)),
    right: right.rows.map((row) => cell(right, row, name)),
  });
  const rule = new Map<string, Rule>(
    [...key, ...bothHave].map((name) => [
      name,
      ruleFor(name, rules, key.includes(name) ? 'key' : 'compared', values(name)),
    ]),
  );
  const normals = (side: 'left' | 'right', row: Cell[], names: string[]) =>
    names.map((name) => normalOf(rule.get(name)!, side, cell(side === 'left' ? left : right, row, name)));
  const grouped = (side: 'left' | 'right', table: Table) =>
    Map.groupBy(table.rows, (row) => JSON.stringify(normals(side, row, key)));
  const lefts = grouped('left', left);
  const rights = grouped('right', right);
  const keys = new Set([...lefts.keys(), ...rights.keys()]);
  const found: Reference = {
    ...{ counts: {}, differences: [], onlyLeft: [], onlyRight: [], duplicates: [], matches: [] },
  };
  const columns = Object.fromEntries(bothHave.map((name) => [name, 0]));
  const duplicateKeys = { left: 0, right: 0 };
  const duplicateRows = { left: 0, right: 0 };
  let [matched, mismatched, duplicatePairs] = [0, 0, 0];
  const compare = (l: Cell[], r: Cell[]) => {
    let differs = false;
    for (const name of bothHave) {
      const [one, other] = [cell(left, l, name), cell(right, r, name)];
      if (isSame(rule.get(name)!, one, other)) continue;
      differs = true;
      columns[name]! += 1;
      found.differences.push([...key.map((column) => cell(left, l, column)), name, one, other]);
    }
    if (differs) mismatched += 1;
    else matched += 1;
  };
  for (const name of keys) {
    let ls = lefts.get(name) ?? [];
    let rs = rights.get(name) ?? [];
    if (ls.length > 1 || rs.length > 1) {
      duplicateKeys.left += ls.length > 1 ? 1 : 0;
      duplicateKeys.right += rs.length > 1 ? 1 : 0;
      if (rules.duplicates === 'pair') {
        const read = {
          left: (row: Cell[]) => normals('left', row, bothHave),
          right: (row: Cell[]) => normals('right', row, bothHave),
        };
        const pairs = pairUp(ls, rs, read);
        for (const [l, r] of pairs) compare(l, r);
        duplicatePairs += pairs.length;
        ls = ls.filter((row) => !pairs.some(([l]) => l === row));
        rs = rs.filter((row) => !pairs.some(([, r]) => r === row));
      }
      duplicateRows.left += ls.length;
      duplicateRows.right += rs.length;
      for (const row of ls) found.duplicates.push(['left', ...row]);
      for (const row of rs) found.duplicates.push(['right', ...row]);
    } else if (rs.length === 0) found.onlyLeft.push(ls[0]!);
    else if (ls.length === 0) found.onlyRight.push(rs[0]!);
    else compare(ls[0]!, rs[0]!);
  }
  const passes = runPasses(rules.passes ?? [], found, {
    order: {
      left: (row) => [...key.map((name) => cell(left, row, name)), ...row],
      right: (row) => [...key.map((name) => cell(right, row, name)), ...row],
    },
    cell: { left: (row, name) => cell(left, row, name), right: (row, name) => cell(right, row, name) },
    ruleOf: (name) => rule.get(name)!,
  });
  found.counts = {
    ...{
      left: left.rows.length,
      right: right.rows.length,
      matched,
      mismatched,
      columns,
      duplicatePairs,
      passes,
    },
    ...{ onlyLeft: found.onlyLeft.length, onlyRight: found.onlyRight.length, duplicateKeys, duplicateRows },
    types: Object.fromEntries(bothHave.map((name) => [name, rule.get(name)!.type])),
  };
  return found;
}

/** Rows of one key: equal ones first, the others in their order. */
function pairUp(
  lefts: Cell[][],
  rights: Cell[][],
  read: Record<'left' | 'right', (row: Cell[]) => Cell[]>,
): [Cell[], Cell[]][] {
  const ls = lefts.toSorted((a, b) => compareCells([...read.left(a), ...a], [...read.left(b), ...b]));
  const rs = rights.toSorted((a, b) => compareCells([...read.right(a), ...a], [...read.right(b), ...b]));
  const pairs: [Cell[], Cell[]][] = [];
  for (const l of [...ls]) {
    const r = rs.find((row) => JSON.stringify(read.right(row)) === JSON.stringify(read.left(l)));
    if (r === undefined) continue;
    pairs.push([l, r]);
    ls.splice(ls.indexOf(l), 1);
    rs.splice(rs.indexOf(r), 1);
  }
  for (let at = 0; at < Math.min(ls.length, rs.length); at += 1) pairs.push([ls[at]!, rs[at]!]);
  return pairs;
}

/** As the database orders: by bytes, NULL last. */
export function compareCells(one: Cell[], other: Cell[]): number {
  for (const [at, left] of one.entries()) {
    const right = other[at]!;
    if (left === right) continue;
    if (left === null || right === null) return left === null ? 1 : -1;
    return Buffer.compare(Buffer.from(left), Buffer.from(right));
  }
  return 0;
}

/** As a CSV with every delicate cell quoted; NULL is an empty field. */
export function toCsv({ columns, rows }: Table): string {
  const cell = (text: Cell) =>
    text === null ? '' : /^[\w.-]+$/.test(text) ? text : `"${text.replaceAll('"', '""')}"`;
  return `${[columns, ...rows].map((row) => row.map(cell).join(',')).join('\n')}\n`;
}

/** The records of a CSV, NULL and '' kept apart. */
export function fromCsv(text: string): Cell[][] {
  const records: Cell[][] = [];
  let record: Cell[] = [];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n)/g)) {
    record.push(quoted === undefined ? plain || null : quoted.replaceAll('""', '"'));
    if (end === ',') continue;
    records.push(record);
    record = [];
  }
  return records;
}
