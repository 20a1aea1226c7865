// npm run stryker -- [--file NAME]...: mutates the charts and the actors file by file, and ends with 1 where a mutant survives
// that is not known to be equivalent. `--file job` for src/machines/job.ts alone; all of them take some time.

import { readFileSync } from 'node:fs';
import { Stryker } from '@stryker-mutator/core';
import { flagsOf, refuse } from '../support/flags.ts';
import { type Equivalent, equivalents } from './equivalents.ts';
import { mutatedFiles } from './mutatedFiles.ts';

type Mutant = Awaited<ReturnType<Stryker['runMutationTest']>>[number];

const all = Object.keys(mutatedFiles);
const usage = 'npm run stryker -- [--file NAME]...';
const values = flagsOf(usage, { file: { type: 'string', multiple: true } });
const unknownFile = values.file?.find((name) => !all.includes(name));
if (unknownFile !== undefined)
  refuse(`stryker: expected --file to be one of ${all.join(', ')}, got ${unknownFile}`, usage);

const isAlive = ({ status }: Mutant) => status === 'Survived' || status === 'NoCoverage';
const lineOf = ({ fileName, location }: Mutant) =>
  readFileSync(fileName, 'utf8').split('\n')[location.start.line - 1]?.trim() ?? '';
const isKnown = (mutant: Mutant, { file, line, mutator }: Equivalent) =>
  mutant.fileName.endsWith(file) && mutant.mutatorName === mutator && lineOf(mutant).includes(line);

const rows: string[] = [];
for (const [name, { path, tests }] of Object.entries(mutatedFiles)) {
  if (values.file?.includes(name) === false) continue;
  process.env.UNSTUCK_MUTANT_TESTS = tests.join();
  const results = await new Stryker({
    configFile: 'test/mutation/stryker.config.js',
    mutate: [path],
  }).runMutationTest();
  const ofFile = equivalents.filter(({ file }) => file === path);
  const alive = results.filter(isAlive);
  const survived = alive.filter((mutant) => !ofFile.some((known) => isKnown(mutant, known)));
  const stale = ofFile.filter((known) => !alive.some((mutant) => isKnown(mutant, known)));
  for (const mutant of survived) {
    const { fileName, location, mutatorName, replacement } = mutant;
    console.log(
      `survived: ${fileName}:${location.start.line} ${mutatorName}: ${lineOf(mutant)} => ${replacement}`,
    );
  }
  for (const { file, line, mutator } of stale)
    console.log(`not alive any more: ${file}: ${mutator}: ${line}`);
  const counts = [
    results.length,
    results.length - alive.length,
    alive.length - survived.length,
    survived.length,
  ];
  rows.push(`| ${name} | ${counts.join(' | ')} |`);
  console.log(rows.at(-1));
  if (survived.length + stale.length > 0) process.exitCode = 1;
}
console.log(
  `| file | mutants | killed | equivalent | survived |\n| --- | --- | --- | --- | --- |\n${rows.join('\n')}`,
);
