// Runs an attempt in a child process that leads a group of its own, and ends that group for certain: `ended`
// is reported when the leader was reaped and no member of the group is left, whoever ended it.

import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import type { AttemptOutcome } from '../machines/verdict.ts';
import type { AttemptPort, AttemptSpec, Launch } from './attempt.ts';
import { logOutput } from './outputLines.ts';
import { isGroupGone, signalGroup } from './processGroup.ts';
import { type ChildMessage, type HostMessage, toFailure } from './protocol.ts';

// The sources run as they are in a checkout; the package has them compiled.
const entry = new URL(`./attemptEntry.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url);

/** Groups that live now. A host that exits in order ends them itself: a watchdog cannot where all is stopped. */
const livingGroups = new Set<number>();
process.on('exit', () => {
  for (const group of livingGroups) signalGroup(group, 'SIGKILL');
});

export const launchProcess: Launch = (spec, port) => {
  const secret = randomUUID();
  const child = fork(entry, {
    detached: true,
    // The last is the watchdog's: it closes with this process.
    stdio: ['ignore', 'pipe', 'pipe', 'ipc', 'pipe'],
    execArgv: [...childFlags(process.execArgv), '--disable-warning=ExperimentalWarning'],
  });
  // Once for all: a process that could not be started, or a channel that broke, must not bring the host down.
  child.on('error', (error) => {
    if (child.pid === undefined) port.ended({ kind: 'failed', failure: toFailure(error) });
  });
  const { pid } = child;
  if (pid === undefined) return { ask() {}, terminate() {}, kill() {} };
  livingGroups.add(pid);

  let outcome: AttemptOutcome | null = null;
  let deaf = false;
  const send = (message: HostMessage) => {
    // A channel that is closed belongs to a child that is ending; its exit says the rest.
    if (child.connected) child.send(message, () => {});
  };
  child.on('message', (message: ChildMessage) => {
    if (deaf || message?.secret !== secret) return;
    if (message.type === 'completed') outcome = { kind: 'completed', result: message.result };
    else if (message.type === 'failed') outcome = { kind: 'failed', failure: message.failure };
    else relay(message, spec, port, send);
  });
  if (child.stdout) logOutput(child.stdout, (line) => spec.log.info({ stream: 'stdout' }, line));
  if (child.stderr) logOutput(child.stderr, (line) => spec.log.warn({ stream: 'stderr' }, line));

  child.stdio[4]?.on('error', () => {});
  child.once('exit', (exitCode, signal) => {
    const exit = { ...(exitCode === null ? {} : { exitCode }), ...(signal === null ? {} : { signal }) };
    const prove = (waitMs: number) => {
      if (isProvenGone(pid)) {
        livingGroups.delete(pid);
        return lastWordRead(child, () =>
          port.ended(outcome ?? { kind: 'failed', failure: earlyExit(exitCode, signal) }, exit),
        );
      }
      signalGroup(pid, 'SIGKILL');
      setTimeout(prove, waitMs, Math.min(waitMs * 2, 250));
    };
    prove(2);
  });

  const { start, module, beatMs, log } = spec;
  send({
    type: 'start',
    secret,
    module: module as string,
    beatMs,
    logLevel: log.level in pino.levels.values ? log.level : 'info',
    attempt: start,
  });
  return {
    ask: (reason) => send({ type: 'ask', reason }),
    terminate() {
      deaf = true;
      signalGroup(pid, 'SIGTERM');
    },
    kill() {
      deaf = true;
      signalGroup(pid, 'SIGKILL');
    },
  };
};

function isProvenGone(group: number): boolean {
  try {
    return isGroupGone(group);
  } catch {
    // Out of file descriptors, say: look again.
    return false;
  }
}

/**
 * Calls `done` when all that the child sent was read: where several children end at once, their exits are seen
 * before the channels are read. Then lets go of its pipes, which a process that left the group may still hold.
 */
function lastWordRead(child: ChildProcess, done: () => void): void {
  const end = () => {
    clearTimeout(cap);
    child.off('disconnect', end);
    setImmediate(done);
    setTimeout(() => {
      for (const stream of child.stdio) stream?.destroy();
    }, 100);
  };
  const cap = setTimeout(end, 1000);
  if (child.connected) child.once('disconnect', end);
  else end();
}

/** Flags of this process that its children need too: how modules are found and loaded, and how much they may use. */
function childFlags(flags: readonly string[]): string[] {
  const single =
    /^--(experimental-(?!loader\b)|no-experimental-|enable-source-maps|max-|stack-|no-warnings|preserve-symlinks|icu-|openssl-)/;
  const withValue = /^(--import|--require|-r|--loader|--experimental-loader|--conditions|-C)(=|$)/;
  return flags.flatMap((flag, index) => {
    if (single.test(flag)) return [flag];
    const found = withValue.exec(flag);
    if (found === null) return [];
    return found[2] === '=' ? [flag] : [flag, flags[index + 1] ?? ''];
  });
}

function relay(
  message: ChildMessage,
  spec: AttemptSpec,
  port: AttemptPort,
  send: (message: HostMessage) => void,
): void {
  switch (message.type) {
    case 'heartbeat':
      port.heartbeat();
      return;
    case 'acknowledged':
      port.acknowledged();
      return;
    case 'total':
      port.total(message.items);
      return;
    case 'checkpoint':
      port.checkpoint(message.checkpoint, message.rows, message.items).then(
        () => send({ type: 'checkpoint.saved', error: null }),
        (error: Error) => send({ type: 'checkpoint.saved', error: error.message }),
      );
      return;
    case 'log': {
      const { level, msg, time: _time, ...fields } = JSON.parse(message.line);
      const name = pino.levels.labels[level] ?? 'info';
      spec.log[name as 'info'](fields, msg);
    }
  }
}

function earlyExit(exitCode: number | null, signal: NodeJS.Signals | null) {
  const how = signal === null ? `exited with code ${exitCode}` : `was ended by ${signal}`;
  return {
    name: 'ProcessExitError',
    message: `the job's process ${how} before the job was done`,
    code: 'ERR_UNSTUCK_PROCESS_EXIT',
  };
}
