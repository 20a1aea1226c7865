// A node is one processor at work: it tells its engine of itself every few seconds, and takes itself out when it stops, so that
// whoever asks the engine sees which node runs what, and which are gone. No job hangs on it: what cannot be told is told later.

import { hostname } from 'node:os';
import type { Logger } from 'pino';
import { v7 as uuid } from 'uuid';
import type { Clock } from '../engines/clock.ts';
import type { Engine, NodeFacts, StoredJob, StoredNode } from '../engines/engine.ts';
import { logNodeLost } from './logLines.ts';

/** A processor at work, as any process on its engine sees it. Dates are wall time. */
export interface NodeStatus {
  /** Another one each time a processor starts. */
  readonly id: string;
  /** Its `nodeName`, by default host name and process id. */
  readonly name: string;
  /** `gone`: its process has ended without a word, or does not reach the engine; it is removed from the list a day later. */
  readonly state: 'running' | 'draining' | 'gone';
  readonly host: string;
  readonly pid: number;
  /** Of Unstuck. */
  readonly version: string;
  readonly startedAt: Date;
  /** When it last told of itself, every few seconds. */
  readonly lastSeen: Date;
  readonly slots: { readonly max: number; readonly used: number; readonly unconfirmed: number };
  /** Names of the jobs that it runs, all of them. */
  readonly jobs: readonly string[];
  /** Attempts that are its own now, by the name of their jobs. */
  readonly running: readonly { readonly name: string; readonly jobs: number }[];
  /** As `health()` said there. */
  readonly health: { readonly status: 'ok' | 'degraded' | 'down'; readonly reasons: readonly string[] };
  /** The last time that the engine failed it; null: it never did. */
  readonly lastFailure: { readonly at: Date; readonly message: string } | null;
}

const intervalMs = 3000;
/** Of one that is gone. */
const keptMs = 24 * 3600 * 1000;
/** An engine that does not answer does not hold up a stop longer, ms. */
const patienceMs = 1000;
/** Of what is told of its health. */
const mostReasons = 5;
const longestText = 300;

/** Two processors of a process that were given no name are told apart by their ids. */
export const defaultNodeName = `${hostname()}:${process.pid}`;

export const nodeNameExpected = '1 to 100 characters, no control character, and no space at its ends';

/** It stands in the row of each job that runs, and in tables. */
export function isNodeName(name: unknown): name is string {
  return typeof name === 'string' && /^[^\p{Cc}\p{Cs}]{1,100}$/u.test(name) && name.trim() === name;
}

/** A new owner of claims, which has the name of its node in it: whoever reads a job knows where it runs. */
export function newOwner(nodeName: string): string {
  return `${nodeName}:${uuid()}`;
}

export function nodeOf(owner: string): string {
  return owner.replace(/:[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/, '');
}

export function nodeStatusOf(node: StoredNode, now: number): NodeStatus {
  const { isDraining, isGone, unseenMs, startedAt, lastFailure, ...facts } = node;
  return {
    ...facts,
    state: isGone ? 'gone' : isDraining ? 'draining' : 'running',
    startedAt: new Date(startedAt),
    lastSeen: new Date(now - unseenMs),
    lastFailure: lastFailure === null ? null : { ...lastFailure, at: new Date(lastFailure.at) },
  };
}

/** Says of nodes that are gone how many of their jobs were taken over here. */
export async function tellLostNodes(
  engine: Engine,
  logger: Logger,
  takenOver: readonly StoredJob[],
): Promise<void> {
  if (takenOver.length === 0) return;
  for (const { id, name, isGone, unseenMs } of await engine.nodes()) {
    const jobs = takenOver.filter(({ owner }) => owner === id).length;
    if (isGone && jobs > 0) logNodeLost(logger, name, unseenMs, jobs);
  }
}

export interface PresenceOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  /** How long a silent owner keeps its jobs: somewhat sooner it counts as gone. */
  readonly leaseMs: number;
  facts(): Promise<NodeFacts>;
}

export class Presence {
  readonly #options: PresenceOptions;
  #timer: unknown = null;
  #telling: Promise<void> | null = null;
  #isOver = false;

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  start(): void {
    this.tell();
  }

  /** Resolves when what it was to tell by now is told, or could not be. */
  async told(): Promise<void> {
    await this.#telling;
  }

  /** At once; and then every few seconds. */
  tell(): void {
    if (this.#isOver) return;
    const { clock, leaseMs } = this.#options;
    this.#rest();
    // One at a time: an older word must not come after a newer one.
    this.#telling = (this.#telling ?? Promise.resolve()).then(() => this.#tell());
    this.#telling.then(() => {
      this.#rest();
      if (!this.#isOver) this.#timer = clock.setTimeout(() => this.tell(), Math.min(intervalMs, leaseMs / 4));
    });
  }

  #rest(): void {
    if (this.#timer !== null) this.#options.clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  async #tell(): Promise<void> {
    if (this.#isOver) return;
    const { engine, leaseMs } = this.#options;
    try {
      const facts = await this.#options.facts();
      const { health, lastFailure } = facts;
      const told = {
        ...facts,
        health: { ...health, reasons: health.reasons.slice(0, mostReasons).map(shortened) },
        lastFailure: lastFailure && { ...lastFailure, message: shortened(lastFailure.message) },
      };
      // Before its jobs are taken over.
      await engine.nodeSeen(told, leaseMs * 0.8, keptMs);
    } catch {
      // Those who look see when it was last seen; what fails jobs is told by them.
    }
  }

  /** It is no more. */
  async stop(id: string): Promise<void> {
    const { engine, clock } = this.#options;
    this.#isOver = true;
    this.#rest();
    const late = Promise.withResolvers<void>();
    const timer = clock.setTimeout(late.resolve, patienceMs);
    const removed = (this.#telling ?? Promise.resolve()).then(() => engine.removeNode(id)).catch(() => {});
    await Promise.race([removed, late.promise]);
    clock.clearTimeout(timer);
  }
}

function shortened(text: string): string {
  return text.length <= longestText ? text : `${text.slice(0, longestText)}…`;
}
