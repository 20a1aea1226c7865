// Runs the real command line as people do: a process, its two streams, its exit code, and what it leaves behind.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import { onTestFinished } from 'vitest';
import { generateSample } from '../../examples/reconcile/generate.ts';

export const root = join(import.meta.dirname, '../..');
export const sample = join(root, 'examples/reconcile');

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly process: ChildProcess;
  /** Resolves when standard error holds it. */
  said(text: string | RegExp): Promise<void>;
  /** The same of standard output; with what it holds by then. */
  printed(text: string | RegExp): Promise<string>;
  /** The processes of its attempts. */
  attempts(): number[];
  readonly ended: Promise<Ended>;
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'unstuck-cli-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** `left.csv` and `right.csv`, large enough that a run is caught in the middle. */
export function largeSample(folder: string): void {
  const { left, right } = generateSample({ rows: 60_000, seed: 11 });
  writeFileSync(join(folder, 'left.csv'), left);
  writeFileSync(join(folder, 'right.csv'), right);
}

export interface Surroundings {
  cwd: string;
  env?: Record<string, string>;
  main?: string;
  /** What it reads on standard input. Default: nothing is there. */
  input?: string;
}

export function start(
  args: string[],
  { cwd, env, main = join(root, 'bin/unstuck.js'), input }: Surroundings,
): Running {
  const child = spawn(process.execPath, [main, ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  }) as ChildProcess & { stdout: Readable; stderr: Readable };
  child.stdin?.end(input);
  let stdout = '';
  let stderr = '';
  let heard = Promise.withResolvers<void>();
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
    heard.resolve();
    heard = Promise.withResolvers();
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += stripVTControlCharacters(text);
    heard.resolve();
    heard = Promise.withResolvers();
  });
  const seen = new Set<number>();
  const attempts = () => {
    const pids = childrenOf(child.pid as number);
    for (const pid of pids) seen.add(pid);
    return pids;
  };
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', async (code, signal) => {
      // Killed, but perhaps not yet reaped: one that is left behind holds the test until it times out.
      while ([...seen].some(isAlive)) await pause(10);
      resolve({ code, signal, stdout, stderr });
    });
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const holds = async (heardSoFar: () => string, text: string | RegExp) => {
    const isThere = () => (typeof text === 'string' ? heardSoFar().includes(text) : text.test(heardSoFar()));
    while (!isThere()) {
      const outcome = await Promise.race([heard.promise, ended]);
      if (outcome !== undefined && !isThere())
        throw new Error(`ended without saying ${text}:\n${stdout}\n${stderr}`);
    }
  };
  return {
    process: child,
    said: (text) => holds(() => stderr, text),
    async printed(text) {
      await holds(() => stdout, text);
      return stdout;
    },
    attempts,
    ended,
  };
}

export function run(args: string[], surroundings: Surroundings): Promise<Ended> {
  return start(args, surroundings).ended;
}

function childrenOf(pid: number): number[] {
  const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,comm='], { encoding: 'utf8' });
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, parent, name]) => Number(parent) === pid && name !== 'ps')
    .map(([own]) => Number(own));
}

/** Zombies do not run. */
function isAlive(pid: number): boolean {
  try {
    const state = execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
    return !state.trim().startsWith('Z');
  } catch {
    return false;
  }
}
