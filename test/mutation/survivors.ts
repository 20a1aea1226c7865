// npm run stryker -- [--file NAME]...: mutates the charts, and ends with 1 where a mutant survives that is not known to
// be equivalent. `--file job` for src/machines/job.ts alone; all of them take some time.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Stryker } from '@stryker-mutator/core';
import { type Equivalent, equivalents } from './equivalents.ts';

const { values } = parseArgs({ options: { file: { type: 'string', multiple: true } } });
const mutate = values.file?.map((name) => `src/machines/${name}.ts`) ?? ['src/machines/*.ts'];
const stryker = new Stryker({ configFile: 'test/mutation/stryker.config.js', mutate });
const results = await stryker.runMutationTest();

type Mutant = (typeof results)[number];
const isAlive = ({ status }: Mutant) => status === 'Survived' || status === 'NoCoverage';
const lineOf = ({ fileName, location }: Mutant) =>
  readFileSync(fileName, 'utf8').split('\n')[location.start.line - 1]?.trim() ?? '';
const isKnown = (mutant: Mutant, { file, line, mutator, replacement }: Equivalent) =>
  mutant.fileName.endsWith(file) &&
  mutant.mutatorName === mutator &&
  mutant.replacement === replacement &&
  lineOf(mutant).includes(line);

const alive = results.filter(isAlive);
const unknown = alive.filter((mutant) => !equivalents.some((known) => isKnown(mutant, known)));
const ofRun = equivalents.filter(({ file }) => results.some(({ fileName }) => fileName.endsWith(file)));
const stale = ofRun.filter((known) => !alive.some((mutant) => isKnown(mutant, known)));

for (const mutant of unknown)
  console.log(
    `survived: ${mutant.fileName}:${mutant.location.start.line} ${mutant.mutatorName}: ${mutant.replacement}`,
  );
for (const { file, line, mutator } of stale) console.log(`not alive any more: ${file} ${mutator}: ${line}`);
console.log(
  `${results.length} mutants: ${results.length - alive.length} killed, ${alive.length - unknown.length} known to be equivalent, ${unknown.length} survived`,
);
process.exitCode = unknown.length + stale.length === 0 ? 0 : 1;
