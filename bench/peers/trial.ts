// One job system and one hang, watched from outside: a worker with one slot, and a second process that adds the
// jobs and asks for their state. Whatever happens, the worker's group is killed and the trial's schema or keys
// are removed at the end.

import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { HangName } from '../../test/faults/hangs.ts';
import { childrenOf, cpuSeconds, isRunning } from './processTable.ts';
import { answer, killGroup, start } from './trialProcess.ts';

export interface Peer {
  readonly name: string;
  readonly module: string;
  readonly variant?: string;
  readonly port: number;
}

/** What the job system was told: a job may take this long. */
const timeoutMs = 1000;

export async function watchTrial(peer: Peer, hang: HangName, windowMs: number, space: string) {
  const folder = mkdtempSync(join(tmpdir(), 'unstuck-peers-'));
  const file = join(folder, 'told');
  writeFileSync(file, '');
  const module = new URL(peer.module, import.meta.url).href;
  let client: ChildProcess | null = null;
  let worker: ChildProcess | null = null;
  const leave = () => {
    if (worker !== null) killGroup(worker);
    rmSync(folder, { recursive: true, force: true });
  };
  // Interrupted, too: the client sees that and removes by itself, a blocked worker sees nothing.
  process.once('exit', leave);
  try {
    client = await start('client.js', [module, space]);
    worker = await start('worker.js', [module, space, peer.variant ?? '']);
    // Without this one, a worker that takes no jobs at all would look like one that hangs.
    await ask(client, 'add', { job: 'before', hang: null, file });
    await told(file, 'before');
    const first = await ask(client, 'add', { job: 'first', hang, file });
    const { pid } = await told(file, 'first');
    await ask(client, 'add', { job: 'next', hang: null, file });
    await pause(timeoutMs / 2);
    const helpers = childrenOf(pid);
    await pause(timeoutMs / 2 + windowMs);
    const says = await ask(client, 'state', first);
    const hasNextRun = lines(file).some(({ job }) => job === 'next');
    return {
      peer: peer.name,
      hang,
      says,
      itsCode: await whatRuns(hang, pid, helpers, hasNextRun),
      workersLoop: await doesAnswer(worker),
      nextJob: hasNextRun ? 'ran' : 'did not run',
    };
  } catch (error) {
    throw new Error(`${peer.name}, ${hang}: ${(error as Error).message}`, { cause: error });
  } finally {
    process.off('exit', leave);
    leave();
    if (client?.connected === true) await ask(client, 'remove', '');
    if (client !== null) killGroup(client);
  }
}

async function ask(client: ChildProcess, request: string, value: unknown): Promise<string> {
  client.send([request, value]);
  const { value: answered, error } = (await answer(client, 20_000)) as { value?: string; error?: string };
  if (error !== undefined) throw new Error(error);
  return answered ?? '';
}

function lines(file: string): { job: string; pid: number }[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

async function told(file: string, name: string): Promise<{ pid: number }> {
  for (const until = performance.now() + 20_000; performance.now() < until; await pause(20)) {
    const line = lines(file).find(({ job }) => job === name);
    if (line !== undefined) return line;
  }
  throw new Error(`the job '${name}' was not started within 20 s`);
}

/** As the process table shows it; of a pending promise, which it does not show, whether its slot was given on. */
async function whatRuns(hang: HangName, pid: number, helpers: number[], hasNextRun: boolean) {
  if (hang === 'spawnSync') return helpers.some(isRunning) ? 'still runs' : 'stopped';
  if (!isRunning(pid)) return 'stopped';
  if (hang === 'neverSettles')
    return hasNextRun ? 'still pending, slot given on' : 'still pending, slot held';
  const before = cpuSeconds(pid);
  await pause(500);
  return cpuSeconds(pid) - before > 0.05 ? 'still runs' : 'stopped';
}

async function doesAnswer(worker: ChildProcess): Promise<string> {
  if (!worker.connected) return 'process gone';
  worker.send('there?');
  return answer(worker, 2000).then(
    () => 'answers',
    () => 'blocked',
  );
}
