// Many seeds, one after the other or shared out among processes of this machine: their sums, and which of them failed.

import { fork } from 'node:child_process';
import { type EngineName, engineNames, planOf } from './plan.ts';
import { simulate } from './simulation.ts';
import type { Violation } from './witness.ts';

export interface Failure extends Violation {
  readonly seed: number;
}

export interface Sums {
  seeds: number;
  steps: number;
  /** By kind, how often. */
  faults: Record<string, number>;
  failures: Failure[];
}

export const noSums = (): Sums => ({ seeds: 0, steps: 0, faults: {}, failures: [] });

/** Seeds `from`, `from + stride`, … below `to`; `told` after each. */
export async function simulateRange(
  { from, to, stride, engine = 'memory' }: { from: number; to: number; stride: number; engine?: EngineName },
  told: (sums: Sums) => boolean,
): Promise<Sums> {
  const sums = noSums();
  for (let seed = from; seed < to; seed += stride) {
    const { violation, steps, faults } = await simulate(planOf(seed, engine));
    if (violation !== null) sums.failures.push({ seed, ...violation });
    add(sums, { seeds: 1, steps, faults, failures: [] });
    if (!told(sums)) break;
  }
  return sums;
}

/** The same by several processes. */
export async function simulateShared(
  { from, to, workers, engine }: { from: number; to: number; workers: number; engine: EngineName },
  told: (sums: Sums) => boolean,
): Promise<Sums> {
  const parts = new Map<number, Sums>();
  const total = () => {
    const sums = noSums();
    for (const part of parts.values()) {
      add(sums, part);
      sums.failures.push(...part.failures);
    }
    return sums;
  };
  const ends = Array.from({ length: workers }, (_, index) => {
    const child = fork(import.meta.filename, [String(from + index), String(to), String(workers), engine]);
    child.on('message', (sums: Sums) => {
      parts.set(index, sums);
      if (!told(total()) && !child.killed) child.kill();
    });
    return new Promise<void>((resolve, reject) => {
      child.on('exit', (code, signal) =>
        code === 0 || signal === 'SIGTERM'
          ? resolve()
          : reject(new Error(`a worker ended with ${code ?? signal}`)),
      );
    });
  });
  await Promise.all(ends);
  return total();
}

function add(sums: Sums, { seeds, steps, faults }: Omit<Sums, 'failures'> & { failures: unknown }): void {
  sums.seeds += seeds;
  sums.steps += steps;
  for (const [kind, count] of Object.entries(faults)) sums.faults[kind] = (sums.faults[kind] ?? 0) + count;
}

const isWorker = process.argv[1] === import.meta.filename && process.send !== undefined;
if (isWorker) {
  const [from = 1, to = 1, stride = 1] = process.argv.slice(2, 5).map(Number);
  const engine = engineNames.find((name) => name === process.argv[5]);
  let isOver = false;
  process.on('SIGINT', () => {});
  // What a seed has on a server is removed at its end.
  process.on('SIGTERM', () => {
    isOver = true;
  });
  const told = (sums: Sums) => process.send?.(sums) === true && !isOver;
  await simulateRange({ from, to, stride, engine }, told);
  process.exit(0);
}
