// npm run bench -- NAME [--json] [--quick]: runs one benchmark. A table for people; with --json one object on
// standard output. Ends with 1 when a bar does not hold.

import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import type { Benchmark } from './benchmark.ts';
import { durable } from './durable.ts';
import { inspect } from './inspect.ts';
import { lateness } from './lateness.ts';
import { nodeLoss } from './nodeLoss.ts';
import { paths } from './paths.ts';
import { postgres } from './postgres.ts';
import { postgresTrial } from './postgresTrial.ts';
import { queued } from './queued.ts';
import { reconcile } from './reconcile.ts';
import { recovery } from './recovery.ts';
import { scale } from './scale.ts';
import { scaling } from './scaling.ts';
import { start } from './start.ts';
import { stop } from './stop.ts';
import { telemetry } from './telemetry.ts';

const benchmarks: Record<string, Benchmark> = {
  scale,
  start,
  stop,
  lateness,
  durable,
  queued,
  recovery,
  inspect,
  'node-loss': nodeLoss,
  telemetry,
  postgres,
  'postgres-trial': postgresTrial,
  scaling,
  paths,
  reconcile,
};

const usage = `npm run bench -- NAME [--json] [--quick]

${Object.entries(benchmarks)
  .map(([name, { about }]) => `  ${name.padEnd(16)}${about}`)
  .join('\n')}

  --json       one object on standard output
  --quick      fewer rounds, within 45 s`;

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: 'boolean' }, quick: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  });
  const name = positionals[0] ?? '';
  const benchmark = benchmarks[name];
  if (values.help === true || (benchmark === undefined && name === '')) {
    console.log(usage);
    process.exit(values.help === true ? 0 : 2);
  }
  if (benchmark === undefined || positionals.length > 1) {
    throw new Error(
      `expected one benchmark of ${Object.keys(benchmarks).join(', ')}, got ${positionals.join(' ')}`,
    );
  }
  const progress = (line: string) => process.stderr.isTTY && process.stderr.write(`\r\x1b[K${line}`);
  const { rows, bars } = await benchmark.run({ quick: values.quick === true, progress });
  progress('');
  const machine = `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}`;
  if (values.json === true) console.log(JSON.stringify({ name, machine, rows, bars }));
  else {
    console.log(machine);
    for (const table of Object.values(Object.groupBy(rows, (row) => Object.keys(row).join())))
      console.table(table);
    console.table(bars);
  }
  process.exitCode = bars.every(({ holds }) => holds) ? 0 : 1;
} catch (error) {
  console.error(`bench: ${(error as Error).message}`);
  process.exitCode = 2;
}
