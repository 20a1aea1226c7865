// An error is one line on standard error.

import { printable } from './printable.ts';
import { paint } from './screen.ts';

export function printError(message: string): void {
  process.stderr.write(`${paint('red', 'error:', process.stderr)} ${printable(message)}\n`);
}
