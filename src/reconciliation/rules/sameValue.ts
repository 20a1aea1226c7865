// The SQL of "the same value", from the rule of a column. Values that are the same text are the same without any
// reading; only where the texts differ are they read as the type says. NULL is only the same as NULL.

import { literal } from '../database.ts';
import type { ColumnRule, NumberMarks } from './columnRule.ts';
import type { Limit } from './limit.ts';

type Side = 'left' | 'right';

/** Letter for letter, or as the database compares two values of its own type. */
export function isPlain(rule: ColumnRule): boolean {
  const { type, limit, ignoreCase, whitespace, nfc, emptyIsNull } = rule;
  return type === 'text' && limit === null && !ignoreCase && whitespace === 'keep' && !nfc && !emptyIsNull;
}

/**
 * The comparison of one column in three layers, `[expression, name]` each, which use the names of the layers before: an
 * expression that stood where it is used would be multiplied, and DuckDB planned it for seconds. The last one, under
 * `name`, is true where the values differ and never NULL. `left` and `right` are columns of one SQL type.
 */
export function comparison(
  rule: ColumnRule,
  name: string,
  left: string,
  right: string,
): [string, string][][] {
  const equal = `${left} IS NOT DISTINCT FROM ${right}`;
  if (isPlain(rule)) return [[], [], [[`NOT (${equal})`, name]]];
  const texts = `${textOf(rule, left)} IS NOT DISTINCT FROM ${textOf(rule, right)}`;
  const sides = { left, right };
  const ifDiffers = (sql: string) => `CASE WHEN ${equal} THEN NULL ELSE ${sql} END`;
  const reads = (['left', 'right'] as const).map((side): [string, string] | null => {
    const value = readValue(rule, side, sides[side]);
    return value === null ? null : [ifDiffers(value), `${name}_${side}`];
  });
  if (reads.includes(null))
    return [[], [], [[`CASE WHEN ${equal} THEN false ELSE NOT (${texts}) END`, name]]];
  const [one, other] = [`${name}_left`, `${name}_right`];
  const shares: [string, string][] =
    rule.limit?.kind === 'relative'
      ? [
          [`units(abs(${one} - ${other}))`, `${name}_apart`],
          [`greatest(abs(units(${one})), abs(units(${other})))`, `${name}_larger`],
        ]
      : [];
  const near =
    rule.limit?.kind === 'relative'
      ? `times_at_most(${name}_apart, 100000000, ${name}_larger, ${rule.limit.parts})`
      : within(rule.limit, one, other);
  return [
    reads as [string, string][],
    shares,
    [[`CASE WHEN ${equal} THEN false ELSE NOT coalesce(${near}, ${texts}) END`, name]],
  ];
}

/** A value that is equal exactly where two values are the same, tolerance apart: to hash, group and sort by. */
export function normal(rule: ColumnRule, side: Side, value: string): string {
  if (isPlain(rule)) return value;
  const text = textOf(rule, value);
  const read = readValue(rule, side, value);
  // The mark keeps a text that could not be read apart from the texts of what could.
  return read === null ? text : `coalesce(CAST(${read} AS VARCHAR), '≠' || ${text})`;
}

/** The value as its type says, NULL where it cannot be read so; null for text, which is no such type. */
export function readValue(rule: ColumnRule, side: Side, value: string): string | null {
  const text = `CAST(${value} AS VARCHAR)`;
  const marks = rule.numbers[side];
  const formats = rule.dates[side];
  switch (rule.type) {
    case 'decimal':
      return marks === null ? `exact(${text})` : `exact_plain(${plainNumber(marks, text)})`;
    case 'integer': {
      const plain = marks === null ? text : plainNumber(marks, text);
      return `exact_whole(${plain})`;
    }
    case 'date':
      return `date_trunc('day', ${momentOf(formats, text)})`;
    case 'timestamp':
      return momentOf(formats, text);
    case 'boolean':
      return `truth(${text})`;
    default:
      return null;
  }
}

/** True where two read values lie within the limit; NULL where one of them is NULL. */
export function within(limit: Limit | null, left: string, right: string): string {
  if (limit === null) return `${left} = ${right}`;
  switch (limit.kind) {
    case 'absolute':
      return `abs(${left} - ${right}) <= CAST(${literal(limit.amount)} AS DECIMAL(38, 18))`;
    case 'relative':
      return `times_at_most(units(abs(${left} - ${right})), 100000000, greatest(abs(units(${left})), abs(units(${right}))), ${limit.parts})`;
    case 'window':
      return `abs(epoch_us(${left}) - epoch_us(${right})) <= ${BigInt(limit.seconds) * 1_000_000n}`;
  }
}

/** What JavaScript calls white space, too. */
const space = '[\\s\\v\\p{Z}\\x{FEFF}]+';

/** The text as its rule reads it: what an unreadable value is compared by. */
export function textOf(rule: ColumnRule, value: string): string {
  let text = `CAST(${value} AS VARCHAR)`;
  if (rule.whitespace !== 'keep') text = `regexp_replace(${text}, '^${space}|${space}$', '', 'g')`;
  if (rule.whitespace === 'collapse') text = `regexp_replace(${text}, '${space}', ' ', 'g')`;
  if (rule.ignoreCase) text = `lower(${text})`;
  if (rule.nfc) text = `nfc_normalize(${text})`;
  return rule.emptyIsNull ? `nullif(${text}, '')` : text;
}

/** A number with the marks of its country as a plain one; NULL where its marks stand elsewhere. */
function plainNumber({ thousands, decimal }: NumberMarks, text: string): string {
  const mark = (character: string) => `[${character}]`;
  // A file that groups by spaces often means one of those that do not break.
  const between = /\s/u.test(thousands) ? '[ \\x{A0}\\x{202F}]' : mark(thousands);
  const grouped = thousands === '' ? '' : `\\d{1,3}(${between}\\d{3})+|`;
  const pattern = `\\s*[+-]?(${grouped}\\d+)(${mark(decimal)}\\d*)?\\s*`;
  const bare = thousands === '' ? text : `regexp_replace(${text}, ${literal(between)}, '', 'g')`;
  return `CASE WHEN regexp_full_match(${text}, ${literal(pattern)}) THEN replace(trim(${bare}), ${literal(decimal)}, '.') END`;
}

function momentOf(formats: readonly string[] | null, text: string): string {
  if (formats === null) return `moment(${text})`;
  return `CAST(try_strptime(trim(${text}), [${formats.map(literal).join(', ')}]) AS TIMESTAMP)`;
}
