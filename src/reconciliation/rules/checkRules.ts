// Holds a value against rulesSchema.ts. Each thing wrong is told with its path, what was expected and what came.

import type { ReconciliationRules } from './rules.ts';
import { rulesSchema, type Schema } from './rulesSchema.ts';

export type Refuse = (path: PropertyKey[], expected: string, got: unknown) => void;

/** The fields of the rules, which the input takes too. */
export const ruleFields = Object.keys(rulesSchema.properties).filter((name) => name !== '$schema');

/** Answers with the rules if they can be used; else `refuse` was called. `path` is where they stand. */
export function checkRules(value: unknown, path: PropertyKey[], refuse: Refuse): ReconciliationRules | null {
  return check(rulesSchema, value, path, refuse) ? (value as ReconciliationRules) : null;
}

function check(schema: Schema, value: unknown, path: PropertyKey[], refuse: Refuse): boolean {
  const wrong = (expected = describe(schema)) => {
    refuse(path, expected, value);
    return false;
  };
  if (schema.anyOf !== undefined) return checkAny(schema, value, path, refuse);
  switch (schema.type) {
    case 'object':
      return isObject(value) ? checkObject(schema, value, path, refuse) : wrong();
    case 'array': {
      const { items, minItems = 0, maxItems = Infinity } = schema;
      if (!Array.isArray(value) || value.length < minItems || value.length > maxItems) return wrong();
      // A list of names is told as one thing; of anything else, the item.
      if (items?.type === 'string') {
        if (!value.every((item) => check(items, item, path, () => undefined))) return wrong();
      } else if (!value.every((item, index) => check(items!, item, [...path, index], refuse))) return false;
      return !schema.uniqueItems || new Set(value).size === value.length || wrong('each column once');
    }
    case 'string':
      return (
        (typeof value === 'string' &&
          value.length >= (schema.minLength ?? 0) &&
          (schema.const === undefined || value === schema.const) &&
          (schema.enum === undefined || schema.enum.includes(value)) &&
          (schema.pattern === undefined || new RegExp(schema.pattern, 'u').test(value))) ||
        wrong()
      );
    case 'boolean':
      return typeof value === 'boolean' || wrong();
    default:
      return (
        (typeof value === 'number' &&
          Number.isFinite(value) &&
          value >= (schema.minimum ?? -Infinity) &&
          value <= (schema.maximum ?? Infinity) &&
          (schema.type === 'number' || Number.isInteger(value))) ||
        wrong()
      );
  }
}

function checkObject(
  schema: Schema,
  value: Record<string, unknown>,
  path: PropertyKey[],
  refuse: Refuse,
): boolean {
  const { properties = {}, additionalProperties, required = [], minProperties = 0 } = schema;
  let isFine = true;
  const tell: Refuse = (...told) => {
    isFine = false;
    refuse(...told);
  };
  for (const name of required) {
    if (value[name] === undefined) tell([...path, name], describe(properties[name]!), undefined);
  }
  const given = Object.entries(value).filter(([, item]) => item !== undefined);
  if (given.length < minProperties) tell(path, describe(schema), value);
  for (const [name, item] of given) {
    const known = Object.hasOwn(properties, name) ? properties[name] : additionalProperties;
    if (known) check(known, item, [...path, name], tell);
    else tell([...path, name], `no such field (the fields are ${Object.keys(properties).join(', ')})`, item);
  }
  return isFine;
}

/** Where the alternatives are told apart by `match`, the one that was meant says what is wrong. */
function checkAny(schema: Schema, value: unknown, path: PropertyKey[], refuse: Refuse): boolean {
  const choices = schema.anyOf!;
  const meant = choices.find((choice) => {
    const match = choice.properties?.match?.const;
    return match !== undefined && isObject(value) && value.match === match;
  });
  if (meant !== undefined) return check(meant, value, path, refuse);
  // A number stands for the text that it is written as: 1e-7 no longer says how it was meant in decimal.
  const patterns = choices.flatMap(({ pattern }) => pattern ?? []);
  const isWritten =
    typeof value !== 'number' || patterns.some((each) => new RegExp(each, 'u').test(String(value)));
  if (isWritten && choices.some((choice) => check(choice, value, path, () => undefined))) return true;
  refuse(path, describe(schema), value);
  return false;
}

function describe({ description, enum: choices }: Schema): string {
  return description ?? (choices === undefined ? 'another value' : listChoices(choices));
}

function listChoices(choices: readonly string[]): string {
  if (choices.length < 2) return choices.join('');
  return `${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
