// The files that Stryker mutates, and the tests that it asks about each. Its switch is a global of the process that
// runs the tests: a child process or a thread loads the same files with every mutant off. So what runs in children alone is
// not here (processEntry, threadEntry, watchdog; of childFlags, each start of an app is its own), nor what does nothing but
// start and end real ones (processChild, threadChild, processGroup, isolations): planted faults are there for these.

import { readdirSync } from 'node:fs';

interface MutatedFile {
  readonly path: `src/${string}.ts`;
  readonly tests: readonly string[];
}

const charts = readdirSync('src/machines').map((file) => file.replace('.ts', ''));

/** Of src/actors, by the path there; the tests by their names in test/actors, or by their room. */
const actors: Readonly<Record<string, readonly string[]>> = {
  chunkProcessor: ['chunkProcessor'],
  engineWrites: ['engineWrites'],
  leaseKeeper: ['leaseKeeper'],
  patientClock: ['patientClock'],
  systemClock: ['systemClock', 'runtime/clock'],
  foldChunks: ['foldChunks', 'chunkInHand'],
  chunkInHand: ['chunkInHand', 'foldChunks'],
  dueTimer: ['dueTimer'],
  claimAhead: ['claimAhead'],
  jsonText: ['jsonText'],
  nonRetryable: ['nonRetryable'],
  attemptTrace: ['attemptTrace'],
  jobCode: ['foldChunks'],
  'isolation/inlineAttempt': ['inlineAttempt'],
  'isolation/isolatedAttempt': ['isolatedAttempt'],
  'isolation/spares': ['spares'],
  'isolation/attemptRunner': ['attemptRunner'],
  'isolation/protocol': ['protocol'],
  'isolation/jsonLines': ['textPipes'],
  'isolation/outputLines': ['textPipes'],
};

function ofChart(name: string): MutatedFile {
  // Not test/model, which walks every path: each of the mutants that are made when a chart is loaded would take 10 s, and what
  // they see the tables see too.
  const more = name === 'verdict' ? ['test/machines/backoff.test.ts'] : [];
  return { path: `src/machines/${name}.ts`, tests: [`test/machines/${name}*.test.ts`, ...more] };
}

function ofActor(path: string, tests: readonly string[]): [string, MutatedFile] {
  const name = path.replace('isolation/', '');
  const files = tests.map((test) =>
    test.includes('/') ? `test/${test}.test.ts` : `test/actors/${test}.test.ts`,
  );
  return [name, { path: `src/actors/${path}.ts`, tests: files }];
}

/** By their names. */
export const mutatedFiles: Readonly<Record<string, MutatedFile>> = Object.fromEntries([
  ...charts.map((name): [string, MutatedFile] => [name, ofChart(name)]),
  ...Object.entries(actors).map(([path, tests]) => ofActor(path, tests)),
]);
