// The code of a trial's jobs, in whatever process the job system runs it. It tells the watcher by a line in a
// file, written before it goes on: a message would wait for the event loop that a hang blocks.

import { appendFileSync } from 'node:fs';
import { hangs } from '../../test/faults/hangs.ts';

/** @param {{ job: string, hang: keyof typeof hangs | null, file: string }} data */
export function task({ job, hang, file }) {
  const tell = () => appendFileSync(file, `${JSON.stringify({ job, pid: process.pid })}\n`);
  return hang === null ? tell() : hangs[hang](tell);
}
