// One attempt, whatever it runs in: what starts it, what it reports, how it is told to end. Each isolation is
// one `Launch` (isolation/inlineAttempt.ts, isolation/isolatedAttempt.ts).

import type { Logger } from 'pino';
import type { ProcessGroup } from '../engines/engine.ts';
import type { TimeoutKind } from '../machines/states.ts';
import type { AttemptOutcome } from '../machines/verdict.ts';
import type { AttemptStart } from './foldChunks.ts';
import type { JobCode } from './jobCode.ts';

/**
 * `process`: ends anything. `thread`: cheaper to start, ends JavaScript, but no blocking native call. `inline`:
 * in the host, can only be asked.
 */
export type Isolation = 'process' | 'thread' | 'inline';

/** When the watchdog in the attempt's own process ends it, should nobody have done so before. ms; Infinity = off. */
export interface WatchLimits {
  /** Each a timeout with the stop budget on top: the ladder comes first. */
  readonly jobMs: number;
  readonly heartbeatMs: number;
  readonly progressMs: number;
  /** Wall ms. */
  readonly deadlineAt: number;
  /** Of the process's resident memory. MB of 2^20 bytes. */
  readonly memoryLimitMb: number;
}

export interface AttemptSpec {
  readonly start: AttemptStart;
  readonly code: JobCode;
  /** URL of the file that exports the job; null for inline code. */
  readonly module: string | null;
  /** How often an isolated attempt shows that its event loop lives, ms. May change, as the limits may: see `retime`. */
  beatMs: number;
  limits: WatchLimits;
  /** When its watchdog ends it, unless it is renewed before; monotonic ms, Infinity = never. Before its lease is over. */
  endBy: number;
  /** Its process or thread may run the next attempt of the same module. */
  readonly reuse: boolean;
  readonly log: Logger;
}

/** What an attempt reports while it lives. `ended` comes last, once, and only when nothing of it runs. */
export interface AttemptPort {
  /** It has processes of its own. Resolves when whoever takes the job over can find them: then its code may begin. */
  started(group: ProcessGroup): Promise<void>;
  heartbeat(): void;
  acknowledged(): void;
  total(items: number): void;
  /** Resolves when durable; rejects when the attempt must not go on. */
  checkpoint(checkpoint: string, rows: readonly string[], items: number): Promise<void>;
  /** Its watchdog found it past a timeout and killed it; `ended` follows. */
  expired(kind: TimeoutKind): void;
  /** Its watchdog ended it before its lease did; `ended` follows. */
  lapsed(): void;
  ended(outcome: AttemptOutcome, exit?: { exitCode?: number; signal?: string }): void;
}

export interface AttemptHandle {
  /** Aborts the signal. */
  ask(reason: string): void;
  terminate(): void;
  kill(): void;
  /** The limits and the beat of its spec are others now. */
  retime(): void;
  /** The same of `endBy`. */
  renew(): void;
}

/** May throw where the attempt cannot be started. */
export type Launch = (spec: AttemptSpec, port: AttemptPort) => AttemptHandle;

/** Where attempts run: isolation/isolations.ts, or in a test what stands for it. */
export interface Places {
  /** Gets ready for the isolations that will be used. */
  prepare(used: ReadonlySet<Isolation>): void;
  launchIn(isolation: Isolation): Launch;
  /** Ends what is left of an attempt whose owner is gone. Resolves when nothing of it runs on this machine. */
  endGroup(group: ProcessGroup): Promise<void>;
  /** Nothing that was kept ready is left. */
  close(): Promise<void>;
}
