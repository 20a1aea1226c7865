// The worker of a trial, a process of its own: node worker.js MODULE SPACE VARIANT. It answers each message as
// long as its event loop turns.

import { Worker } from 'node:worker_threads';
import { task } from './task.js';

// A thread, since the event loop will be blocked: should the watcher be killed, nothing is left to spin on.
const leash = `const watcher = process.ppid;
setInterval(() => process.ppid === watcher || process.kill(-process.pid, 'SIGKILL'), 500);`;
new Worker(leash, { eval: true }).unref();

const [module = '', space = '', variant = ''] = process.argv.slice(2);
const { startWorker } = await import(module);

process.on('message', () => process.send?.('here'));
await startWorker(space, task, variant);
process.send?.('ready');
