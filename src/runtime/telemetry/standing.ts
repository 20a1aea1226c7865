// What stands in a processor and its engine, as metrics ask for it when a reader collects.

import type { OpenJobs, StoredNode } from '../../engines/engine.ts';

/** Of an attempt, seconds since; null: its job has no such timeout. */
export interface SignAges {
  readonly name: string;
  readonly heartbeat: number | null;
  readonly progress: number | null;
}

export interface Standing {
  /** Wall ms. */
  now(): number;
  /** Processors on the same tell the same of it. */
  readonly engine: object;
  /** Of the engine. */
  openJobs(): Promise<readonly OpenJobs[]>;
  /** Of the engine. */
  nodes(): Promise<readonly StoredNode[]>;
  /** Null: the processor starts no jobs. */
  slots(): { readonly free: number; readonly used: number; readonly unconfirmed: number } | null;
  /** Of the attempts that are alive here. */
  signAges(): Iterable<SignAges>;
  /** Names of the attempts that could not be proven stopped, each as often as it has some. */
  unconfirmed(): Iterable<string>;
}
