// The command line from start to exit code. Standard output carries the result and nothing else; every error is
// one line on standard error; and no way out leaves a process behind.

import { type Command, CommanderError } from 'commander';
import { printError } from './errorLine.ts';
import { listenForInterruption } from './interruption.ts';
import { badInput, type Outcome, toJson } from './outcome.ts';
import { printable } from './printable.ts';
import { createProgram, type ReconcileCommand } from './program.ts';
import { reconcile } from './reconcile.ts';
import { openScreen, paint } from './screen.ts';
import { summaryTable } from './summaryTable.ts';

/** Resolves when all is said; the exit code is set, and nothing keeps the process alive. */
export async function main(argv: readonly string[]): Promise<void> {
  surviveClosedPipes(argv);
  const interruption = listenForInterruption();
  const screen = openScreen(process.stderr);
  let isAppImported = false;
  const surroundings = {
    screen,
    interruption,
    ends: (exitCode: number) => {
      process.exitCode = exitCode;
    },
    appImported: () => {
      isAppImported = true;
    },
  };
  const run = async (command: ReconcileCommand) =>
    present(await reconcile(command, screen, interruption), command);
  const program = createProgram((program) => configure(program, argv), run, surroundings);
  try {
    await program.parseAsync(argv);
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return;
    // Commander has printed its own line.
    const said = error instanceof CommanderError;
    const message = printable(error instanceof Error ? error.message : String(error));
    if (!said) printError(message);
    if (argv.includes('--json')) console.log(errorJson(message.replace(/^error: /, ''), argv));
    process.exitCode = 2;
  }
  if (isAppImported) process.exit();
}

/** In the one object that the command promises. */
function errorJson(error: string, [, , command]: readonly string[]): string {
  return command === 'reconcile' ? toJson(badInput(error)) : JSON.stringify({ error });
}

function present(outcome: Outcome, { input, isJson }: ReconcileCommand): void {
  const { summary, error, exitCode } = outcome;
  process.exitCode = exitCode;
  if (isJson) console.log(toJson(outcome));
  else if (summary !== null) {
    console.log(`\n${summaryTable(summary, { left: input.left, right: input.right, ...outcome })}\n`);
  }
  if (outcome.state === 'cancelled') process.stderr.write(`${outcome.error}\n`);
  else if (error !== null) printError(error);
}

function configure(program: Command, argv: readonly string[]): Command {
  return program.exitOverride().configureOutput({
    outputError: (text, write) => {
      const line = text.trim().replace(/\s*\n\s*/g, ' ');
      const sentence = /[.?)]$/.test(line) ? line : `${line}.`;
      const command = program.commands.find((command) => command.name() === argv[2]);
      const help = command === undefined ? 'unstuck --help' : `unstuck ${command.name()} --help`;
      write(`${sentence.replace(/^error:/, paint('red', 'error:', process.stderr))} See ${help}.\n`);
    },
  });
}

/** Whoever read the output has had enough (`| head`): no error of ours, and no reason to end a job half way. */
function surviveClosedPipes(argv: readonly string[]): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // A worker outlives its log.
      if (argv[2] === 'work') return;
      if (error.code !== 'EPIPE') {
        if (stream === process.stdout) printError(`standard output: ${error.message}`);
        process.exit(2);
      }
      // Nobody is left to watch for.
      if (argv.includes('--watch')) process.exit(0);
    });
  }
}
