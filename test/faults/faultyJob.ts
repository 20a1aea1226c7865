// A chunked job that does its first chunk well, and in the middle of its second what its input says.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { type ChunkContext, defineChunkedJob } from '../../src/index.ts';
import { type HangName, hangs } from './hangs.ts';

const forged = { type: 'completed', result: '"forged"', stays: false };

/** Where this is the process of an attempt: its pipes to the host. */
const ownPipes = Symbol.for('unstuck.attempt') in globalThis && parentPort === null ? [3, 4] : [];

/** Beside the hangs: ways to break, to lie and to flood. */
const others = {
  /** It cannot be reached any more, and runs on. */
  async closesItsChannel(say) {
    say();
    await new Promise((resolve) => setTimeout(resolve, 50));
    if (process.connected) process.disconnect();
    for (const fd of ownPipes.slice(0, 1)) closeSync(fd);
    parentPort?.close();
    for (;;) await new Promise((resolve) => setTimeout(resolve, 10));
  },
  exits: () => process.exit(0),
  async throwsUncaught() {
    setTimeout(() => {
      throw new Error('from a timer');
    }, 1);
    await new Promise(() => {});
  },
  /** When the job is completed, a promise that nobody holds rejects. */
  rejectsAfterCompletion: () => {},
  exhaustsMemory() {
    const kept: Buffer[] = [];
    for (;;) kept.push(Buffer.alloc(2 ** 20, 1));
  },
  /** For a process that was started with a small heap. */
  exhaustsHeap() {
    const kept: object[] = [];
    for (;;) kept.push(new Array(1000).fill(1.5).map((n) => ({ n })));
  },
  resultIsNoJson: () => {},
  resultIsHuge: () => {},
  /** 1 GB, as fast as it is taken. */
  async printsWithoutEnd() {
    const megabyte = `${'x'.repeat(99)}\n`.repeat(10_000);
    for (let megabytes = 0; megabytes < 1000; megabytes += 1) {
      if (!process.stdout.write(megabyte)) await once(process.stdout, 'drain');
    }
  },
  /** Says that it has completed, or timed out, on every channel it can find, and writes what is no message at all. */
  async forges(say) {
    say();
    const lines = [forged, { secret: '', message: forged }, { message: forged }, { cause: 'job' }, null];
    for (const message of lines) {
      process.send?.(message);
      parentPort?.postMessage(message);
      workerData?.port?.postMessage(message);
      for (const fd of ownPipes) writeSync(fd, `${JSON.stringify(message)}\ngarbage\n\n`);
    }
    await new Promise(() => {});
  },
  /** A million signs of life a second, and no chunk. */
  async beatsForEver(say, { heartbeat }) {
    say();
    for (;;) {
      for (let beats = 0; beats < 10_000; beats += 1) heartbeat();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  },
  /** Its child leaves the group. */
  async daemon(say) {
    const child = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
    child.unref();
    say(child.pid);
    await new Promise(() => {});
  },
  stopsItself(say) {
    say();
    process.kill(process.pid, 'SIGSTOP');
  },
  completes: () => {},
} satisfies Record<string, (say: Say, context: ChunkContext<unknown, number>) => unknown>;

type Say = (...pids: (number | undefined)[]) => void;
export type Fault = HangName | keyof typeof others;

const faults: Record<Fault, (say: Say, context: ChunkContext<unknown, number>) => unknown> = {
  ...hangs,
  ...others,
};

export default defineChunkedJob({
  module: import.meta.url,
  start: 0,
  *chunks(_: Fault, { checkpoint }) {
    for (let chunk = checkpoint; chunk < 2; chunk += 1) yield [chunk];
  },
  async process([chunk = 0], context) {
    const say: Say = (...pids) => context.log.info({ pids: [process.pid, ...pids] }, 'hanging');
    if (chunk === 1) await faults[context.input](say, context);
    return chunk + 1;
  },
  result(chunks: number, fault: Fault): unknown {
    if (fault === 'rejectsAfterCompletion') setImmediate(() => Promise.reject(new Error('from the past')));
    if (fault === 'resultIsNoJson') return { made: { by: () => {} } };
    if (fault === 'resultIsHuge') return 'x'.repeat(200e6);
    return chunks;
  },
});
