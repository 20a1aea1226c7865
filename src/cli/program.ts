// What the command line understands: commands, options, help. Nothing runs here.

import { Command, Option } from 'commander';
import type { ColumnType, ReconciliationInput } from '../reconciliation/index.ts';
import { unstuckVersion } from '../runtime/version.ts';
import { parseDuration } from './durations.ts';
import type { Surroundings } from './jobs/command.ts';
import { addJobCommands } from './jobs/commands.ts';
import {
  addCsvOption,
  addNames,
  addPair,
  addTolerances,
  addTypes,
  parseCount,
  parsePort,
  type RulesFile,
  readRules,
} from './options.ts';
import type { ReconcileRequest } from './reconcile.ts';

export interface ReconcileCommand extends ReconcileRequest {
  readonly isJson: boolean;
}

interface Options {
  key?: string[];
  compare?: string[];
  ignore?: string[];
  tolerance?: Record<string, string>;
  map?: Record<string, string>;
  csv?: NonNullable<ReconciliationInput['csv']>;
  type?: Record<string, ColumnType>;
  duplicates?: 'report' | 'pair';
  rules?: RulesFile;
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
    .summary('compare two files or tables and report every difference')
    .description(
      'Compares two files or tables row by row and reports what matches, what differs field by field, ' +
        'what is missing on either side and what is there twice. Works in chunks, in a process of its own: ' +
        'one that hangs or dies is stopped and goes on from its last chunk. So does the same command, run again.',
    )
    .argument('<left>', 'a CSV, JSON Lines or Parquet file, a pattern, - for standard input, or a table')
    .argument('<right>', 'what to compare it with; it may be of another kind')
    .option(
      '-k, --key <names>',
      'columns that name a row on both sides, as id or id,region; needed, here or in the rules',
      addNames,
    )
    .option('--compare <names>', 'columns to compare (default: all that both files have)', addNames)
    .option('--ignore <names>', 'columns to leave out', addNames)
    .option(
      '--tolerance <name=n>',
      "how far values may lie apart, as amount=0.01, rate=0.1% or 'booked=2 days'; repeat it, or separate by commas",
      addTolerances,
    )
    .option(
      '--map <left=right>',
      'a column that has another name on the right, as amount=betrag; repeat it; other options name the left',
      addPair,
    )
    .option(
      '--csv <name=value>',
      'how CSV is read, where it is not found out: delimiter, quote, header, encoding; left.… or right.… for one side; repeat it',
      addCsvOption,
    )
    .option(
      '--type <name=type>',
      'what a column is compared as (default: found): text, integer, decimal, date, timestamp or boolean; *=text for all',
      addTypes,
    )
    .addOption(
      new Option(
        '--duplicates <what>',
        'keys that stand more than once: report them, or pair them one to one first (default: report)',
      ).choices(['report', 'pair']),
    )
    .option(
      '--rules <file>',
      'a JSON file with all of these, matching passes and more; an option given here wins',
      readRules,
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
What <left> and <right> may be:
  bank.csv, bank.tsv, bank.csv.gz   delimiter, quote and encoding are found, or told by --csv
  events.jsonl, events.jsonl.zst    JSON Lines; every key is a column
  old.parquet                       Parquet
  'exports/2026-*.csv'              several files with the same columns
  -                                 standard input, for one of them
  sqlite:shop.db?table=orders       a table; or ?query=SELECT …
  postgres://user@host/db?table=sales.orders
                                    the same; a password in PGPASSWORD, ~/.pgpass or the address is never shown

A time is in seconds, or has a unit: 500ms, 90s, 10m, 2h, 1d.

Examples:
  unstuck reconcile bank.csv ledger.csv --key id
  unstuck reconcile old.parquet new.csv --key id,region --ignore updated_at --out reports
  unstuck reconcile bank.csv ledger.csv --rules rules.json
  unstuck reconcile bank.csv ledger.csv --key id --tolerance amount=0.01 --json | jq .mismatched
  unstuck reconcile bank.csv 'sqlite:books.db?table=ledger' --key id --map amount=betrag
  unstuck reconcile old.csv new.csv --key id --csv left.encoding=windows-1252 --csv 'delimiter=;'
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
columns {name: differences}, passes (with the rules' matching passes), seconds, attempts and report (the folder). Where something went wrong there is
error too, and what is not known is null; bad input has the state "failed". Of a part there is sample, or
stoppedEarly {after, notCompared {left, right}}.

The environment sets the timeouts that no option does: RECONCILIATION_JOB_TIMEOUT_SECONDS,
RECONCILIATION_HEARTBEAT_TIMEOUT_SECONDS, RECONCILIATION_PROGRESS_TIMEOUT_SECONDS.`;

function toCommand(left: string, right: string, options: Options): ReconcileCommand {
  const { key, compare, ignore, tolerance, map, csv, out, fresh, memory } = options;
  const { type: types, duplicates, rules } = options;
  const { format, stopAfter, sample, checkpoint } = options;
  return {
    input: {
      left,
      right,
      out,
      ...(key === undefined ? {} : { key }),
      ...(compare === undefined ? {} : { compare }),
      ...(ignore === undefined ? {} : { ignore }),
      ...(tolerance === undefined ? {} : { tolerance }),
      ...(map === undefined ? {} : { map }),
      ...(csv === undefined ? {} : { csv }),
      ...(types === undefined ? {} : { types }),
      ...(duplicates === undefined ? {} : { duplicates }),
      ...(rules === undefined ? {} : { rules: rules.rules }),
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
    rulesFile: rules?.path ?? null,
    isQuiet: options.quiet ?? false,
    inspectPort: options.inspect === true ? 0 : (options.inspect ?? null),
    isJson: options.json ?? false,
  };
}
