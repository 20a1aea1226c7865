// Reads a table that is numbered by `place` from 0 in pieces, so that what is in memory does not grow with it.

import type { Staging } from '../staging.ts';

const pageRows = 20_000;

export async function* pagesOf(
  { database }: Staging,
  table: string,
  columns: string,
): AsyncGenerator<Record<string, unknown>[]> {
  const names = columns
    .split(', ')
    .map((name) => (name.endsWith('_n') ? `${name}::DOUBLE AS ${name}` : name));
  for (let from = 0; ; from += pageRows) {
    const rows = await database.rows(
      `SELECT place::DOUBLE AS place, ${names.join(', ')} FROM ${table}
       WHERE place >= $1 AND place < $2 ORDER BY place`,
      [from, from + pageRows],
    );
    if (rows.length > 0) yield rows;
    if (rows.length < pageRows) return;
  }
}
