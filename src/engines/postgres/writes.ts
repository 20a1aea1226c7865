// The writes of this process: those that come while a transaction is under way are the next one, each kind of them in as few
// statements as may be. A call that is refused fails alone; one that cannot be carried out is found by doing each by itself;
// where the server fails, all that were under way are told. Two writes of one job are never in the same transaction, and keep
// their order.

import type { FinalState } from '../../machines/states.ts';
import type { CheckpointWrite, NewJob, StoredJob, StoredSchedule, Timeouts } from '../engine.ts';
import { adopt, isRefusal, promote, prune, setTimeouts } from './acts.ts';
import { checkpoint, type IntentWrite, recordIntent, type Settlement, settle } from './attempts.ts';
import type { Connections } from './connections.ts';
import { removeSchedule, storeSchedule } from './controls.ts';
import { isOfCall } from './databaseErrors.ts';
import { submit } from './submissions.ts';
import type { Transaction } from './transaction.ts';

/** For each call its answer, or the error that refuses it. */
type Carried<Value> = Promise<(Value | Error)[]>;

function oneByOne<Args, Value>(act: (tx: Transaction, args: Args) => Promise<Value>) {
  return async (tx: Transaction, calls: readonly Args[]): Carried<Value> => {
    const answers: (Value | Error)[] = [];
    for (const args of calls) {
      try {
        answers.push(await act(tx, args));
      } catch (error) {
        if (!isRefusal(error)) throw error;
        answers.push(error);
      }
    }
    return answers;
  };
}

interface Kind<Args, Value> {
  /** The jobs that a call is of, where there are any yet. */
  jobs(args: Args): readonly string[];
  carryOut(tx: Transaction, calls: readonly Args[]): Carried<Value>;
}

const ofOne = ({ id }: { id: string }) => [id];
const ofNone = () => [];

const kinds = {
  submit: {
    jobs: (jobs) => jobs.map(({ id }) => id),
    async carryOut(tx, calls) {
      const stored = await submit(tx, calls.flat());
      return calls.map((jobs) => stored.splice(0, jobs.length));
    },
  } satisfies Kind<readonly NewJob[], StoredJob[]>,
  checkpoint: { jobs: ofOne, carryOut: checkpoint } satisfies Kind<CheckpointWrite, boolean>,
  recordIntent: { jobs: ofOne, carryOut: recordIntent } satisfies Kind<IntentWrite, undefined>,
  settle: { jobs: ofOne, carryOut: settle } satisfies Kind<Settlement, StoredJob>,
  setTimeouts: {
    jobs: ofOne,
    carryOut: oneByOne((tx, { id, timeouts }) => setTimeouts(tx, id, timeouts)),
  } satisfies Kind<{ id: string; timeouts: Partial<Timeouts> }, StoredJob>,
  promote: {
    jobs: ofOne,
    carryOut: oneByOne((tx, { id }) => promote(tx, id)),
  } satisfies Kind<{ id: string }, void>,
  adopt: {
    jobs: ofOne,
    carryOut: oneByOne((tx, { id, token, owner, leaseMs }) => adopt(tx, id, token, owner, leaseMs)),
  } satisfies Kind<{ id: string; token: string; owner: string; leaseMs: number }, string>,
  prune: {
    jobs: ofNone,
    carryOut: oneByOne((tx, { states, endedBefore }) => prune(tx, states, endedBefore)),
  } satisfies Kind<{ states: readonly FinalState[]; endedBefore: number }, boolean>,
  storeSchedule: {
    jobs: ofNone,
    carryOut: oneByOne((tx, { schedule, instead, jobs }) => storeSchedule(tx, schedule, instead, jobs)),
  } satisfies Kind<
    { schedule: StoredSchedule; instead: string | null; jobs: readonly NewJob[] },
    StoredJob[] | null
  >,
  removeSchedule: {
    jobs: ofNone,
    carryOut: oneByOne((tx, { key }) => removeSchedule(tx, key)),
  } satisfies Kind<{ key: string }, boolean>,
};

type Kinds = typeof kinds;
type ArgsOf<K extends keyof Kinds> = Parameters<Kinds[K]['carryOut']>[1][number];
type ValueOf<K extends keyof Kinds> = Exclude<Awaited<ReturnType<Kinds[K]['carryOut']>>[number], Error>;

interface Call {
  readonly kind: keyof Kinds;
  readonly args: never;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** In one transaction: calls, and characters of what they bring. */
const mostCalls = 2000;

export interface WritesHost {
  /** Tells what was stored, before those who wrote it are answered. */
  stored(tx: Transaction): void;
  /** In words for people. */
  explained(error: unknown): Error;
}

export class Writes {
  readonly #connections: Connections;
  readonly #host: WritesHost;
  #waiting: Call[] = [];
  #running: Promise<void> | null = null;
  /** Transactions so far. */
  commits = 0;

  constructor(connections: Connections, host: WritesHost) {
    this.#connections = connections;
    this.#host = host;
  }

  call<K extends keyof Kinds>(kind: K, args: ArgsOf<K>): Promise<ValueOf<K>> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.push({ kind, args: args as never, resolve, reject });
    this.#running ??= this.#run();
    return promise as Promise<ValueOf<K>>;
  }

  /** What has come by now is stored, or refused. */
  async idle(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  async #run(): Promise<void> {
    // All calls of this turn of the event loop.
    await new Promise(setImmediate);
    while (this.#waiting.length > 0) await this.#carryOut(this.#next());
    this.#running = null;
  }

  /** The calls of the next transaction. */
  #next(): Call[] {
    const jobs = new Set<string>();
    const taken: Call[] = [];
    const left: Call[] = [];
    for (const call of this.#waiting) {
      const ids = kinds[call.kind].jobs(call.args);
      if (taken.length < mostCalls && !ids.some((id) => jobs.has(id))) taken.push(call);
      else left.push(call);
      for (const id of ids) jobs.add(id);
    }
    this.#waiting = left;
    return taken;
  }

  async #carryOut(calls: readonly Call[]): Promise<void> {
    try {
      const { value: answers, tx } = await this.#connections.transact({ statements: [] }, async (tx) => {
        const answers = new Map<Call, unknown>();
        for (const kind of Object.keys(kinds) as (keyof Kinds)[]) {
          const ofKind = calls.filter((call) => call.kind === kind);
          if (ofKind.length === 0) continue;
          const found = await kinds[kind].carryOut(
            tx,
            ofKind.map(({ args }) => args),
          );
          for (const [n, call] of ofKind.entries()) answers.set(call, found[n]);
        }
        return answers;
      });
      this.commits += 1;
      this.#host.stored(tx);
      await deal(calls, (call) => answers.get(call));
    } catch (error) {
      if (isOfCall(error) && calls.length > 1) for (const call of calls) await this.#carryOut([call]);
      else await deal(calls, () => this.#host.explained(error));
    }
  }
}

const answersATurn = 32;

/** A slice at a time: the host's loop turns between them, however many there are. */
async function deal(calls: readonly Call[], answerTo: (call: Call) => unknown): Promise<void> {
  for (const [n, call] of calls.entries()) {
    if (n > 0 && n % answersATurn === 0) await new Promise(setImmediate);
    const answer = answerTo(call);
    if (answer instanceof Error) call.reject(answer);
    else call.resolve(answer);
  }
}
