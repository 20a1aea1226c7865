// A process or thread that runs attempts, one after another: started, told what to run, and ended for certain.
// What one is made of is in processChild.ts and threadChild.ts.

import type { ProcessGroup } from '../../engines/engine.ts';
import type { StoredFailure } from '../../machines/verdict.ts';
import type { WatchLimits } from '../attempt.ts';
import type { ChildMessage, HostMessage, Stream, WatchdogWord } from './protocol.ts';

/** How a child ended. */
export interface Exit {
  readonly exitCode?: number;
  readonly signal?: string;
  /** It could not be started, or broke in a way that no exit code tells. */
  readonly failure?: StoredFailure;
  /** Why its watchdog killed it. */
  readonly word?: WatchdogWord;
}

export interface ChildListener {
  message(message: ChildMessage): void;
  output(stream: Stream, line: string): void;
  /** Nothing of it runs any more. The last call. */
  ended(exit: Exit): void;
}

export interface Child {
  readonly kind: 'process' | 'thread';
  readonly group: ProcessGroup | null;
  /** Nothing where it is ending: its exit says the rest. */
  post(message: HostMessage): void;
  /** Who hears it from now on: a new attempt. */
  listen(listener: ChildListener): void;
  /** Limits for the attempt that begins; null when it is over. */
  watch(limits: WatchLimits | null): void;
  /** Other limits for the attempt that runs: what has passed counts. */
  rewatch(limits: WatchLimits): void;
  /** It ends itself then; monotonic ms. Counts for the attempt that is watched. */
  endBy(at: number): void;
  terminate(): void;
  kill(): void;
  /** True when the last attempt left nothing running beside it, so that another may follow. */
  isClean(): boolean;
  /** Whether it keeps the host's event loop alive. */
  hold(holds: boolean): void;
  /** Resolves when nothing of it runs any more, all that it said was heard and its listener knows. Never rejects. */
  readonly gone: Promise<void>;
  /** A little later: no handle of it is left in this process. */
  readonly closed: Promise<void>;
}
