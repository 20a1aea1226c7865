// Runs an attempt in a child, a process or a thread: passes on what it says, and says that it has ended only
// when nothing of it runs. A child runs one attempt and is gone, unless the job asked for reuse.

import { pino } from 'pino';
import type { AttemptOutcome, StoredFailure } from '../../machines/verdict.ts';
import type { AttemptHandle, AttemptPort, AttemptSpec } from '../attempt.ts';
import type { Child, Exit } from './child.ts';
import type { ChildMessage } from './protocol.ts';

/** A child whose attempt has said its last word is gone within this, ms. */
const leavingMs = 2000;

export interface Keeper {
  /** Takes a child that can run another attempt. */
  rested(child: Child): void;
  /** The child was gone before the attempt began: a spare that had died, say. Absent: the attempt has failed. */
  unborn?(): void;
}

export function runInChild(
  child: Child,
  spec: AttemptSpec,
  port: AttemptPort,
  keeper: Keeper,
): AttemptHandle {
  const { start, module, reuse, log } = spec;
  let outcome: AttemptOutcome | null = null;
  /** Until it is heard of, or told to end: a child begins an attempt with a heartbeat. */
  let isUnborn = true;
  /** It was told what to run. */
  let hasBegun = false;
  let asked: string | null = null;
  let isDeaf = false;
  let isOver = false;
  let leaving: NodeJS.Timeout | undefined;
  const end = (exit: Exit) => {
    if (isOver) return;
    isOver = true;
    clearTimeout(leaving);
    if (isUnborn && exit.failure === undefined && keeper.unborn !== undefined) return keeper.unborn();
    const { word, exitCode, signal } = exit;
    if (word?.cause === 'lease') port.lapsed();
    else if (word !== undefined && word.cause !== 'memory') port.expired(word.cause);
    port.ended(outcome ?? { kind: 'failed', failure: failureOf(child.kind, exit) }, {
      ...(exitCode === undefined ? {} : { exitCode }),
      ...(signal === undefined ? {} : { signal }),
    });
  };

  const renew = () => {
    // Off: nothing to be told.
    if (spec.endBy !== Infinity) child.endBy(spec.endBy);
  };
  const begin = () => {
    if (isOver || isDeaf) return;
    hasBegun = true;
    child.post({
      type: 'start',
      module: module as string,
      beatMs: spec.beatMs,
      logLevel: log.level in pino.levels.values ? log.level : 'info',
      stays: reuse,
      attempt: start,
    });
    if (asked !== null) child.post({ type: 'ask', reason: asked });
  };

  child.hold(true);
  child.listen({
    message(message) {
      if (message.type === 'heartbeat') isUnborn = false;
      if (isDeaf || isOver) return;
      if (message.type !== 'completed' && message.type !== 'failed') return relay(message, spec, port, child);
      outcome =
        message.type === 'completed'
          ? { kind: 'completed', result: message.result }
          : { kind: 'failed', failure: message.failure };
      // It leaves by itself, once its spans are exported; what the job left behind must not keep it.
      if (!message.stays) {
        leaving = setTimeout(() => child.kill(), leavingMs);
        return;
      }
      child.watch(null);
      if (!child.isClean()) return child.kill();
      end({});
      keeper.rested(child);
    },
    output: (stream, line) => log[stream === 'stdout' ? 'info' : 'warn']({ stream }, line),
    ended: end,
  });
  child.watch(spec.limits);
  renew();
  if (child.group === null) begin();
  else port.started(child.group).then(begin);
  return {
    ask(reason) {
      if (isOver) return;
      isUnborn = false;
      asked = reason;
      if (hasBegun) child.post({ type: 'ask', reason });
    },
    // A child that is at rest, or runs another attempt by now, is not this one's any more.
    terminate() {
      if (isOver) return;
      isUnborn = false;
      isDeaf = true;
      child.terminate();
    },
    kill() {
      if (isOver) return;
      isUnborn = false;
      isDeaf = true;
      child.kill();
    },
    retime() {
      if (isOver) return;
      child.rewatch(spec.limits);
      child.post({ type: 'pace', beatMs: spec.beatMs });
    },
    renew() {
      if (!isOver) renew();
    },
  };
}

function relay(
  message: Exclude<ChildMessage, { type: 'completed' | 'failed' }>,
  { log }: AttemptSpec,
  port: AttemptPort,
  child: Child,
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
        () => child.post({ type: 'checkpoint.saved', error: null }),
        (error: Error) => child.post({ type: 'checkpoint.saved', error: error.message }),
      );
      return;
    case 'output':
      log[message.stream === 'stdout' ? 'info' : 'warn']({ stream: message.stream }, message.line);
      return;
    case 'log': {
      const { level, msg, time: _time, ...fields } = JSON.parse(message.line);
      const name = pino.levels.labels[level] ?? 'info';
      log[name as 'info'](fields, msg);
    }
  }
}

/** Why a child that said no outcome is gone. */
export function failureOf(kind: Child['kind'], { failure, word, exitCode, signal }: Exit): StoredFailure {
  if (failure !== undefined) return failure;
  if (word?.cause === 'memory') {
    return {
      name: 'MemoryLimitError',
      message: `the job's process used ${word.usedMb} MB of memory, its memoryLimitMb is ${word.limitMb}`,
      code: 'ERR_UNSTUCK_MEMORY_LIMIT',
    };
  }
  const how = signal === undefined ? `exited with code ${exitCode}` : `was ended by ${signal}`;
  return {
    name: 'JobExitError',
    message: `the job's ${kind} ${how} before the job was done`,
    code: 'ERR_UNSTUCK_JOB_EXIT',
  };
}
