// npm run chaos -- [--seconds N] [--seed S] [--json]: kills and counts. Ends with 1 when something was lost or doubled.

import { flagsOf, refuse } from '../support/flags.ts';
import { chaos } from './chaos.ts';

const usage = 'npm run chaos -- [--seconds 20] [--seed 7] [--json]';
const values = flagsOf(usage, {
  seconds: { type: 'string' },
  seed: { type: 'string' },
  json: { type: 'boolean' },
});
const seconds = Number(values.seconds ?? 20);
const seed = Number(values.seed ?? Date.now() % 1_000_000);
if (!(seconds > 0) || !Number.isInteger(seed))
  refuse('chaos: expected --seconds above 0 and a whole --seed, got others', usage);
const progress = (line: string) => process.stderr.isTTY && process.stderr.write(`\r\x1b[K${line}`);
const report = await chaos({ seconds, seed, progress });
progress('');
if (values.json === true) console.log(JSON.stringify(report));
else console.table(report);
const { lost, doubled, chunksRepeatedAfterCheckpoint, settledTwice } = report;
process.exitCode = lost + doubled + chunksRepeatedAfterCheckpoint + settledTwice === 0 ? 0 : 1;
