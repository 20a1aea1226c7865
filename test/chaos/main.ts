// npm run chaos -- [--engine sqlite|postgres] [--seconds N] [--seed S] [--json]: kills and counts. Ends with 1 when something was lost or doubled.

import { flagsOf, refuse } from '../support/flags.ts';
import { type ChaosReport, chaos } from './chaos.ts';
import { chaosOnPostgres, type PostgresChaosReport, whyNoChaos } from './postgres/chaos.ts';

const usage = 'npm run chaos -- [--engine sqlite|postgres] [--seconds 20] [--seed 7] [--json]';
const values = flagsOf(usage, {
  engine: { type: 'string' },
  seconds: { type: 'string' },
  seed: { type: 'string' },
  json: { type: 'boolean' },
});
const { engine = 'sqlite' } = values;
const seconds = Number(values.seconds ?? 20);
const seed = Number(values.seed ?? Date.now() % 1_000_000);
if (engine !== 'sqlite' && engine !== 'postgres')
  refuse(`chaos: expected --engine sqlite or postgres, got ${engine}`, usage);
if (!(seconds > 0) || !Number.isInteger(seed))
  refuse('chaos: expected --seconds above 0 and a whole --seed, got others', usage);
const why = engine === 'postgres' ? whyNoChaos() : null;
if (why !== null) refuse(`chaos: ${why}`, usage);
// What it has started is ended on the way out.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

const progress = (line: string) => process.stderr.isTTY && process.stderr.write(`\r\x1b[K${line}`);
const run = engine === 'postgres' ? chaosOnPostgres : chaos;
const report: ChaosReport & Partial<PostgresChaosReport> = await run({ seconds, seed, progress });
progress('');
if (values.json === true) console.log(JSON.stringify(report));
else {
  const { faults, findings = [], skippedFaults = [], skippedBecause, ...counts } = report;
  console.table(counts);
  if (faults !== undefined) console.table(faults);
  for (const kind of skippedFaults) console.log(`skipped: ${kind}, for ${skippedBecause}`);
  for (const finding of findings) console.log(finding);
}
const wrong = [
  ...['lost', 'doubled', 'chunksRepeatedAfterCheckpoint', 'settledTwice'],
  ...['limitsExceeded', 'aliveTwice', 'endedByThemselves', 'notEnded'],
];
process.exitCode = Object.entries(report).some(([name, n]) => wrong.includes(name) && n !== 0) ? 1 : 0;
