// The main file of a child process that runs attempts. It does not outlive its host, nor its limits: a thread
// of its own sees to that (watchdog.ts).

import { Socket } from 'node:net';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { AttemptRunner } from './attemptRunner.ts';
import { readJsonLines, toJsonLine } from './jsonLines.ts';
import type { Envelope, HostMessage } from './protocol.ts';

// First of all: from here on this process cannot outlive its host. What the app loads ahead (--import) has no
// business in that thread.
const watchdog = new Worker(new URL(`./watchdog${extname(import.meta.url)}`, import.meta.url), {
  execArgv: ['--disable-warning=ExperimentalWarning'],
  env: { ...process.env, NODE_OPTIONS: '' },
});
watchdog.unref();
// Without it nothing here may run.
const endGroup = () => process.kill(-process.pid, 'SIGKILL');
watchdog.on('error', endGroup);
watchdog.on('exit', endGroup);

// A processor must not start inside an attempt: this is how it knows.
Object.assign(globalThis, { [Symbol.for('unstuck.attempt')]: true });

// The descriptor after stdin, stdout and stderr: see the stdio of processChild.ts.
const channel = new Socket({ fd: 3, readable: true, writable: true });
let secret = '';
const runner = new AttemptRunner({
  post(message, sent) {
    if (channel.writable) channel.write(toJsonLine({ secret, message }), () => sent?.());
    // Without a channel nobody hears an outcome: the exit alone says that the job did not complete.
    else if (sent !== undefined) process.exit(1);
  },
  leave: (exitCode) => process.exit(exitCode),
  sign: (sign) => watchdog.postMessage(sign),
});
process.on('uncaughtException', (error) => runner.uncaught(error));
readJsonLines(channel, (said) => {
  const { secret: given, message } = Object(said) as Partial<Envelope<HostMessage>>;
  if (secret === '' && given !== undefined) secret = given;
  if (given === secret && message !== undefined) runner.receive(message);
});
