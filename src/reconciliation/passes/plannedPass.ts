// A matching pass as it is run: its columns by position on each side, each with the rule it is read by.

import { ReconciliationInputError } from '../inputError.ts';
import { type ColumnRule, limitedRule } from '../rules/columnRule.ts';
import { type Limit, parseLimit } from '../rules/limit.ts';
import type { MatchingPass } from '../rules/rules.ts';

export interface PassColumn {
  readonly name: string;
  readonly left: number;
  readonly right: number;
  readonly rule: ColumnRule;
}

export interface LimitedColumn extends PassColumn {
  readonly limit: Limit;
}

export interface PlannedPass {
  readonly name: string;
  readonly match: MatchingPass['match'];
  readonly same: readonly PassColumn[];
  readonly within: readonly LimitedColumn[];
  /** Rows of the other side that are looked at for one. */
  readonly candidates: number;
  readonly sum: { readonly amount: PassColumn; readonly drift: string; readonly rows: number } | null;
  readonly similar: { readonly text: PassColumn; readonly floor: number } | null;
}

/** `columnOf` answers with the column of both sides under that name, or null. */
export function planPasses(
  passes: readonly MatchingPass[],
  columnOf: (name: string) => PassColumn | null,
  listed: string,
): PlannedPass[] {
  const names = new Set<string>();
  return passes.map((pass, index) => {
    const column = (field: string, name: string): PassColumn => {
      const found = columnOf(name);
      if (found !== null) return found;
      const expected = `a column that both sides have (${listed})`;
      const advice = 'Check the spelling, letter for letter.';
      throw new ReconciliationInputError(`passes.${index}.${field}`, expected, JSON.stringify(name), advice);
    };
    const name = pass.name ?? pass.match;
    if (names.has(name)) {
      const advice = 'Give one of the passes another name.';
      throw new ReconciliationInputError(
        `passes.${index}.name`,
        'each name once',
        JSON.stringify(name),
        advice,
      );
    }
    names.add(name);
    if (pass.match === 'exact') {
      const same = pass.columns.map((each, at) => column(`columns.${at}`, each));
      return { name, match: 'exact', same, within: [], candidates: 1, sum: null, similar: null };
    }
    const limits = Object.entries(pass.within ?? {}).map(([each, given]): LimitedColumn => {
      const limit = parseLimit(given)!;
      const found = column('within', each);
      return { ...found, limit, rule: limitedRule(found.rule, limit) };
    });
    return {
      name,
      match: pass.match,
      same: (pass.same ?? []).map((each, at) => column(`same.${at}`, each)),
      within: limits,
      candidates: pass.candidates ?? (pass.match === 'sum' ? 20 : 1000),
      sum:
        pass.match === 'sum'
          ? {
              amount: asNumber(column('amount', pass.amount)),
              drift: String(pass.drift ?? 0),
              rows: pass.rows ?? 5,
            }
          : null,
      similar:
        pass.match === 'similar' ? { text: column('text', pass.text), floor: pass.floor ?? 0.9 } : null,
    };
  });
}

/** With the types that were found since. */
export function settlePass(pass: PlannedPass, ruleOf: (name: string) => ColumnRule | null): PlannedPass {
  const settle = <T extends PassColumn>(column: T): T => ({
    ...column,
    rule: ruleOf(column.name) ?? column.rule,
  });
  return {
    ...pass,
    same: pass.same.map(settle),
    within: pass.within.map((column) => ({
      ...column,
      rule: limitedRule(settle(column).rule, column.limit),
    })),
    sum: pass.sum === null ? null : { ...pass.sum, amount: asNumber(settle(pass.sum.amount)) },
    similar: pass.similar === null ? null : { ...pass.similar, text: settle(pass.similar.text) },
  };
}

function asNumber(column: PassColumn): PassColumn {
  return { ...column, rule: limitedRule(column.rule, { kind: 'absolute', amount: '0' }) };
}
