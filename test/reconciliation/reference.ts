// A reconciliation written a second time, the plain way: everything in memory, row by row and field by field.

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
}

export function reconcileInMemory(
  left: Table,
  right: Table,
  key: string[],
  tolerance: Record<string, string>,
): Reference {
  const bothHave = left.columns.filter((name) => right.columns.includes(name) && !key.includes(name));
  const keyOf = (table: Table, row: Cell[]) => key.map((name) => row[table.columns.indexOf(name)]!);
  const grouped = (table: Table) => Map.groupBy(table.rows, (row) => JSON.stringify(keyOf(table, row)));
  const lefts = grouped(left);
  const rights = grouped(right);
  const keys = new Set([...lefts.keys(), ...rights.keys()]);
  const found: Reference = { counts: {}, differences: [], onlyLeft: [], onlyRight: [], duplicates: [] };
  const columns = Object.fromEntries(bothHave.map((name) => [name, 0]));
  const duplicateKeys = { left: 0, right: 0 };
  const duplicateRows = { left: 0, right: 0 };
  let matched = 0;
  let mismatched = 0;
  for (const name of keys) {
    const ls = lefts.get(name) ?? [];
    const rs = rights.get(name) ?? [];
    if (ls.length > 1 || rs.length > 1) {
      duplicateKeys.left += ls.length > 1 ? 1 : 0;
      duplicateKeys.right += rs.length > 1 ? 1 : 0;
      duplicateRows.left += ls.length;
      duplicateRows.right += rs.length;
      for (const row of ls) found.duplicates.push(['left', ...row]);
      for (const row of rs) found.duplicates.push(['right', ...row]);
    } else if (rs.length === 0) found.onlyLeft.push(ls[0]!);
    else if (ls.length === 0) found.onlyRight.push(rs[0]!);
    else {
      let differs = false;
      for (const column of bothHave) {
        const l = ls[0]![left.columns.indexOf(column)]!;
        const r = rs[0]![right.columns.indexOf(column)]!;
        if (same(l, r, tolerance[column])) continue;
        differs = true;
        columns[column]! += 1;
        found.differences.push([...keyOf(left, ls[0]!), column, l, r]);
      }
      if (differs) mismatched += 1;
      else matched += 1;
    }
  }
  found.counts = {
    ...{ left: left.rows.length, right: right.rows.length, matched, mismatched, columns },
    ...{ onlyLeft: found.onlyLeft.length, onlyRight: found.onlyRight.length, duplicateKeys, duplicateRows },
  };
  return found;
}

function same(left: Cell, right: Cell, tolerance: string | undefined): boolean {
  if (left === right) return true;
  if (tolerance === undefined || left === null || right === null) return false;
  const [l, r] = [scaled(left), scaled(right)];
  if (l === null || r === null) return false;
  const distance = l > r ? l - r : r - l;
  return distance <= scaled(tolerance)!;
}

/** A plain decimal number in units of 10^-18. */
function scaled(text: string): bigint | null {
  const parts = /^\s*([+-]?)(\d*)\.?(\d*)\s*$/.exec(text);
  if (parts === null || parts[2]! + parts[3]! === '') return null;
  return BigInt(`${parts[1] === '-' ? '-' : ''}${parts[2]}${parts[3]!.padEnd(18, '0')}`);
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
