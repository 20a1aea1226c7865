// npm run coverage -- [--json]: every line, branch and function of the charts and the actors is run by a test, or its
// source says why not. Runs the tests that it takes, counts in all their processes and threads, and ends with 1 where
// anything is missing.

import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { flagsOf } from '../support/flags.ts';
import { type Count, measure } from './measure.ts';
import { runMeasured } from './runMeasured.ts';

const root = new URL('../../', import.meta.url);
const measured = 'src/{machines,actors}/**/*.ts';
/** All that it takes: other tests run these rooms too, and add nothing. */
const tests = ['test/machines', 'test/actors'];

const values = flagsOf('npm run coverage -- [--json]', { json: { type: 'boolean' } });
const folder = mkdtempSync(join(tmpdir(), 'unstuck-coverage-'));
try {
  const vitest = join(createRequire(import.meta.url).resolve('vitest/package.json'), '../vitest.mjs');
  const { status } = runMeasured(folder, [vitest, 'run', ...tests], process.stderr.fd);
  const { files, missing, excluded } = await measure(folder, root, measured);
  const all = sum(Object.values(files));
  const isWhole = status === 0 && missing.length === 0;
  if (values.json === true) console.log(JSON.stringify({ isWhole, all, files, missing, excluded }));
  else {
    console.table({ ...files, all });
    for (const { place, what } of missing) console.log(`${place}: ${what}`);
    for (const { place, reason } of excluded) console.log(`${place}: left out: ${reason}`);
    console.log(`${missing.length} missing, ${excluded.length} left out with a reason`);
    if (status !== 0) console.log('tests failed: what they would have run may be missing');
  }
  process.exitCode = isWhole ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true });
}

function sum(counts: Count[]): Count {
  const all = { lines: 0, linesRun: 0, branches: 0, branchesRun: 0, functions: 0, functionsRun: 0 };
  for (const count of counts) for (const key of Object.keys(all) as (keyof Count)[]) all[key] += count[key];
  return all;
}
