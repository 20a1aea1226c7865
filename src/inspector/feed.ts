// What open pages are told, gathered: at most four messages a second, each with what has changed since the last. A page
// that reads slowly misses messages and is then told everything anew; the processor never waits for one. While no page
// is open nothing is listened to.

import type { ServerResponse } from 'node:http';
import type { Health, JobProcessor, JobState, JobStatus, Jobs } from '../index.ts';
import { jobStates } from '../machines/states.ts';
import type { Inspection } from '../runtime/inspection.ts';

const intervalMs = 250;
/** Counts and health ask the engine: not with each message. */
const askedEach = 4;
/** Of transitions in one message: more than an eye can follow. */
const mostTransitions = 200;

export interface LiveLine {
  readonly id: string;
  readonly name: string;
  readonly state: JobState;
  readonly attempt: number;
  /** Which runs it. */
  readonly node: string | null;
  readonly chunks: number;
  readonly items: number;
  readonly total: number | null;
  /** Wall ms. */
  readonly startedAt: number | null;
  readonly heartbeatAt: number | null;
  readonly progressAt: number | null;
  readonly due: readonly { kind: string; at: number }[];
  readonly rung: string | null;
  readonly isUnconfirmed: boolean;
}

interface Facts {
  counts: Record<JobState, number> | null;
  health: Health | null;
}

/** Beside the jobs, in each message. */
export interface FeedFacts extends Facts {
  /** Wall ms. */
  readonly at: number;
  readonly limit: number;
  /** The one whose page it is. */
  readonly node: string;
  readonly transitions: readonly Came[];
}

type Came = readonly [id: string, name: string, state: JobState];

interface Page {
  readonly response: ServerResponse;
  /** It must be told everything. */
  isBehind: boolean;
}

export class Feed {
  readonly #processor: JobProcessor<Jobs>;
  readonly #inspection: Inspection;
  readonly #pages = new Set<Page>();
  #timer: NodeJS.Timeout | null = null;
  #rounds = 0;
  #transitions: Came[] = [];
  /** As last told, as text, by job. */
  #told = new Map<string, string>();
  #toldFacts = '';
  #facts: Facts = { counts: null, health: null };
  readonly #listener: (status: JobStatus) => void;

  constructor(processor: JobProcessor<Jobs>, inspection: Inspection) {
    this.#processor = processor;
    this.#inspection = inspection;
    this.#listener = ({ id, name, state }) => {
      if (this.#transitions.length < mostTransitions) this.#transitions.push([id, name, state]);
    };
  }

  /** Tells this page until it is gone. */
  add(response: ServerResponse): void {
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    const page: Page = { response, isBehind: true };
    response.on('drain', () => {
      page.isBehind = true;
    });
    response.on('close', () => {
      this.#pages.delete(page);
      if (this.#pages.size === 0) this.#rest();
    });
    this.#pages.add(page);
    if (this.#timer === null) {
      this.#begin();
      this.#round();
    } else this.#catchUp(page);
  }

  close(): void {
    for (const { response } of this.#pages) response.end();
    this.#pages.clear();
    this.#rest();
  }

  #begin(): void {
    for (const state of jobStates) this.#processor.on(state, this.#listener);
    this.#timer = setInterval(() => this.#round(), intervalMs);
  }

  #rest(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    for (const state of jobStates) this.#processor.off(state, this.#listener);
    this.#told.clear();
    this.#transitions = [];
  }

  #round(): void {
    if (this.#rounds % askedEach === 0) this.#ask();
    this.#rounds += 1;
    const now = new Map<string, string>();
    for (const status of this.#processor.activeJobs.values())
      now.set(status.id, JSON.stringify(lineOf(status)));
    for (const status of this.#inspection.zombies())
      if (!now.has(status.id)) now.set(status.id, JSON.stringify(lineOf(status)));
    const changed = [...now].filter(([id, line]) => this.#told.get(id) !== line).map(([, line]) => line);
    const gone = [...this.#told.keys()].filter((id) => !now.has(id));
    const facts = JSON.stringify({
      at: Date.now(),
      limit: this.#processor.maxConcurrentJobs,
      node: this.#processor.nodeName,
      transitions: this.#transitions,
      ...this.#facts,
    } satisfies FeedFacts);
    const part = `data: {"jobs":[${changed.join()}],"gone":${JSON.stringify(gone)},"facts":${facts}}\n\n`;
    this.#told = now;
    this.#toldFacts = facts;
    this.#transitions = [];
    for (const page of this.#pages) {
      const { response } = page;
      if (response.writableNeedDrain) continue;
      if (page.isBehind) this.#catchUp(page);
      else {
        response.write(part);
        page.isBehind = response.writableNeedDrain;
      }
    }
  }

  /** Everything, as of the last round: however many pages come, there is one round for all. */
  #catchUp(page: Page): void {
    const jobs = [...this.#told.values()].join();
    page.response.write(`data: {"isWhole":true,"jobs":[${jobs}],"gone":[],"facts":${this.#toldFacts}}\n\n`);
    page.isBehind = page.response.writableNeedDrain;
  }

  #ask(): void {
    const processor = this.#processor;
    Promise.all([processor.counts(), processor.health()]).then(
      ([counts, health]) => {
        this.#facts = { counts, health };
      },
      async (error) => {
        const health = await processor.health().catch(() => null);
        this.#facts = {
          ...this.#facts,
          health: health ?? { status: 'down', reasons: [(error as Error).message] },
        };
      },
    );
  }
}

export function lineOf(status: JobStatus): LiveLine {
  const {
    id,
    name,
    state,
    attempt,
    node,
    progress,
    startedAt,
    lastHeartbeat,
    lastProgress,
    due,
    isUnconfirmed,
    stop,
  } = status;
  return {
    ...{ id, name, state, attempt, node, ...progress },
    startedAt: startedAt?.getTime() ?? null,
    heartbeatAt: lastHeartbeat?.getTime() ?? null,
    progressAt: lastProgress?.getTime() ?? null,
    due: due.map(({ kind, at }) => ({ kind, at: Math.round(at.getTime()) })),
    rung: stop?.rung ?? null,
    isUnconfirmed,
  };
}
