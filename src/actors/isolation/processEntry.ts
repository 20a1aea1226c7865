// The main file of a child process that runs attempts. It does not outlive its host, nor its limits: a thread
// of its own sees to that (watchdog.ts).

import { Worker } from 'node:worker_threads';
import { AttemptRunner } from './attemptRunner.ts';
import type { ChildMessage, HostMessage } from './protocol.ts';

// First of all: from here on this process cannot outlive its host.
const watchdog = new Worker(
  new URL(`./watchdog.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url),
);
watchdog.unref();

// A processor must not start inside an attempt: this is how it knows.
Object.assign(globalThis, { [Symbol.for('unstuck.attempt')]: true });

// Taken out of the job's sight: its own use of the channel must not disturb the attempt's.
type Send = (envelope: { secret: string; message: ChildMessage }, sent?: () => void) => void;
const send = process.send?.bind(process) as Send;
process.send = undefined;

let secret = '';
const runner = new AttemptRunner({
  post(message, sent) {
    if (process.connected) send({ secret, message }, sent);
    // Without a channel nobody hears an outcome: the exit alone says that the job did not complete.
    else if (sent !== undefined) process.exit(1);
  },
  leave: (exitCode) => process.exit(exitCode),
  sign: (sign) => watchdog.postMessage(sign),
});
process.on('uncaughtException', (error) => runner.uncaught(error));
process.on('message', (envelope: { secret?: string; message?: HostMessage }) => {
  if (secret === '' && envelope.secret !== undefined) secret = envelope.secret;
  if (envelope.secret === secret && envelope.message !== undefined) runner.receive(envelope.message);
});
