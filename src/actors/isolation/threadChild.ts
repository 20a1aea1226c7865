// A thread of the host that runs attempts. It is gone when its exit event came: no JavaScript of it runs then.
// A native call that blocks is not ended by `terminate()`, and while it lasts the thread is not gone.

import { extname } from 'node:path';
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import type { Child, ChildListener, Exit } from './child.ts';
import { threadFlags } from './childFlags.ts';
import { type ChildMessage, toFailure } from './protocol.ts';

const entry = new URL(`./threadEntry${extname(import.meta.url)}`, import.meta.url);

export function startThread(): Child {
  // A channel of its own: the job's code sees only the one that every worker has.
  const { port1: port, port2 } = new MessageChannel();
  const worker = new Worker(entry, {
    workerData: { port: port2 },
    transferList: [port2],
    execArgv: [...threadFlags, '--disable-warning=ExperimentalWarning'],
    stdout: true,
    stderr: true,
  });
  const { promise: gone, resolve } = Promise.withResolvers<void>();
  let exit: Exit | null = null;
  let listener: ChildListener | null = null;
  const hear = (message: ChildMessage) => listener?.message(message);
  port.on('message', hear);
  // The entry sends what the job prints as messages; these hold what Node itself prints before it is there.
  worker.stdout.resume();
  worker.stderr.resume();
  let failure: Exit['failure'];
  worker.on('error', (error) => {
    failure = toFailure(error);
  });
  worker.once('exit', (exitCode) => {
    for (let left = receiveMessageOnPort(port); left !== undefined; left = receiveMessageOnPort(port)) {
      hear(left.message);
    }
    port.close();
    exit = { exitCode, ...(failure === undefined ? {} : { failure }) };
    listener?.ended(exit);
    resolve();
  });
  const terminate = () => void worker.terminate();
  return {
    kind: 'thread',
    closed: gone,
    group: null,
    gone,
    post: (message) => port.postMessage(message),
    listen(next) {
      listener = next;
      const gone = exit;
      if (gone !== null) queueMicrotask(() => next.ended(gone));
    },
    // It lives and dies with the host; its timeouts are judged there alone.
    watch() {},
    rewatch() {},
    endBy() {},
    terminate,
    kill: terminate,
    isClean: () => true,
    hold(holds) {
      const act = holds ? 'ref' : 'unref';
      worker[act]();
      port[act]();
    },
  };
}
