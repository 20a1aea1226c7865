// npm run rules-schema: writes rules.schema.json, for editors, from the schema the rules are checked by. A test fails
// when it is stale.

import { writeFileSync } from 'node:fs';
import { rulesSchema } from '../src/reconciliation/rules/rulesSchema.ts';

export const schemaFile = new URL('../rules.schema.json', import.meta.url);

export const schemaText = `${JSON.stringify(
  {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Rules of unstuck reconcile',
    ...rulesSchema,
  },
  null,
  2,
)}\n`;

if (import.meta.main) writeFileSync(schemaFile, schemaText);
