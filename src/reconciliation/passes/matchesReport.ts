// The report of the matching passes: each match with its number, the pass that made it, its score and its rows, whole.

import { identifier, literal } from '../database.ts';
import type { Plan } from '../plan.ts';
import type { Report } from '../report.ts';

export function matchesReport(plan: Plan): Report {
  const names = [...new Set([...plan.key.map((column) => column.name), ...plan.left, ...plan.right])];
  const passes = plan.passes.map(({ name }, index) => `(${index}, ${literal(name)})`);
  const of = (side: 'left' | 'right') => {
    const cells = names.map((name, index) => {
      const at = plan[side].indexOf(name);
      const cell = at === -1 ? 'NULL' : `CAST(${side[0]}${at} AS VARCHAR)`;
      return `${cell} AS ${identifier(`c${index}`)}`;
    });
    return `SELECT match, pass, score, side, n, ${cells.join(', ')} FROM pass_rows JOIN open_${side} USING (n) WHERE side = '${side}'`;
  };
  return {
    name: 'matches',
    header: ['match', 'pass', 'score', 'side', ...names],
    query: `SELECT match + 1, name, round(score, 4), side, ${names.map((_, index) => identifier(`c${index}`)).join(', ')}
      FROM (${of('left')} UNION ALL ${of('right')}) JOIN (VALUES ${passes.join(', ')}) passes(pass, name) USING (pass)
      ORDER BY match, side, n`,
  };
}
