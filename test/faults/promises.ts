// What is promised for each fault in each isolation: the one table from which the fault matrix is run and the
// table of docs/guarantees.md is made.

import type { Isolation } from '../../src/actors/attempt.ts';
import type { Fault } from './faultyJob.ts';

export const outcomes = {
  ended: 'timed out on time; proven: nothing of it runs',
  'ended alone': 'the same; a child process of it that is out of reach runs on',
  failed: 'the attempt has failed, and says why; nothing of it runs',
  completed: 'it does no harm: the job completes',
  refused: 'the setting is refused where it could not be kept',
  unconfirmed:
    'timed out and said not to be proven; its slot is held, its late writes are refused, `health()` names it',
  'may be unconfirmed':
    'failed, or timed out and proven, or `unconfirmed`, or the end of its host: never silence',
  'blocks its host': 'nothing in the host can help; whoever watches the host must end it',
  'ends its host': 'your process ends, as it would without us',
  'stops its host': 'your process is stopped; when it goes on, the job does',
} as const;

export type Outcome = keyof typeof outcomes;

interface Row {
  about: string;
  process: Outcome;
  thread: Outcome;
  inline: Outcome;
}

const alive = { process: 'ended', thread: 'ended', inline: 'unconfirmed' } as const;
const blocked = { process: 'ended', thread: 'ended', inline: 'blocks its host' } as const;
const native = { process: 'ended', thread: 'unconfirmed', inline: 'blocks its host' } as const;
const breaks = { process: 'failed', thread: 'failed', inline: 'ends its host' } as const;
const refusedResult = { process: 'failed', thread: 'failed', inline: 'failed' } as const;

export const promises: Record<Exclude<Fault, 'completes'>, Row> = {
  neverSettles: { about: 'a promise that never settles', ...alive },
  ignoresSignal: { about: 'works on and looks at no signal', ...alive },
  beatsForEver: { about: 'a million heartbeats a second, and no chunk', ...alive },
  endlessLoop: { about: '`while (true) {}`', ...blocked },
  regularExpression: { about: 'a catastrophic regular expression', ...blocked },
  microtasks: { about: 'an endless chain of microtasks', ...blocked },
  atomicsWait: { about: '`Atomics.wait`', ...blocked },
  wasmLoop: { about: 'an endless loop in WebAssembly', ...blocked },
  nativeCall: { about: 'minutes in a native call (`pbkdf2Sync`)', ...native },
  spawnSync: { about: '`spawnSync` of a program that does not end', ...native },
  ignoresSigterm: { about: 'a SIGTERM handler that does nothing', ...alive },
  grandchildren: {
    about: 'children and grandchildren that ignore SIGTERM',
    process: 'ended',
    thread: 'ended alone',
    inline: 'unconfirmed',
  },
  daemon: {
    about: 'a child that left the process group (`setsid`)',
    process: 'ended alone',
    thread: 'ended alone',
    inline: 'unconfirmed',
  },
  closesItsChannel: { about: 'closes its channel to the host, and runs on', ...alive },
  forges: { about: 'says on every channel it finds that it has completed', ...alive },
  stopsItself: {
    about: 'SIGSTOP to itself',
    process: 'ended',
    thread: 'stops its host',
    inline: 'stops its host',
  },
  exits: { about: '`process.exit(0)` in the middle of a chunk', ...breaks },
  throwsUncaught: { about: 'an uncaught exception', ...breaks },
  rejectsAfterCompletion: {
    about: 'a rejection after its completion',
    process: 'completed',
    thread: 'completed',
    inline: 'ends its host',
  },
  exhaustsMemory: {
    about: 'memory beyond `memoryLimitMb`',
    process: 'failed',
    thread: 'refused',
    inline: 'refused',
  },
  exhaustsHeap: {
    about: "memory beyond V8's own limit",
    process: 'failed',
    thread: 'may be unconfirmed',
    inline: 'ends its host',
  },
  resultIsNoJson: { about: 'a result that is no JSON', ...refusedResult },
  resultIsHuge: { about: 'a result of 200 MB', ...refusedResult },
  printsWithoutEnd: {
    about: '1 GB of output (its log lines end at 1 MiB; inline output is your own)',
    process: 'completed',
    thread: 'completed',
    inline: 'completed',
  },
};

/** The faults whose cell in this isolation has one of these outcomes. */
export function faultsWith(isolation: Isolation, ...wanted: Outcome[]): Fault[] {
  return (Object.keys(promises) as (keyof typeof promises)[]).filter((fault) =>
    wanted.includes(promises[fault][isolation]),
  );
}
