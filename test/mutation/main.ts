// npm run mutate -- [--only NAME]... [--list] [--json]: plants known faults one by one in a copy of the checkout and
// shows that the tests named for each notice. Ends with 1 where one is not caught, or a plant does not fit the sources.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { flagsOf, refuse } from '../support/flags.ts';
import { type Plant, StalePlantError, withFault } from './plant.ts';
import { checkout, PlantedCopy } from './plantedCopy.ts';
import { plants } from './plants.ts';
import { endTrial, meant, runTests, type TestRun } from './trial.ts';

const usage = 'npm run mutate -- [--only NAME]... [--list] [--json]';
const values = flagsOf(usage, {
  only: { type: 'string', multiple: true },
  list: { type: 'boolean' },
  json: { type: 'boolean' },
});
const only = values.only ?? [];
const chosen = plants.filter(({ name }) => only.length === 0 || only.some((part) => name.includes(part)));
if (chosen.length === 0)
  refuse(`mutate: expected a part of a name after --only, got ${only.join(', ')}. See --list`, usage);
const say = (line: string) => values.json !== true && console.log(line);

if (values.list === true) {
  for (const { name, fault } of chosen) console.log(`${name}: ${fault}`);
  process.exit(0);
}
refuseStale(chosen);

const copy = new PlantedCopy();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    endTrial();
    copy.remove();
    process.exit(signal === 'SIGINT' ? 130 : 143);
  });
}

interface Verdict {
  name: string;
  fault: string;
  caught: boolean;
  /** The tests that failed; empty where the run never ended. */
  by: string[];
  /** Named for it, and passed with the fault in place. */
  blind: string[];
  hung: boolean;
  seconds: number;
}

const verdicts: Verdict[] = [];
const began = performance.now();
try {
  const sound = await passesWithoutFaults();
  for (const plant of chosen) {
    let verdict = await tried(plant, sound);
    for (let left = (plant.tries ?? 1) - 1; left > 0 && !verdict.caught; left -= 1)
      verdict = await tried(plant, sound);
    verdicts.push(verdict);
    say(lineOf(verdict));
  }
} finally {
  copy.remove();
}
const missed = verdicts.filter(({ caught }) => !caught);
const seconds = Math.round((performance.now() - began) / 1000);
if (values.json === true) console.log(JSON.stringify({ seconds, verdicts }));
say(`${verdicts.length - missed.length} of ${verdicts.length} faults caught, in ${seconds} s`);
process.exitCode = missed.length === 0 ? 0 : 1;

function refuseStale(all: readonly Plant[]): void {
  for (const plant of all) {
    try {
      withFault(readFileSync(join(checkout, plant.file), 'utf8'), plant);
    } catch (error) {
      if (!(error instanceof StalePlantError)) throw error;
      console.error(error.message);
      process.exit(1);
    }
  }
}

/** A test that fails anyway would catch everything. */
async function passesWithoutFaults(): Promise<readonly TestRun[]> {
  const wanted = chosen.flatMap(({ caughtBy }) => caughtBy);
  const { tests, broken, hung, ms } = await runTests(copy, wanted, 600_000);
  const wrong = [
    ...broken,
    ...tests.filter(({ outcome }) => outcome === 'failed').map(({ file, name }) => `${file}: ${name}`),
    ...wanted
      .filter((one) => meant(tests, one).length === 0)
      .map(({ file, test }) => `no test: ${file}: ${test}`),
  ];
  if (hung || wrong.length > 0) {
    console.error(
      ['without a fault these fail:', ...new Set(wrong), ...(hung ? ['it did not end'] : [])].join('\n  '),
    );
    copy.remove();
    process.exit(1);
  }
  say(`without a fault ${tests.length} tests pass, in ${Math.round(ms / 1000)} s`);
  return tests;
}

async function tried(plant: Plant, sound: readonly TestRun[]): Promise<Verdict> {
  const usualMs = plant.caughtBy.flatMap((one) => meant(sound, one)).reduce((sum, { ms }) => sum + ms, 0);
  const restore = copy.plant(plant);
  // Three times what it takes without the fault, and the start of the run.
  const { tests, broken, hung, ms } = await runTests(copy, plant.caughtBy, 15_000 + 3 * usualMs);
  restore();
  const failed = tests.filter(({ outcome }) => outcome === 'failed');
  const blind = hung ? [] : plant.caughtBy.filter((one) => meant(failed, one).length === 0);
  const verdict: Verdict = {
    name: plant.name,
    fault: plant.fault,
    caught: plant.caughtBy.length > 0 && blind.length === 0 && broken.length === 0,
    by: failed.map(({ name }) => name),
    blind: [...broken, ...blind.map(({ file, test }) => `${file}: ${test}`)],
    hung,
    seconds: Math.round(ms / 100) / 10,
  };
  return verdict;
}

function lineOf({ name, caught, by, blind, hung, seconds }: Verdict): string {
  const how = hung ? ['its tests never end'] : by;
  return [
    `${caught ? 'caught    ' : 'NOT CAUGHT'} ${name} (${seconds} s)`,
    ...(caught ? how.map((test) => `  by ${test}`) : blind.map((test) => `  not by ${test}`)),
  ].join('\n');
}
