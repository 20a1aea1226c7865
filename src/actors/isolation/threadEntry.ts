// The main file of a thread that runs attempts. What the job prints becomes messages here, at its source: in a
// thread that never yields it would otherwise pile up in memory.

import { type MessagePort, workerData } from 'node:worker_threads';
import { AttemptRunner } from './attemptRunner.ts';
import { OutputLines } from './outputLines.ts';
import type { HostMessage, Stream } from './protocol.ts';

// A processor must not start inside an attempt: this is how it knows.
Object.assign(globalThis, { [Symbol.for('unstuck.attempt')]: true });

// Taken out of the job's sight, so that it cannot speak for its attempt.
const port = workerData.port as MessagePort;
workerData.port = undefined;

let lines: Record<Stream, OutputLines>;
const runner = new AttemptRunner({
  post(message, sent) {
    if (message.type === 'completed' || message.type === 'failed') {
      lines.stdout.end();
      lines.stderr.end();
    }
    port.postMessage(message);
    sent?.();
  },
  leave: (exitCode) => process.exit(exitCode),
  sign() {},
});
process.on('uncaughtException', (error) => runner.uncaught(error));
port.on('message', (message: HostMessage) => {
  if (message.type === 'start') lines = { stdout: linesOf('stdout'), stderr: linesOf('stderr') };
  runner.receive(message);
});

for (const stream of ['stdout', 'stderr'] as const) {
  process[stream].write = (chunk: Uint8Array | string, ...rest: unknown[]) => {
    lines?.[stream].write(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString());
    const written = rest.at(-1);
    if (typeof written === 'function') process.nextTick(written as () => void);
    return true;
  };
}

function linesOf(stream: Stream): OutputLines {
  return new OutputLines((line) => port.postMessage({ type: 'output', stream, line }));
}
