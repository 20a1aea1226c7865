// npm run cli-page: writes the help of each command into docs/cli.md. A test fails when the page is stale.

import type { Surroundings } from '../src/cli/jobs/command.ts';
import { createProgram } from '../src/cli/program.ts';
import { writeMarked } from './marked.ts';

/** What each command prints for `--help`, under its name. */
export function cliHelp(): string {
  const parts: string[] = [];
  let said = '';
  const program = createProgram(
    (program) =>
      program.configureOutput({
        getOutHelpWidth: () => 110,
        getOutHasColors: () => false,
        writeOut: (text) => {
          said += text;
        },
      }),
    async () => {},
    // Nothing runs: only its help is asked for.
    {} as Surroundings,
  );
  for (const command of [program, ...program.commands]) {
    said = '';
    command.outputHelp();
    const title = command === program ? 'unstuck' : `unstuck ${command.name()}`;
    parts.push(`## ${title}\n\n\`\`\`text\n${said.trim().replace(/[ \t]+$/gm, '')}\n\`\`\``);
  }
  return parts.join('\n\n');
}

export const cliPage = new URL('../docs/cli.md', import.meta.url);

if (import.meta.main) writeMarked(cliPage, 'help', cliHelp());
