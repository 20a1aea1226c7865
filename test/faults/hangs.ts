// Every way to hang that we know, as plain functions: the fault matrix runs them in each isolation, the
// benchmark `stop` runs them beside a bare kill and in other job systems. Each calls `say` as its last act
// before it hangs, and none of them ends by itself within minutes.

import { spawn, spawnSync } from 'node:child_process';
import { pbkdf2Sync } from 'node:crypto';

// Not in the types of Node.
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { exports: Record<string, unknown> };
};

/** `(module (func (export "spin") (loop (br 0))))` */
const endlessWasm = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x04, 0x01, 0x60, 0x00, 0x00, 0x03, 0x02, 0x01, 0x00,
  0x07, 0x08, 0x01, 0x04, 0x73, 0x70, 0x69, 0x6e, 0x00, 0x00, 0x0a, 0x09, 0x01, 0x07, 0x00, 0x03, 0x40, 0x0c,
  0x00, 0x0b, 0x0b,
]);

export const hangs = {
  /** A promise that never settles: alive, and stuck. */
  async neverSettles(say) {
    say();
    await new Promise(() => {});
  },
  /** Works on and on, and looks at no signal. */
  async ignoresSignal(say) {
    say();
    for (;;) await new Promise((resolve) => setTimeout(resolve, 5));
  },
  endlessLoop(say) {
    say();
    while (true) {}
  },
  /** Catastrophic backtracking: some 2^60 steps. */
  regularExpression(say) {
    say();
    /^(a+)+$/.test(`${'a'.repeat(60)}b`);
  },
  async microtasks(say) {
    say();
    for (;;) await null;
  },
  atomicsWait(say) {
    say();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  },
  wasmLoop(say) {
    const { spin } = new WebAssembly.Instance(new WebAssembly.Module(endlessWasm)).exports;
    say();
    (spin as () => void)();
  },
  /** Half an hour inside native code. */
  nativeCall(say) {
    say();
    pbkdf2Sync('password', 'salt', 2 ** 31 - 1, 64, 'sha512');
  },
  spawnSync(say) {
    say();
    spawnSync('sleep', ['1000']);
  },
  /** A handler that takes SIGTERM and does nothing with it. */
  async ignoresSigterm(say) {
    process.on('SIGTERM', () => {});
    say();
    await new Promise(() => {});
  },
  /** A child and a grandchild that ignore SIGTERM too; `say` tells their process ids. */
  async grandchildren(say) {
    const child = spawn('sh', ['-c', "trap '' TERM; sleep 1000 & echo $!; wait; wait"], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    child.stdout.once('data', (grandchild) => say(child.pid, Number(grandchild)));
    await new Promise(() => {});
  },
} satisfies Record<string, Hang>;

export type Hang = (say: (...pids: (number | undefined)[]) => void) => unknown;
export type HangName = keyof typeof hangs;
