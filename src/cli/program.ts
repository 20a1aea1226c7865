// What the command line understands: commands, options, help. Nothing runs here.

import { Command, Option } from 'commander';
import type { ReconciliationInput } from '../reconciliation/index.ts';
import { unstuckVersion } from '../runtime/version.ts';
import { parseDuration } from './durations.ts';
import type { Surroundings } from './jobs/command.ts';
import { addJobCommands } from './jobs/commands.ts';
import { addNames, addTolerances, parseCount, parsePort } from './options.ts';
import type { ReconcileRequest } from './reconcile.ts';

export interface ReconcileCommand extends ReconcileRequest {
  readonly isJson: boolean;
}

interface Options {
  key: string[];
  compare?: string[];
  ignore?: string[];
  tolerance?: Record<string, string>;
  out: string;
  fresh?: true;
  jobTimeout?: number;
  heartbeatTimeout?: number;
  progressTimeout?: number;
  memory?: string;
  format?: ReconciliationInput['format'];
  stopAfter?: number;
  sample?: string;
  checkpoint: boolean;
  inspect?: number | true;
  json?: true;
  quiet?: true;
}

/** `configure` sets up the program before commands are added: they inherit what was set. */
export function createProgram(
  configure: (program: Command) => Command,
  run: (command: ReconcileCommand) => Promise<void>,
  surroundings: Surroundings,
): Command {
  const program = configure(new Command('unstuck'))
    .description(
      'Background jobs that cannot get stuck: a worker, and what one does to its jobs from outside. And one job that is built in: ' +
        'data reconciliation.',
    )
    .version(unstuckVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .addHelpText(
      'after',
      '\nStart here: unstuck work --help, unstuck submit --help, unstuck reconcile --help',
    );
  program
    .command('reconcile')
    .summary('compare two files and report every difference')
    .description(
      'Compares two CSV or Parquet files row by row and reports what matches, what differs field by field, ' +
        'what is missing on either side and what is there twice. Works in chunks, in a process of its own: ' +
        'one that hangs or dies is stopped and goes on from its last chunk. So does the same command, run again.',
    )
    .argument('<left>', 'a CSV or Parquet file')
    .argument('<right>', 'the file to compare it with')
    .requiredOption(
      '-k, --key <names>',
      'columns that name a row on both sides, as id or id,region',
      addNames,
    )
    .option('--compare <names>', 'columns to compare (default: all that both files have)', addNames)
    .option('--ignore <names>', 'columns to leave out', addNames)
    .option(
      '--tolerance <name=n>',
      'how far numbers may lie apart, as amount=0.01; repeat it, or separate by commas',
      addTolerances,
    )
    .option('-o, --out <folder>', 'where the reports go; the same one again resumes', './reconciled')
    .option('--fresh', 'start over even where an earlier run can be resumed')
    .option('--job-timeout <time>', 'for the whole run (default: 2h)', parseDuration)
    .option('--heartbeat-timeout <time>', 'without a sign of life (default: 60)', parseDuration)
    .option('--progress-timeout <time>', 'without a finished chunk (default: 10m)', parseDuration)
    .option('--memory <amount>', 'for the comparison, as 512MB or 2GB; the rest is on disk (default: 512MB)')
    .addOption(
      new Option('--format <name>', 'of the reports for programs (default: csv)').choices([
        ...['csv', 'jsonl', 'parquet'],
      ]),
    )
    .option('--stop-after <n>', 'end at the end of the chunk with the n-th difference', parseCount)
    .option('--sample <keys>', 'compare the rows of some keys only: 1000 of them, or 5%')
    .option('--no-checkpoint', 'in one piece, in memory: quicker, but begins again when it was killed')
    .option(
      '--inspect [port]',
      'serve the live page of this run, on this machine (default: a free port)',
      parsePort,
    )
    .option('--json', 'print the result as one JSON object, and nothing else, on standard output')
    .option('-q, --quiet', 'no progress and no log; the result and errors are still printed')
    .addHelpText('after', details)
    .action(async (left: string, right: string, options: Options) => run(toCommand(left, right, options)));
  addJobCommands(program, surroundings);
  return program;
}

const details = `
A time is in seconds, or has a unit: 500ms, 90s, 10m, 2h, 1d.

Examples:
  unstuck reconcile bank.csv ledger.csv --key id
  unstuck reconcile old.parquet new.csv --key id,region --ignore updated_at --out reports
  unstuck reconcile bank.csv ledger.csv --key id --tolerance amount=0.01 --json | jq .mismatched
  unstuck reconcile bank.csv ledger.csv --key id --sample 5% --stop-after 100 --format jsonl

The reports: report.html for people, the others for programs, and summary.json.

Ends with:
  0  everything matches
  1  there are differences, be it that --stop-after ended it there
  2  the input is bad, or the job failed; rows that cannot be read count as bad input:
     they stand in a report of their own, and the others are compared all the same
  3  timed out
  130 after Ctrl-C, 143 after SIGTERM: stopped cleanly, the same command goes on; the second one stops at once

--json prints state, left, right, matched, mismatched, onlyLeft, onlyRight, duplicateKeys {left, right},
columns {name: differences}, seconds, attempts and report (the folder). Where something went wrong there is
error too, and what is not known is null; bad input has the state "failed". Of a part there is sample, or
stoppedEarly {after, notCompared {left, right}}.

The environment sets the timeouts that no option does: RECONCILIATION_JOB_TIMEOUT_SECONDS,
RECONCILIATION_HEARTBEAT_TIMEOUT_SECONDS, RECONCILIATION_PROGRESS_TIMEOUT_SECONDS.`;

function toCommand(left: string, right: string, options: Options): ReconcileCommand {
  const { key, compare, ignore, tolerance, out, fresh, memory } = options;
  const { format, stopAfter, sample, checkpoint } = options;
  return {
    input: {
      left,
      right,
      key,
      out,
      ...(compare === undefined ? {} : { compare }),
      ...(ignore === undefined ? {} : { ignore }),
      ...(tolerance === undefined ? {} : { tolerance }),
      ...(fresh === undefined ? {} : { fresh }),
      ...(memory === undefined ? {} : { memory }),
      ...(format === undefined ? {} : { format }),
      ...(stopAfter === undefined ? {} : { stopAfter }),
      ...(sample === undefined ? {} : { sample }),
      ...(checkpoint ? {} : { checkpoint }),
    },
    timeouts: {
      ...(options.jobTimeout === undefined ? {} : { jobTimeoutSeconds: options.jobTimeout }),
      ...(options.heartbeatTimeout === undefined
        ? {}
        : { heartbeatTimeoutSeconds: options.heartbeatTimeout }),
      ...(options.progressTimeout === undefined ? {} : { progressTimeoutSeconds: options.progressTimeout }),
    },
    isQuiet: options.quiet ?? false,
    inspectPort: options.inspect === true ? 0 : (options.inspect ?? null),
    isJson: options.json ?? false,
  };
}
