// The tables of docs/metrics.md, made from the instruments themselves, and its examples. `npm run metrics` writes them; a test fails when they are
// stale.

import { readFileSync } from 'node:fs';
import { attribute, type InstrumentDefinition, instruments } from '../src/runtime/telemetry/instruments.ts';
import { writeMarked } from './marked.ts';

const definitions: readonly InstrumentDefinition[] = Object.values(instruments);

const told = (names: readonly string[]) =>
  names.length === 0 ? '' : names.map((name) => `\`${name}\``).join(' ');

function prometheusName({ name, kind }: InstrumentDefinition): string {
  return name.replaceAll('.', '_') + (kind === 'counter' ? '_total' : '');
}

const kindOf = ({ kind, of }: InstrumentDefinition) => (of === 'engine' ? 'gauge, of the engine' : kind);

export const metricsTable = [
  '| metric | to Prometheus | kind | unit | what | attributes |',
  '| --- | --- | --- | --- | --- | --- |',
  ...definitions.map(
    (each) =>
      `| \`${each.name}\` | \`${prometheusName(each)}\` | ${kindOf(each)} | \`${each.unit}\` | ${each.about} | ${told(
        each.attributes.map((own) => attribute[own]),
      )} |`,
  ),
].join('\n');

export const bucketsTable = [
  '| histogram | upper bounds of its buckets, s |',
  '| --- | --- |',
  ...definitions.flatMap(({ name, boundaries }) =>
    boundaries === undefined ? [] : [`| \`${name}\` | ${boundaries.join(', ')} |`],
  ),
].join('\n');

/** Shown word for word. */
export const shownExamples = ['examples/observing/page.ts', 'examples/observing/sdk.ts'];

export function exampleBlock(example: string): string {
  const code = readFileSync(new URL(`../${example}`, import.meta.url), 'utf8');
  return `\`\`\`ts\n${code}\`\`\``;
}

export const metricsDocument = new URL('../docs/metrics.md', import.meta.url);

if (import.meta.main) {
  writeMarked(metricsDocument, 'metrics', metricsTable);
  writeMarked(metricsDocument, 'buckets', bucketsTable);
  for (const example of shownExamples) writeMarked(metricsDocument, example, exampleBlock(example));
}
