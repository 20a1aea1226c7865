// The JSON Schema of the rules: the one source of what is accepted. rules.schema.json is written from it
// (npm run rules-schema), and checkRules.ts reads it. A test holds it against the types of rules.ts.

/** The part of JSON Schema that is used here. `description` of a scalar is what an error says was expected. */
export interface Schema {
  readonly type?: 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean';
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly const?: string;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly minProperties?: number;
  readonly additionalProperties?: Schema | false;
  readonly anyOf?: readonly Schema[];
}

const columnTypes = ['text', 'integer', 'decimal', 'date', 'timestamp', 'boolean'];
const column: Schema = { type: 'string', minLength: 1, description: 'the name of a column' };
const columns = (minItems: number): Schema => ({
  type: 'array',
  items: column,
  minItems,
  uniqueItems: true,
  description: minItems > 0 ? 'a list of at least one column name' : 'a list of column names',
});
const perColumn = (schema: Schema, what: string): Schema => ({
  type: 'object',
  additionalProperties: schema,
  description: `an object of column names and ${what}`,
});
const flag: Schema = { type: 'boolean', description: 'true or false' };
const forSides = (schema: Schema, description: string): Schema => ({
  description,
  anyOf: [
    schema,
    {
      type: 'object',
      properties: { left: schema, right: schema },
      additionalProperties: false,
      minProperties: 1,
    },
  ],
});

const amount = '\\d{1,19}(\\.\\d{1,18})?';
const percent = '(100|\\d{1,2}(\\.\\d{1,6})?)%';
const time = '\\d{1,9} ?(seconds?|s|minutes?|min|m|hours?|h|days?|d|weeks?|w)';
const limit: Schema = {
  description:
    "a decimal number, 0 or more, such as 0.01, a percentage such as '0.1%', or a time such as '2 days'",
  anyOf: [
    { type: 'number', minimum: 0 },
    { type: 'string', pattern: `^(${amount}|${percent}|${time})$` },
  ],
};
const drift: Schema = {
  description: 'a decimal number, 0 or more, such as 0.01',
  anyOf: [
    { type: 'number', minimum: 0 },
    { type: 'string', pattern: `^${amount}$` },
  ],
};

const numbers = forSides(
  { type: 'string', pattern: "^1([,' _\\u00a0\\u202f]?234\\.|[.' _\\u00a0\\u202f]?234,)56$" },
  "how 1234.56 is written, such as '1.234,56', or { left, right } of that",
);
const format: Schema = { type: 'string', pattern: '%' };
const dates = forSides(
  { anyOf: [format, { type: 'array', items: format, minItems: 1 }] },
  "a date format such as '%d.%m.%Y', a list of them, or { left, right } of that",
);

const options: Schema = {
  type: 'object',
  description: 'an object of options, such as { "ignoreCase": true }',
  properties: {
    ignoreCase: flag,
    whitespace: { type: 'string', enum: ['trim', 'collapse'] },
    unicode: { type: 'string', enum: ['NFC'] },
    numbers,
    dates,
    emptyIsNull: flag,
  },
  additionalProperties: false,
};

const name: Schema = { type: 'string', minLength: 1, description: 'a name' };
const atMost = (minimum: number, maximum: number): Schema => ({
  type: 'integer',
  minimum,
  maximum,
  description: `a whole number, ${minimum} to ${maximum}`,
});
const within: Schema = { ...perColumn(limit, 'limits'), minProperties: 1 };
const narrowing = { name, same: columns(1), within, candidates: atMost(1, 100_000) };
const pass = (match: string, properties: Record<string, Schema>, required: string[]): Schema => ({
  type: 'object',
  properties: { match: { type: 'string', const: match }, ...properties },
  required: ['match', ...required],
  additionalProperties: false,
});

export const rulesSchema = {
  type: 'object',
  description: 'an object of rules',
  properties: {
    $schema: { type: 'string', description: 'the path of this schema, for editors' },
    key: columns(1),
    compare: columns(1),
    ignore: columns(0),
    types: perColumn({ type: 'string', enum: columnTypes }, 'types'),
    tolerance: perColumn(limit, 'numbers'),
    columns: perColumn(options, 'options'),
    duplicates: { type: 'string', enum: ['report', 'pair'] },
    passes: {
      type: 'array',
      description: 'a list of at most 20 matching passes',
      maxItems: 20,
      items: {
        description: 'a pass, which says its match: exact, near, sum or similar',
        anyOf: [
          pass('exact', { name, columns: columns(1) }, ['columns']),
          pass('near', narrowing, ['within']),
          pass(
            'sum',
            { ...narrowing, candidates: atMost(2, 60), amount: column, drift, rows: atMost(2, 10) },
            ['amount'],
          ),
          pass(
            'similar',
            {
              ...narrowing,
              text: column,
              floor: { type: 'number', minimum: 0, maximum: 1, description: 'a number, 0 to 1' },
            },
            ['text'],
          ),
        ],
      },
    },
  },
  additionalProperties: false,
} as const satisfies Schema;
