// A child process that runs attempts. It leads a group of its own and is gone only when it was reaped, no member
// of that group is left, and its last words were read.

import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Child, ChildListener, Exit } from './child.ts';
import { processFlags } from './childFlags.ts';
import { readJsonLines, toJsonLine } from './jsonLines.ts';
import { OutputReader } from './outputLines.ts';
import { groupOf, othersInGroup, signalGroup, untilGroupGone } from './processGroup.ts';
import {
  type ChildMessage,
  type Envelope,
  toFailure,
  toWord,
  type WatchdogWord,
  type WatchOrder,
} from './protocol.ts';

// The sources run as they are in a checkout; the package has them compiled.
const entry = fileURLToPath(new URL(`./processEntry${extname(import.meta.url)}`, import.meta.url));

/** Groups that live now. A host that exits in order ends them itself: a watchdog cannot where all is stopped. */
const livingGroups = new Set<number>();
process.on('exit', () => {
  for (const group of livingGroups) signalGroup(group, 'SIGKILL');
});

/** How long the pipes of an ended process may take to run dry, ms: one that left the group may hold them. */
const lastWordMs = 1000;

export function startProcess(): Child {
  const secret = randomUUID();
  const flags = [...processFlags, '--disable-warning=ExperimentalWarning'];
  const child = spawn(process.execPath, [...flags, entry], {
    detached: true,
    // Two of our own: for messages (Node's IPC channel throws in the host where the job writes to it), and for the
    // watchdog. They close with this process.
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
  });
  const { promise: gone, resolve } = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  let listener: ChildListener | null = null;
  let exit: Exit | null = null;
  const end = (how: Exit) => {
    exit = how;
    listener?.ended(how);
    resolve();
  };
  // Once for all: a process that could not be started, or a channel that broke, must not bring the host down.
  child.on('error', (error) => {
    if (child.pid !== undefined) return;
    end({ failure: toFailure(error) });
    closed.resolve();
  });
  const { pid } = child;
  // Out of file descriptors there are no pipes at all, whatever the types say.
  const stdio = (child.stdio ?? []) as readonly (Socket | null)[];
  // Without one it could not be started; an error event says why.
  const signal = (name: NodeJS.Signals) => {
    // Once it is gone its number may be another's.
    if (pid !== undefined && exit === null) signalGroup(pid, name);
  };

  const [channel, pipe] = stdio.slice(3) as [channel?: Socket, pipe?: Socket];
  let word: WatchdogWord | undefined;
  if (pipe !== undefined) {
    readJsonLines(pipe, (said) => {
      word ??= toWord(said, secret);
    });
  }
  if (channel !== undefined) {
    readJsonLines(channel, (said) => {
      const { secret: known, message } = Object(said) as Partial<Envelope<ChildMessage>>;
      if (known === secret && message !== undefined) listener?.message(message);
    });
  }
  const output = {
    stdout: child.stdout && new OutputReader(child.stdout),
    stderr: child.stderr && new OutputReader(child.stderr),
  };
  if (pid !== undefined) {
    livingGroups.add(pid);
    child.once('exit', async (exitCode, signal) => {
      await untilGroupGone(pid);
      livingGroups.delete(pid);
      await lastWordsRead(stdio.slice(3) as Socket[]);
      end({
        ...(exitCode === null ? {} : { exitCode }),
        ...(signal === null ? {} : { signal }),
        // Its watchdog kills with nothing else.
        ...(word === undefined || signal !== 'SIGKILL' ? {} : { word }),
      });
      // Later, since output may still be on its way; but a process that left the group must not hold them.
      setTimeout(() => {
        for (const stream of stdio) stream?.destroy();
        setImmediate(closed.resolve);
      }, 100);
    });
  }
  const order = (given: WatchOrder) => {
    // JSON has no Infinity: off becomes null.
    if (pipe?.writable) pipe.write(toJsonLine(given));
  };
  return {
    kind: 'process',
    group: pid === undefined ? null : groupOf(pid),
    gone,
    closed: closed.promise,
    // A channel that is closed belongs to a child that is ending; its exit says the rest.
    post(message) {
      if (channel?.writable) channel.write(toJsonLine({ secret, message }));
    },
    listen(next) {
      listener = next;
      output.stdout?.begin((line) => next.output('stdout', line));
      output.stderr?.begin((line) => next.output('stderr', line));
      const gone = exit;
      if (gone !== null) queueMicrotask(() => next.ended(gone));
    },
    watch: (limits) => order(limits === null ? { type: 'rest' } : { type: 'watch', secret, ...limits }),
    rewatch: (limits) => order({ type: 'rewatch', secret, ...limits }),
    endBy: (at) => order({ type: 'lease', endBy: at }),
    terminate: () => signal('SIGTERM'),
    kill: () => signal('SIGKILL'),
    isClean: () => pid !== undefined && othersInGroup(pid) === 'none',
    hold(holds) {
      const act = holds ? 'ref' : 'unref';
      child[act]();
      for (const stream of stdio) stream?.[act]();
    },
  };
}

/**
 * Where several children end at once, their exits are seen before their pipes are read: waits for the end of those
 * that carry messages.
 */
async function lastWordsRead(pipes: readonly Socket[]): Promise<void> {
  const ends = pipes.map((pipe) => pipe.closed || new Promise((resolve) => pipe.once('close', resolve)));
  const cap = new Promise((resolve) => setTimeout(resolve, lastWordMs).unref());
  await Promise.race([Promise.all(ends), cap]);
}
