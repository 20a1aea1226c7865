// One side of the comparison in processes of its own: what it prints, how long it takes, and the most memory that one
// of its processes had at any time.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';

export interface Measured {
  output: string;
  seconds: number;
  peakBytes: number;
}

const lookMs = 20;

export async function measure(command: string, args: string[], input = ''): Promise<Measured> {
  const startedAt = performance.now();
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const exit = once(child, 'exit') as Promise<[code: number | null, signal: string | null]>;
  let peakBytes = 0;
  const look = () => {
    for (const pid of familyOf(child.pid!)) peakBytes = Math.max(peakBytes, highWater(pid));
  };
  const timer = setInterval(look, lookMs);
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  try {
    const [output, [code, signal]] = await Promise.all([text(child.stdout), exit]);
    if (code !== 0) throw new Error(`${command} ${args[0]} ended with ${code ?? signal}`);
    return { output, seconds: (performance.now() - startedAt) / 1000, peakBytes };
  } finally {
    clearInterval(timer);
  }
}

/** The kernel keeps the peak of a process, so that looking now and then is enough. */
function highWater(pid: number): number {
  const kilobytes = /VmHWM:\s+(\d+) kB/.exec(read(`/proc/${pid}/status`))?.[1];
  return Number(kilobytes ?? 0) * 1024;
}

function familyOf(pid: number): number[] {
  const children = read(`/proc/${pid}/task/${pid}/children`).trim();
  return [pid, ...(children === '' ? [] : children.split(' ').flatMap((child) => familyOf(Number(child))))];
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
