// One attempt, whatever it runs in: what starts it, what it reports, how it is told to end. Each isolation is
// one `Launch` (inlineAttempt.ts, processAttempt.ts).

import type { Logger } from 'pino';
import type { AttemptOutcome } from '../machines/verdict.ts';
import type { AttemptStart } from './foldChunks.ts';
import type { JobCode } from './jobCode.ts';

export interface AttemptSpec {
  readonly start: AttemptStart;
  readonly code: JobCode;
  /** URL of the file that exports the job; null for inline code. */
  readonly module: string | null;
  /** How often an isolated attempt shows that its event loop lives, ms. */
  readonly beatMs: number;
  readonly log: Logger;
}

/** What an attempt reports while it lives. `ended` comes last, once, and only when nothing of it runs. */
export interface AttemptPort {
  heartbeat(): void;
  acknowledged(): void;
  total(items: number): void;
  /** Resolves when durable; rejects when the attempt must not go on. */
  checkpoint(checkpoint: string, rows: readonly string[], items: number): Promise<void>;
  ended(outcome: AttemptOutcome, exit?: { exitCode?: number; signal?: string }): void;
}

export interface AttemptHandle {
  /** Aborts the signal. */
  ask(reason: string): void;
  terminate(): void;
  kill(): void;
}

/** May throw where the attempt cannot be started. */
export type Launch = (spec: AttemptSpec, port: AttemptPort) => AttemptHandle;
