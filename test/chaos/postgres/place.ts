// Where a worker or a submitter runs: a machine of its own, or this one where none can be made, with its wire to the database. It can be
// killed, stopped and woken; one that ended is started again, and one that ended by itself is a finding.

import { type ChildProcess, spawn } from 'node:child_process';
import { descendants, isAlive } from '../../support/processes.ts';
import { childOf, type LanMachine } from './lan.ts';
import type { Wire } from './wire.ts';

export interface PlaceOptions {
  readonly machine: LanMachine | null;
  readonly wire: Wire;
  /** Of Node: what is started, anew each time. */
  readonly args: () => readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly heard: (line: string) => void;
}

export class Place {
  readonly wire: Wire;
  readonly machine: LanMachine | null;
  readonly #options: PlaceOptions;
  #entry: ChildProcess | null = null;
  #pid: number | null = null;
  #stopped: number[] = [];
  /** Has a fault: no other comes to it. */
  isTroubled = false;
  /** How often it ended though nobody killed it. */
  endedByItself = 0;
  #isOver = false;

  constructor(options: PlaceOptions) {
    this.#options = options;
    this.wire = options.wire;
    this.machine = options.machine;
  }

  async start(): Promise<void> {
    if (this.#entry !== null || this.#isOver) return;
    const { machine, args, env, heard } = this.#options;
    const node = [process.execPath, ...args()];
    const [command = '', ...rest] = machine?.command(node) ?? node;
    const entry = spawn(command, rest, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    this.#entry = entry;
    let open = '';
    entry.stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = (open + text).split('\n');
      open = lines.pop() ?? '';
      lines.forEach(heard);
    });
    entry.stdout.on('error', () => {});
    entry.once('exit', () => {
      if (this.#entry !== entry) return;
      this.endedByItself += 1;
      this.#entry = this.#pid = null;
    });
    this.#pid = machine === null ? (entry.pid as number) : await childOf(entry.pid as number);
  }

  /** With -9: it alone, its jobs are ended by their watchdogs. Answers whether it was there. */
  kill(): boolean {
    const [pid, entry] = [this.#pid, this.#entry];
    this.#entry = this.#pid = null;
    const isThere = signal(pid, 'SIGKILL');
    entry?.kill('SIGKILL');
    return isThere;
  }

  /** With -9, the process of one of its jobs, by `chance`. */
  killJob(chance: number): boolean {
    const jobs = this.#pid === null ? [] : descendants(this.#pid);
    return signal(jobs[Math.floor(chance * jobs.length)] ?? null, 'SIGKILL');
  }

  /** With SIGSTOP, `all` of it or the host alone. */
  pause(all: boolean): boolean {
    if (this.#pid === null) return false;
    const pids = all ? [this.#pid, ...descendants(this.#pid)] : [this.#pid];
    this.#stopped = pids.filter((pid) => signal(pid, 'SIGSTOP'));
    return this.#stopped.length > 0;
  }

  /** `isLate`: the host after its jobs. */
  wake(isLate: boolean): void {
    for (const pid of isLate ? this.#stopped.toReversed() : this.#stopped) signal(pid, 'SIGCONT');
    // What entered the machine for it has stopped with it.
    this.#entry?.kill('SIGCONT');
    this.#stopped = [];
  }

  /** For good, with all that runs there. */
  end(): void {
    this.#isOver = true;
    this.wake(false);
    const left = this.#pid === null ? [] : descendants(this.#pid);
    this.kill();
    for (const pid of left) signal(pid, 'SIGKILL');
    this.wire.close();
  }
}

function signal(pid: number | null, name: NodeJS.Signals): boolean {
  if (pid === null || !isAlive(pid)) return false;
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}
