// What every job command is given, and what its help ends with.

import type { Interruption } from '../interruption.ts';
import type { Screen } from '../screen.ts';

export interface Surroundings {
  /** Standard error. */
  readonly screen: Screen;
  readonly interruption: Interruption;
  /** What the process should end with. */
  ends(exitCode: number): void;
  /** An app's module is imported: when all is said, its timers and sockets do not keep the process. */
  appImported(): void;
}

export function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  unstuck ${line}`).join('\n')}`;
}

export function endsWith(...lines: string[]): string {
  return `\nEnds with:\n${lines.map((line) => `  ${line}`).join('\n')}`;
}

export const badInputLine = '2    the input is bad, no such job, or the engine does not answer';
