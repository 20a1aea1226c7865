// The main file of a child process that runs one attempt. It imports the job's module, folds its chunks, beats
// from its own event loop (so that a blocked loop falls silent), and does not outlive its host (watchdog.ts).

import { Worker } from 'node:worker_threads';
import { pino } from 'pino';
import { type AttemptHost, foldChunks } from './foldChunks.ts';
import type { JobCode } from './jobCode.ts';
import { type ChildMessage, type HostMessage, type StartMessage, toFailure } from './protocol.ts';

type Unsigned<M> = M extends ChildMessage ? Omit<M, 'secret'> : never;

// First of all: from here on this process cannot outlive its host.
new Worker(new URL(`./watchdog.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url)).unref();

// A processor must not start inside an attempt: this is how it knows.
Object.assign(globalThis, { [Symbol.for('unstuck.attempt')]: true });

// Taken out of the job's sight: its own use of the channel must not disturb the attempt's.
const channelSend = process.send?.bind(process) as (message: ChildMessage, sent?: () => void) => void;
process.send = undefined;

let secret = '';
const send = (message: Unsigned<ChildMessage>, sent?: () => void) => {
  if (process.connected) channelSend({ ...message, secret } as ChildMessage, sent);
};

const aborter = new AbortController();
let checkpointWaits: PromiseWithResolvers<void> | null = null;

process.on('message', (message: HostMessage) => {
  switch (message.type) {
    case 'start':
      runAttempt(message);
      return;
    case 'ask':
      send({ type: 'acknowledged' });
      aborter.abort(new DOMException(message.reason, 'AbortError'));
      return;
    case 'checkpoint.saved':
      if (message.error === null) checkpointWaits?.resolve();
      else checkpointWaits?.reject(new Error(message.error));
  }
});

async function runAttempt({ secret: given, module, beatMs, logLevel, attempt }: StartMessage): Promise<void> {
  secret = given;
  const fail = (error: unknown) => leave({ type: 'failed', failure: toFailure(error) }, 1);
  process.on('uncaughtException', fail);
  let lastBeat = performance.now();
  const beat = () => {
    lastBeat = performance.now();
    send({ type: 'heartbeat' });
  };
  setInterval(beat, beatMs);
  const host: AttemptHost = {
    signal: aborter.signal,
    log: pino({ level: logLevel, base: null }, { write: (line) => send({ type: 'log', line }) }),
    // Gathered: the clock is read each time, a message is sent once a beat.
    heartbeat: () => {
      if (performance.now() - lastBeat >= beatMs) beat();
    },
    total: (items) => send({ type: 'total', items }),
    saveCheckpoint: (checkpoint, rows, items) => {
      checkpointWaits = Promise.withResolvers<void>();
      send({ type: 'checkpoint', checkpoint, rows, items });
      return checkpointWaits.promise;
    },
  };
  try {
    const code = defaultExport(await import(module));
    if (typeof code !== 'object' || code === null || (!('chunks' in code) && !('run' in code))) {
      throw new TypeError(
        `${module}: expected a job as its default export, got ${code === undefined ? 'none' : 'something else'}`,
      );
    }
    const result = await foldChunks(code as JobCode, attempt, host);
    leave({ type: 'completed', result }, 0);
  } catch (error) {
    fail(error);
  }
}

/** A CommonJS file that was compiled from TypeScript wraps its default in one more. */
function defaultExport(module: { default?: JobCode | { __esModule?: boolean; default?: JobCode } }) {
  const exported = module.default;
  return exported !== undefined && '__esModule' in Object(exported)
    ? (exported as { default?: JobCode }).default
    : (exported as JobCode | undefined);
}

let leaving = false;
/** The outcome is the last word; then this process is over, whatever the job left open. */
function leave(outcome: Unsigned<ChildMessage>, exitCode: number): void {
  if (leaving) return;
  leaving = true;
  // Without a channel nobody hears it: the exit alone says that the job did not complete.
  if (!process.connected) process.exit(1);
  send(outcome, () => process.exit(exitCode));
}
