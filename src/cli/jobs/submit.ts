// `unstuck submit`: one job, with settings from its definition, stored for a worker. What cannot be run is refused before.

import { text as textOf } from 'node:stream/consumers';
import type { Command } from 'commander';
import { InputError, type Job, JobProcessor, type Jobs, type SubmitOptions } from '../../index.ts';
import { noLogger } from '../logger.ts';
import { parseCount, parseFinite, parseFuture, parseGrace, parseTimeout } from './arguments.ts';
import { badInputLine, endsWith, examples, type Surroundings } from './command.ts';
import { checkEngine, engineOption } from './engineFile.ts';
import { jsonOption } from './output.ts';
import { loadRegistry } from './registry.ts';
import { reportSubmitted, waitOption } from './submitted.ts';

interface Options {
  engine?: string;
  priority?: number;
  startAfter?: Date;
  key?: string;
  concurrencyKey?: string;
  jobTimeout?: number;
  heartbeatTimeout?: number;
  progressTimeout?: number;
  queueTimeout?: number;
  deadline?: number;
  grace?: number;
  maxAttempts?: number;
  chunkSize?: number;
  memoryLimit?: number;
  wait?: true;
  json?: true;
}

export function addSubmit(program: Command, { screen, interruption, ends, appImported }: Surroundings): void {
  program
    .command('submit')
    .summary('submit a job, for a worker to run')
    .description(
      "Stores a job for a worker to run, and prints its id. The module is needed for the job's definition, whose settings and " +
        'check of the input count now: what a worker could not run is refused here.',
    )
    .argument('<module>', 'the module that exports the jobs by name, as `jobs` or by default; TypeScript too')
    .argument('<name>', 'the name of a job in it')
    .argument('[input]', 'JSON, or - to read it from standard input (default: null)')
    .addOption(engineOption())
    .option('--priority <n>', 'higher starts first (default: 0)', parseFinite)
    .option('--start-after <when>', 'not before: in 10m, or a date', parseFuture)
    .option('--key <text>', 'the same key again gives the same job, and no second one')
    .option(
      '--concurrency-key <text>',
      'of those with the same one job is alive at a time, or as the definition says',
    )
    .option('--job-timeout <time>', 'of each attempt', parseTimeout)
    .option('--heartbeat-timeout <time>', 'without a sign of life', parseTimeout)
    .option('--progress-timeout <time>', 'without a finished chunk', parseTimeout)
    .option('--queue-timeout <time>', 'until its first start', parseTimeout)
    .option('--deadline <time>', 'from now to its end, all attempts together', parseTimeout)
    .option('--grace <time>', 'between the signal to stop and SIGTERM', parseGrace)
    .option('--max-attempts <n>', 'attempts in all', parseCount)
    .option('--chunk-size <n>', 'items of a chunk', parseCount)
    .option('--memory-limit <mb>', 'of the process of an attempt', parseFinite)
    .addOption(waitOption())
    .addOption(jsonOption())
    .addHelpText('after', details)
    .action(async (module: string, name: string, input: string | undefined, options: Options) => {
      const engine = checkEngine(options.engine);
      const value = await parseInput(input);
      appImported();
      const jobs = await loadRegistry(module);
      const processor = new JobProcessor({ engine, jobs, logger: noLogger });
      try {
        // What a definition takes is known when it runs, not when this was compiled.
        const submit = processor.submit.bind(processor) as unknown as Submit;
        const job = await submit(name, value, submitOptions(options));
        ends(await reportSubmitted(job, processor as JobProcessor<Jobs>, options, screen, interruption));
      } finally {
        await processor.stop();
      }
    });
}

type Submit = (name: string, input: unknown, options: SubmitOptions) => Promise<Job>;

async function parseInput(input: string | undefined): Promise<unknown> {
  if (input === undefined) return undefined;
  const text = input === '-' ? await textOf(process.stdin) : input;
  try {
    return JSON.parse(text);
  } catch (error) {
    const from = input === '-' ? 'standard input' : 'input';
    throw new InputError(
      `${from}: expected JSON, got ${text.trim() === '' ? 'nothing' : JSON.stringify(text.slice(0, 60))} (${(error as Error).message}). A text is written as '"text"'.`,
    );
  }
}

/** What was not given is left out: it would hide what the definition says. */
function submitOptions(options: Options): SubmitOptions {
  const given: SubmitOptions = {
    priority: options.priority,
    startAfter: options.startAfter,
    idempotencyKey: options.key,
    concurrencyKey: options.concurrencyKey,
    jobTimeoutSeconds: options.jobTimeout,
    heartbeatTimeoutSeconds: options.heartbeatTimeout,
    progressTimeoutSeconds: options.progressTimeout,
    queueTimeoutSeconds: options.queueTimeout,
    deadlineSeconds: options.deadline,
    graceSeconds: options.grace,
    chunkSize: options.chunkSize,
    memoryLimitMb: options.memoryLimit,
    ...(options.maxAttempts === undefined ? {} : { retry: { maxAttempts: options.maxAttempts } }),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

const details = `
A time is in seconds, or has a unit: 500ms, 90s, 10m, 2h, 1d; off switches a timeout off.
${examples(
  'submit ./jobs.js invoices \'{"month":"2026-03"}\' --engine sqlite:jobs.db',
  'submit ./jobs.ts invoices - < input.json',
  'submit ./jobs.js report --key report-2026-03 --start-after 10m',
  'submit ./jobs.js report --wait --json | jq .result',
)}
${endsWith(
  '0    submitted; with --wait: completed',
  badInputLine,
  '     with --wait: failed or cancelled',
  '3    with --wait: timed out',
  '130  after Ctrl-C, 143 after SIGTERM: the job goes on; only the waiting is over',
)}`;
