// Where the jobs of a simulation are kept: what the hosts reach by their links, and the witness without any.

import type { Engine, StoredJob } from '../../src/engines/engine.ts';
import type { JobState } from '../../src/machines/states.ts';
import type { Life } from './life.ts';
import type { Answered } from './witness.ts';

/** `controls`: schedules, or the paused names; `missed`: more than can be told. */
export type News = [id: string, state: JobState] | 'controls' | 'missed';

export interface Store {
  /** As a new process of this life reaches it. */
  serverFor(life: Life, threads: Life): Server;
  get(id: string): Promise<StoredJob | null>;
  rows(id: string): AsyncIterable<string> | Iterable<string>;
  close(): void | Promise<void>;
}

export interface Server {
  open(): Promise<void>;
  close(): Promise<void>;
  /** Answers when it is durable. */
  call(method: string, args: readonly unknown[], answer: (settled: () => Promise<unknown>) => void): void;
  watch(read: (news: News[]) => void): () => void;
  /** Where its database lives in a thread, this ends it. */
  endThread?(): void;
}

/** Sees what is carried out, in the order in which it is. */
export interface StoreWitness {
  /** A job has changed. */
  changed(id: string): void;
  answered(method: string, args: readonly unknown[], answer: Answered): void;
}

const streams = new Set(['list', 'queue', 'rows']);

/** A call on an engine, by its name. What an engine gives one by one comes as an array. */
export async function carryOut(engine: Engine, method: string, args: readonly unknown[]): Promise<unknown> {
  const act = (engine as unknown as Record<string, (...args: unknown[]) => unknown>)[method];
  if (act === undefined) throw new Error(`the engine has no ${method}`);
  const made = act.apply(engine, [...args]);
  if (!streams.has(method)) return made;
  const all: unknown[] = [];
  for await (const each of made as AsyncIterable<unknown>) all.push(each);
  return all;
}
