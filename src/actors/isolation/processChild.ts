// A child process that runs attempts. It leads a group of its own and is gone only when it was reaped, no member
// of that group is left, and its last words were read.

import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import type { Readable, Writable } from 'node:stream';
import type { Child, ChildListener, Exit } from './child.ts';
import { childFlags } from './childFlags.ts';
import { OutputReader } from './outputLines.ts';
import { groupOf, othersInGroup, signalGroup, untilGroupGone } from './processGroup.ts';
import {
  type ChildMessage,
  type HostMessage,
  toFailure,
  type WatchdogWord,
  type WatchOrder,
} from './protocol.ts';

// The sources run as they are in a checkout; the package has them compiled.
const entry = new URL(`./processEntry.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url);

/** Groups that live now. A host that exits in order ends them itself: a watchdog cannot where all is stopped. */
const livingGroups = new Set<number>();
process.on('exit', () => {
  for (const group of livingGroups) signalGroup(group, 'SIGKILL');
});

/** How long the pipes of an ended process may take to run dry, ms: one that left the group may hold them. */
const lastWordMs = 1000;

export function startProcess(): Child {
  // What the child says carries it, so that a job that uses the channel too cannot speak for its attempt.
  const secret = randomUUID();
  const child = fork(entry, {
    detached: true,
    // The last is the watchdog's: it closes with this process.
    stdio: ['ignore', 'pipe', 'pipe', 'ipc', 'pipe'],
    execArgv: [...childFlags(process.execArgv), '--disable-warning=ExperimentalWarning'],
  });
  const { promise: gone, resolve } = Promise.withResolvers<void>();
  let listener: ChildListener | null = null;
  let exit: Exit | null = null;
  const end = (how: Exit) => {
    exit = how;
    listener?.ended(how);
    resolve();
  };
  // Once for all: a process that could not be started, or a channel that broke, must not bring the host down.
  child.on('error', (error) => {
    if (child.pid === undefined) end({ failure: toFailure(error) });
  });
  const { pid } = child;
  // Without one it could not be started; an error event says why.
  const signal = (name: NodeJS.Signals) => {
    // Once it is gone its number may be another's.
    if (pid !== undefined && exit === null) signalGroup(pid, name);
  };
  if (pid !== undefined) livingGroups.add(pid);

  const pipe = child.stdio[4] as (Readable & Writable) | null;
  let word: WatchdogWord | undefined;
  readLines(pipe, (line) => {
    word = JSON.parse(line);
  });
  child.on('message', (envelope: { secret?: string; message?: ChildMessage }) => {
    if (envelope?.secret === secret && envelope.message !== undefined) listener?.message(envelope.message);
  });
  const output = {
    stdout: child.stdout && new OutputReader(child.stdout),
    stderr: child.stderr && new OutputReader(child.stderr),
  };
  child.once('exit', async (exitCode, signal) => {
    if (pid === undefined) return;
    await untilGroupGone(pid);
    livingGroups.delete(pid);
    await lastWordsRead(child);
    end({
      ...(exitCode === null ? {} : { exitCode }),
      ...(signal === null ? {} : { signal }),
      ...(word === undefined ? {} : { word }),
    });
    // Later, since output may still be on its way; but a process that left the group must not hold them.
    setTimeout(() => {
      for (const stream of child.stdio) stream?.destroy();
    }, 100).unref();
  });
  return {
    kind: 'process',
    group: pid === undefined ? null : groupOf(pid),
    gone,
    // A channel that is closed belongs to a child that is ending; its exit says the rest.
    post(message: HostMessage) {
      if (child.connected) child.send({ secret, message }, () => {});
    },
    listen(next) {
      listener = next;
      output.stdout?.begin((line) => next.output('stdout', line));
      output.stderr?.begin((line) => next.output('stderr', line));
      const gone = exit;
      if (gone !== null) queueMicrotask(() => next.ended(gone));
    },
    watch(limits) {
      const order: WatchOrder = limits === null ? { type: 'rest' } : { type: 'watch', ...limits };
      // JSON has no Infinity: off becomes null.
      if (pipe?.writable) pipe.write(`${JSON.stringify(order)}\n`);
    },
    terminate: () => signal('SIGTERM'),
    kill: () => signal('SIGKILL'),
    isClean: () => pid !== undefined && othersInGroup(pid) === 'none',
    hold(holds) {
      const act = holds ? 'ref' : 'unref';
      child[act]();
      child.channel?.[act]();
      for (const stream of child.stdio) (stream as { ref?(): void; unref?(): void } | null)?.[act]?.();
    },
  };
}

/**
 * Where several children end at once, their exits are seen before their channels are read: waits for the end
 * of the channel and of the watchdog's pipe.
 */
async function lastWordsRead(child: ChildProcess): Promise<void> {
  const pipe = child.stdio[4];
  const ends: Promise<unknown>[] = [new Promise((resolve) => setTimeout(resolve, lastWordMs).unref())];
  const both = [
    child.connected && new Promise((resolve) => child.once('disconnect', resolve)),
    pipe && !pipe.closed && new Promise((resolve) => pipe.once('close', resolve)),
  ];
  ends.push(Promise.all(both));
  await Promise.race(ends);
  await new Promise(setImmediate);
}

/** Lines of a pipe between trusted code; one that breaks with its process has nothing left to say. */
function readLines(pipe: Readable | null, take: (line: string) => void): void {
  let open = '';
  pipe?.setEncoding('utf8');
  pipe?.on('data', (text: string) => {
    const lines = (open + text).split('\n');
    open = lines.pop() ?? '';
    for (const line of lines) take(line);
  });
  pipe?.on('error', () => {});
}
