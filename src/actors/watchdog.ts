// A thread in the child process of an attempt, with an event loop of its own: it holds one end of a pipe whose
// other end only the host has. When that closes, the host is gone, however it went, and the whole group of
// this process is killed, even while the job's code spins or blocks.

import { Socket } from 'node:net';

// The descriptor after stdin, stdout, stderr and the channel: see the stdio of processAttempt.ts.
const pipe = new Socket({ fd: 4, readable: true, writable: false });
const hostIsGone = () => process.kill(-process.pid, 'SIGKILL');
pipe.on('close', hostIsGone);
pipe.on('error', hostIsGone);
pipe.resume();
