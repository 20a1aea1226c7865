// npm run simulate -- --seeds N [--from S] [--engine memory|sqlite|postgres] [--workers N] [--json]: many seeds, and 1 as exit code where one fails.
// npm run simulate -- --seed N: the history of one; where it fails, the shortest history that fails in the same way.

import { isPostgresThere, postgresUrl } from '../engines/postgresServer.ts';
import { flagsOf, refuse } from '../support/flags.ts';
import { engineNames, planOf } from './plan.ts';
import { noSums, type Sums, simulateRange, simulateShared } from './range.ts';
import { shrink } from './shrink.ts';
import { simulate } from './simulation.ts';

const usage = `npm run simulate -- [--seeds 200] [--from 1] [--engine memory|sqlite|postgres] [--workers 2] [--json]
npm run simulate -- --seed 7 [--engine memory|sqlite|postgres]`;

function whole(name: string, given: string | undefined, fallback: number): number {
  const number = Number(given ?? fallback);
  if (Number.isSafeInteger(number) && number >= (name === 'from' || name === 'seed' ? 0 : 1)) return number;
  return refuse(`simulate: expected a whole number for --${name}, got ${given}`, usage);
}

let isInterrupted = false;
process.on('SIGINT', () => {
  if (isInterrupted) process.exit(130);
  isInterrupted = true;
});

const values = flagsOf(usage, {
  seeds: { type: 'string' },
  from: { type: 'string' },
  workers: { type: 'string' },
  seed: { type: 'string' },
  engine: { type: 'string', default: 'memory' },
  json: { type: 'boolean' },
});
const engine =
  engineNames.find((name) => name === values.engine) ??
  refuse(`simulate: expected ${engineNames.join(', ')} for --engine, got ${values.engine}`, usage);
if (engine === 'postgres' && !(await isPostgresThere()))
  refuse(`simulate: no PostgreSQL at ${postgresUrl}. Set UNSTUCK_POSTGRES to the URL of one.`, usage);
const chosen = engine === 'memory' ? '' : ` --engine ${engine}`;
process.exit(values.seed === undefined ? await many() : await one(whole('seed', values.seed, 1)));

async function many(): Promise<number> {
  const from = whole('from', values.from, 1);
  const seeds = whole('seeds', values.seeds, 200);
  const workers = whole('workers', values.workers, 1);
  const began = performance.now();
  let sums = noSums();
  let toldAt = 0;
  let tenths = 0;
  const told = (now: Sums) => {
    sums = now;
    if (process.stderr.isTTY && performance.now() - toldAt > 200) {
      toldAt = performance.now();
      process.stderr.write(
        `\r\x1b[K${now.seeds} of ${seeds} seeds, ${now.steps} steps, ${now.failures.length} violations`,
      );
    }
    // Where nobody looks, a line for each tenth.
    const tenth = Math.floor((10 * now.seeds) / seeds);
    if (!process.stderr.isTTY && tenth > tenths && seeds >= 1000) {
      tenths = tenth;
      console.error(`${now.seeds} of ${seeds} seeds, ${now.failures.length} violations`);
    }
    return !isInterrupted;
  };
  const range = { from, to: from + seeds, engine };
  sums = await (workers === 1
    ? simulateRange({ ...range, stride: 1 }, told)
    : simulateShared({ ...range, workers }, told));
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  const { steps, faults, failures } = sums;
  const counted = Object.fromEntries(Object.entries(faults).sort(([a], [b]) => a.localeCompare(b)));
  const total = Object.values(faults).reduce((sum, count) => sum + count, 0);
  if (values.json === true)
    console.log(
      JSON.stringify({
        seeds: sums.seeds,
        steps,
        faults: total,
        violations: failures.length,
        byKind: counted,
      }),
    );
  else {
    console.table(counted);
    console.log(
      `${sums.seeds} seeds, ${steps} steps, ${total} faults, ${failures.length} violations, ${Math.round((performance.now() - began) / 1000)} s`,
    );
  }
  for (const { seed, invariant, what } of failures)
    console.error(`seed ${seed}: ${invariant}: ${what}\n  npm run simulate -- --seed ${seed}${chosen}`);
  if (isInterrupted) return 130;
  return failures.length === 0 ? 0 : 1;
}

async function one(seed: number): Promise<number> {
  const plan = planOf(seed, engine);
  const outcome = await simulate(plan);
  console.log(outcome.history.join('\n'));
  const { violation, steps } = outcome;
  if (violation === null) {
    console.log(`seed ${seed}: ${steps} steps, no violation`);
    return 0;
  }
  console.error(
    `\nseed ${seed}: ${violation.invariant}: ${violation.what}\nLooking for the shortest history …`,
  );
  const { plan: short, outcome: last, runs } = await shrink(plan, outcome, undefined, () => isInterrupted);
  console.log(`\nThe shortest, after ${runs} runs:\n`);
  console.log(JSON.stringify(short, null, 2));
  console.log(last.history.join('\n'));
  return 1;
}
