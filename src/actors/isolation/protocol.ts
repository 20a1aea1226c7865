// What a host and the child that runs its attempt (a process or a thread) say to each other. Plain JSON, one way
// and the other. The channels that carry it are processChild.ts and threadChild.ts.

import type { TimeoutKind } from '../../machines/states.ts';
import type { StoredFailure } from '../../machines/verdict.ts';
import type { AttemptStart } from '../foldChunks.ts';
import { isRetryable } from '../nonRetryable.ts';

export type HostMessage =
  /** To a spare: what the job's module will import too, so that it is there by then. */
  | { type: 'warm'; module: string }
  | {
      type: 'start';
      /** URL of the file whose default export is the job. */
      module: string;
      beatMs: number;
      logLevel: string;
      /** After an attempt that ended by itself the child waits for the next one instead of leaving. */
      stays: boolean;
      attempt: AttemptStart;
    }
  | { type: 'ask'; reason: string }
  /** The timeouts of the attempt that runs were changed: how often it is to beat. */
  | { type: 'pace'; beatMs: number }
  | { type: 'checkpoint.saved'; error: string | null };

export type Stream = 'stdout' | 'stderr';

export type ChildMessage =
  | { type: 'heartbeat' }
  | { type: 'acknowledged' }
  | { type: 'total'; items: number }
  | { type: 'checkpoint'; checkpoint: string; rows: readonly string[]; items: number }
  /** A line of the job's own logger. */
  | { type: 'log'; line: string }
  /** A line that the job printed, where no pipe carries it. */
  | { type: 'output'; stream: Stream; line: string }
  /** The outcome is an attempt's last word; `stays` says that the child can run another. */
  | { type: 'completed'; result: string; stays: boolean }
  | { type: 'failed'; failure: StoredFailure; stays: boolean };

/**
 * Signs of life of one attempt closer together than this are one, ms. A timeout that counts from the last sign
 * waits as much longer, so that it is never early.
 */
export const gatherMs = 20;

/** What travels between host and child process: the job's own code can write there too, and does not know the secret. */
export interface Envelope<Message> {
  secret: string;
  message: Message;
}

/** What a host tells the watchdog, on a pipe of its own. Times as in `WatchLimits`; null = off. */
export type WatchOrder =
  | {
      /** `rewatch`: other limits for the same attempt, counted from where the old ones were. */
      type: 'watch' | 'rewatch';
      /** To be said with its word. */
      secret: string;
      jobMs: number | null;
      heartbeatMs: number | null;
      progressMs: number | null;
      deadlineAt: number | null;
      memoryLimitMb: number | null;
    }
  /** While an attempt is watched: when it ends, unless another such order comes before. Monotonic ms, which all processes of a machine share. */
  | { type: 'lease'; endBy: number }
  | { type: 'rest' };

/** What a watchdog says on that pipe before it kills: why. */
export type WatchdogWord =
  | { cause: TimeoutKind | 'lease' }
  | { cause: 'memory'; usedMb: number; limitMb: number };

/**
 * What the attempt's own loop tells its watchdog; `waiting`: for the host to store a checkpoint; `over`: the attempt
 * has ended, its child waits for the next.
 */
export type Sign = 'beat' | 'waiting' | 'chunk' | 'over';

const causes: readonly string[] = ['job', 'heartbeat', 'progress', 'queue', 'deadline', 'lease', 'memory'];

/** A word as it came from outside, if it is one. */
export function toWord(said: unknown, secret: string): WatchdogWord | undefined {
  const { secret: known, cause, usedMb, limitMb } = Object(said);
  if (known !== secret || !causes.includes(cause)) return undefined;
  return cause === 'memory' ? { cause, usedMb: Number(usedMb), limitMb: Number(limitMb) } : { cause };
}

/** An error as it is stored and crosses processes. Anything may be thrown. */
export function toFailure(error: unknown): StoredFailure {
  const retryable = tried(() => isRetryable(error), true) ? {} : ({ retryable: false } as const);
  const unknown = { name: 'Error', message: 'a value was thrown that cannot be shown' };
  return { ...tried(() => describe(error), unknown), ...retryable };
}

/** Anything may be thrown, things too that throw when they are looked at. */
function tried<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}

/** Longer than any message that is read. */
const longestText = 64 * 1024;

function cut(text: string): string {
  return text.length > longestText ? `${text.slice(0, longestText)}… (${text.length} characters)` : text;
}

function describe(error: unknown): StoredFailure {
  if (!(error instanceof Error)) return { name: 'Error', message: cut(String(error)) };
  const name = cut(String(error.name));
  const message = cut(String(error.message));
  const stack = typeof error.stack === 'string' ? cut(error.stack) : undefined;
  const code = (error as { code?: unknown }).code;
  return {
    name,
    message,
    ...(typeof code === 'string' ? { code } : {}),
    ...(stack === undefined ? {} : { stack }),
  };
}
