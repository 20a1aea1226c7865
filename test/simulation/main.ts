import { planOf } from './plan.ts';
import { simulate } from './simulation.ts';

const from = Number(process.argv[2] ?? 1);
const n = Number(process.argv[3] ?? 1);
const verbose = process.argv[4] === '-v';
let steps = 0;
const began = performance.now();
for (let seed = from; seed < from + n; seed += 1) {
  const outcome = await simulate(planOf(seed));
  steps += outcome.steps;
  if (verbose) console.log(outcome.history.join('\n'), outcome.faults);
  if (outcome.violation !== null) console.log(seed, outcome.violation, outcome.steps);
}
console.log('steps', steps, 'ms', Math.round(performance.now() - began));
process.exit(0);
