// Real processes that submit, work and checkpoint on one SQLite file, killed with -9 at random moments, until time is
// up; then all is drained and counted. The promise: nothing acknowledged is lost, nothing is there twice, no chunk is
// run again after its checkpoint was acknowledged.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { mulberry32 } from '../../examples/reconcile/generate.ts';
import { JobProcessor } from '../../src/index.ts';
import { children, isAlive } from '../support/processes.ts';
import { type Count, countJobs } from './count.ts';
import journaled from './journaledJob.ts';

/** Jobs that are stored are those whose submit was acknowledged, and those whose acknowledgement was killed. */
export interface ChaosReport extends Count {
  seed: number;
  kills: number;
  acknowledged: number;
}

type Victim = 'submitter' | 'worker' | 'child' | 'all';

export async function chaos(options: {
  seconds: number;
  seed: number;
  progress(line: string): void;
}): Promise<ChaosReport> {
  const folder = mkdtempSync(join(tmpdir(), 'unstuck-chaos-'));
  const round = new Round(folder, options.seed);
  try {
    const until = performance.now() + options.seconds * 1000;
    while (performance.now() < until) {
      round.start();
      await sleep(100 + round.next() * 900);
      round.kill();
      options.progress(`${round.kills} kills, ${round.acknowledged.size} submits acknowledged`);
    }
    round.stopSubmitting();
    return await round.drainAndCount(options.progress);
  } finally {
    round.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

class Round {
  readonly next: () => number;
  readonly acknowledged = new Set<string>();
  kills = 0;
  readonly #path: string;
  readonly #journal: string;
  readonly #seed: number;
  #submitter: ChildProcess | null = null;
  #workers: (ChildProcess | null)[] = [null, null];
  #first = 0;

  constructor(folder: string, seed: number) {
    this.#path = join(folder, 'jobs.db');
    this.#journal = join(folder, 'journal');
    this.#seed = seed;
    this.next = mulberry32(seed);
  }

  /** What is not running begins. */
  start(): void {
    this.#workers = this.#workers.map((worker) => worker ?? this.#spawn('worker.ts', [this.#path]));
    if (this.#submitter !== null) return;
    const order = [this.#path, this.#journal, String(this.#first), String(this.#seed)];
    this.#submitter = this.#spawn('submitter.ts', order);
    this.#submitter.stdout?.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.split('\n')) {
        const [said = '', key = ''] = line.split(' ');
        if (said === 'ok') this.acknowledged.add(key);
        // The next submitter tries an unanswered one again, with its key: it must not be there twice.
        if (said !== '') this.#first = Number(key.slice(4)) + (said === 'ok' ? 1 : 0);
      }
    });
  }

  kill(): void {
    const victim = (['submitter', 'worker', 'worker', 'child', 'child', 'all'] as Victim[])[
      Math.floor(this.next() * 6)
    ];
    const at = Math.floor(this.next() * this.#workers.length);
    if (victim === 'submitter') this.stopSubmitting();
    else if (victim === 'worker') this.#killWorker(at);
    else if (victim === 'child') this.#killChildOf(at);
    else {
      this.stopSubmitting();
      for (const index of this.#workers.keys()) this.#killWorker(index);
    }
  }

  stopSubmitting(): void {
    if (this.#submitter === null) return;
    this.#kill(this.#submitter.pid);
    this.#submitter = null;
  }

  async drainAndCount(progress: (line: string) => void): Promise<ChaosReport> {
    this.start();
    this.stopSubmitting();
    this.kills -= 1;
    const reader = new JobProcessor({
      engine: `sqlite:${this.#path}`,
      jobs: { journaled },
      logger: pino({ level: 'silent' }),
    });
    try {
      for (;;) {
        let open = 0;
        for (const state of ['queued', 'running', 'stopping', 'retrying'] as const)
          for await (const _ of reader.list({ state, limit: 100_000 })) open += 1;
        if (open === 0) break;
        progress(`draining: ${open} left`);
        await sleep(200);
      }
      const { acknowledged } = this;
      const count = await countJobs(reader, { path: this.#path, journal: this.#journal, acknowledged });
      return { seed: this.#seed, kills: this.kills, acknowledged: acknowledged.size, ...count };
    } finally {
      await reader.stop();
    }
  }

  end(): void {
    this.stopSubmitting();
    for (const index of this.#workers.keys()) this.#killWorker(index);
  }

  #killWorker(at: number): void {
    const worker = this.#workers[at];
    if (worker == null) return;
    this.#kill(worker.pid);
    this.#workers[at] = null;
  }

  #killChildOf(at: number): void {
    const parent = this.#workers[at]?.pid;
    const pids = parent === undefined ? [] : children(parent);
    const pid = pids[Math.floor(this.next() * pids.length)];
    if (pid !== undefined && isAlive(pid)) this.#kill(pid);
  }

  #kill(pid: number | undefined): void {
    if (pid === undefined) return;
    this.kills += 1;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself meanwhile.
    }
  }

  #spawn(script: string, args: string[]): ChildProcess {
    const path = fileURLToPath(new URL(script, import.meta.url));
    const child = spawn(process.execPath, [path, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout.on('error', () => {});
    if (script === 'worker.ts') child.stdout.resume();
    return child;
  }
}
