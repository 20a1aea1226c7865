// Runs an attempt in a child process that leads a group of its own, and ends that group for certain: `ended`
// is reported when the leader was reaped and no member of the group is left, whoever ended it.

import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
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
    execArgv: [
      ...process.execArgv.filter((flag) => !flag.startsWith('--inspect')),
      '--disable-warning=ExperimentalWarning',
    ],
  });

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
  if (child.stdout !== null) logOutput(child.stdout, (line) => spec.log.info({ stream: 'stdout' }, line));
  if (child.stderr !== null) logOutput(child.stderr, (line) => spec.log.warn({ stream: 'stderr' }, line));

  child.stdio[4]?.on('error', () => {});
  child.once('error', (error) => {
    if (child.pid === undefined) port.ended({ kind: 'failed', failure: toFailure(error) });
  });
  child.once('exit', (exitCode, signal) => {
    const exit = { ...(exitCode === null ? {} : { exitCode }), ...(signal === null ? {} : { signal }) };
    const group = child.pid as number;
    const prove = (waitMs: number) => {
      if (isGroupGone(group)) {
        livingGroups.delete(group);
        return port.ended(outcome ?? { kind: 'failed', failure: earlyExit(exitCode, signal) }, exit);
      }
      signalGroup(group, 'SIGKILL');
      setTimeout(prove, waitMs, Math.min(waitMs * 2, 250));
    };
    prove(2);
  });

  const { pid } = child;
  if (pid !== undefined) livingGroups.add(pid);
  const { start, module, beatMs, log } = spec;
  send({ type: 'start', secret, module: module as string, beatMs, logLevel: log.level, attempt: start });
  return {
    ask: (reason) => send({ type: 'ask', reason }),
    terminate() {
      deaf = true;
      if (pid !== undefined) signalGroup(pid, 'SIGTERM');
    },
    kill() {
      deaf = true;
      if (pid !== undefined) signalGroup(pid, 'SIGKILL');
    },
  };
};

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
      const name = spec.log.levels.labels[level] ?? 'info';
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
