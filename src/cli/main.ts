// The command line from start to exit code. Standard output carries the result and nothing else; every error is
// one line on standard error; and no way out leaves a process behind.

import { type Command, CommanderError } from 'commander';
import { listenForInterruption } from './interruption.ts';
import { badInput, type Outcome, toJson } from './outcome.ts';
import { printable } from './printable.ts';
import { createProgram, type ReconcileCommand } from './program.ts';
import { reconcile } from './reconcile.ts';
import { openScreen, paint } from './screen.ts';
import { summaryTable } from './summaryTable.ts';

/** Resolves when all is said; the exit code is set, and nothing keeps the process alive. */
export async function main(argv: readonly string[]): Promise<void> {
  surviveClosedPipes();
  const interruption = listenForInterruption();
  const screen = openScreen(process.stderr);
  const program = createProgram(configure, async (command) => {
    const outcome = await reconcile(command, screen, interruption);
    present(outcome, command);
  });
  try {
    await program.parseAsync(argv);
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return;
    // Commander has printed its own line.
    const said = error instanceof CommanderError;
    const message = printable(error instanceof Error ? error.message : String(error));
    if (!said) printError(message);
    if (argv.includes('--json')) console.log(toJson(badInput(message.replace(/^error: /, ''))));
    process.exitCode = 2;
  }
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

function printError(message: string): void {
  process.stderr.write(`${paint('red', 'error:', process.stderr)} ${printable(message)}\n`);
}

function configure(program: Command): Command {
  return program.exitOverride().configureOutput({
    outputError: (text, write) => {
      const line = text.trim().replace(/\s*\n\s*/g, ' ');
      const sentence = /[.?)]$/.test(line) ? line : `${line}.`;
      write(
        `${sentence.replace(/^error:/, paint('red', 'error:', process.stderr))} See unstuck reconcile --help.\n`,
      );
    },
  });
}

/** Whoever read the output has had enough (`| head`): no error of ours, and no reason to end a job half way. */
function surviveClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
}
