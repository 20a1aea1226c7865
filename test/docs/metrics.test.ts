// docs/metrics.md is as the code is: its tables, its examples, which run, and the queries that it shows.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withMarked } from '../../scripts/marked.ts';
import {
  bucketsTable,
  exampleBlock,
  metricsDocument,
  metricsTable,
  shownExamples,
} from '../../scripts/metricsTable.ts';
import { root } from '../cli/commandLine.ts';
import { parseExposition } from '../telemetry/exposition.ts';

const text = readFileSync(metricsDocument, 'utf8');

test('its tables are those of the instruments: run npm run metrics', () => {
  expect(withMarked(text, 'metrics', metricsTable)).toBe(text);
  expect(withMarked(text, 'buckets', bucketsTable)).toBe(text);
  for (const table of [metricsTable, bucketsTable]) expect(text).toContain(table);
});

test('its examples are the files, word for word: run npm run metrics', () => {
  for (const example of shownExamples) expect(text).toContain(exampleBlock(example));
});

function run(example: string): string {
  const source = join(root, 'examples/embedding/source.js');
  return execFileSync(process.execPath, ['--import', source, join(root, example)], { encoding: 'utf8' });
}

test('the example with an SDK runs, and exports', () => {
  const said = run('examples/observing/sdk.ts');
  expect(said).toContain('Hello Ada');
  expect(said).toContain("name: 'unstuck.job.ended'");
});

test('the example with a page runs, and serves', () => {
  const said = run('examples/observing/page.ts');
  const served = said.slice(said.indexOf('# HELP'));
  expect(parseExposition(served).samples).toContainEqual({
    name: 'unstuck_job_ended_total',
    labels: { messaging_destination_name: 'greet', unstuck_job_state: 'completed' },
    value: 1,
  });
  for (const [name] of text.matchAll(/\bunstuck_[a-z_]+(?=\)|\{|\[)/g))
    expect(served).toContain(`# TYPE ${name} `);
});
