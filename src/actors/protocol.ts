// What host and child process say to each other, as JSON over the child's IPC channel. Every message of the
// child carries the secret it was given at its start: the job's own code may use the channel too, and must
// not be able to speak for the attempt by accident.

import type { StoredFailure } from '../machines/verdict.ts';
import type { AttemptStart } from './foldChunks.ts';

export interface StartMessage {
  type: 'start';
  secret: string;
  /** URL of the file whose default export is the job. */
  module: string;
  beatMs: number;
  logLevel: string;
  attempt: AttemptStart;
}

export type HostMessage =
  | StartMessage
  | { type: 'ask'; reason: string }
  | { type: 'checkpoint.saved'; error: string | null };

export type ChildMessage = { secret: string } & (
  | { type: 'heartbeat' }
  | { type: 'acknowledged' }
  | { type: 'total'; items: number }
  | { type: 'checkpoint'; checkpoint: string; rows: readonly string[]; items: number }
  | { type: 'log'; line: string }
  | { type: 'completed'; result: string }
  | { type: 'failed'; failure: StoredFailure }
);

/** An error as it is stored and crosses processes. Anything may be thrown. */
export function toFailure(error: unknown): StoredFailure {
  try {
    return describe(error);
  } catch {
    return { name: 'Error', message: 'a value was thrown that cannot be shown' };
  }
}

function describe(error: unknown): StoredFailure {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const name = String(error.name);
  const message = String(error.message);
  const stack = typeof error.stack === 'string' ? error.stack : undefined;
  const code = (error as { code?: unknown }).code;
  return {
    name,
    message,
    ...(typeof code === 'string' ? { code } : {}),
    ...(stack === undefined ? {} : { stack }),
  };
}
