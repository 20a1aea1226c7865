// The flags of a command of this repository. `--help` tells them; one that is unknown is told in a line, and ends with 2.

import { type ParseArgsConfig, parseArgs } from 'node:util';

/** `usage`: how the command is called, a line for each way. */
export function flagsOf<const O extends NonNullable<ParseArgsConfig['options']>>(usage: string, options: O) {
  if (process.argv.includes('--help') || process.argv.includes('-h')) {
    console.log(usage);
    process.exit(0);
  }
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return refuse((error as Error).message, usage);
  }
}

/** Bad input: what was expected and what came, and how it is called. */
export function refuse(what: string, usage: string): never {
  console.error(`${what}\n${usage}`);
  process.exit(2);
}
