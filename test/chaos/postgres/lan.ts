// Machines of their own on one kernel, and the network between them: each has its own network, processes, host name and boot id (by which
// the product tells machines apart), so that nobody on another can see or end what runs on it. All are plugged into a switch, a bridge,
// on which the database is reached. Needs root and Linux's namespaces; where they cannot be made, whyNot says so.

import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { children } from '../../support/processes.ts';

const run = promisify(execFile);
const ip = (command: string) => run('ip', command.split(' '));

export class Lan implements AsyncDisposable {
  readonly folder: string;
  readonly #bridge = `unstuck${process.pid}`;
  /** Ours while this process lives. */
  readonly #network = `10.${128 + ((process.pid >> 8) & 127)}.${process.pid & 255}`;
  readonly #machines: LanMachine[] = [];

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Why no machines can be made here, null where they can. */
  static whyNot(): string | null {
    if (process.getuid?.() !== 0) return 'that takes root';
    const probe = [
      '--net',
      '--pid',
      '--mount',
      '--uts',
      '--fork',
      '--mount-proc',
      'ip',
      'link',
      'add',
      'up0',
      'type',
      'bridge',
    ];
    const { status, error, stderr } = spawnSync('unshare', probe, { encoding: 'utf8' });
    return status === 0 ? null : (error?.message ?? stderr.trim());
  }

  static async open(folder: string): Promise<Lan> {
    const lan = new Lan(folder);
    await ip(`link add ${lan.#bridge} type bridge`);
    await ip(`addr add ${lan.address}/24 dev ${lan.#bridge}`);
    await ip(`link set ${lan.#bridge} up`);
    return lan;
  }

  /** Of this side, where the machines find what they need. */
  get address(): string {
    return `${this.#network}.1`;
  }

  async machine(): Promise<LanMachine> {
    const number = this.#machines.length + 2;
    const machine = new LanMachine(this.#bridge, `up${process.pid}-${number}`, this.folder);
    this.#machines.push(machine);
    await machine.start(`${this.#network}.${number}/24`);
    return machine;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const machine of this.#machines) machine.end();
    await ip(`link del ${this.#bridge}`).catch(() => {});
  }
}

export class LanMachine {
  readonly #bridge: string;
  /** Our end of its cable. */
  readonly #cable: string;
  readonly #folder: string;
  #holder: ChildProcess | null = null;
  #init = 0;

  constructor(bridge: string, cable: string, folder: string) {
    this.#bridge = bridge;
    this.#cable = cable;
    this.#folder = folder;
  }

  async start(address: string): Promise<void> {
    const bootId = join(this.#folder, `${this.#cable}.boot`);
    writeFileSync(bootId, `${randomUUID()}\n`);
    // Its first process ends when we do, and all others of the machine with it.
    const script =
      'mount --bind "$0" /proc/sys/kernel/random/boot_id && hostname "$1" && echo up && exec cat > /dev/null';
    const kinds = ['--net', '--pid', '--mount', '--uts', '--fork', '--kill-child', '--mount-proc'];
    const holder = spawn('unshare', [...kinds, 'sh', '-c', script, bootId, this.#cable], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#holder = holder;
    await new Promise<void>((resolve, reject) => {
      holder.stdout.once('data', () => resolve());
      holder.once('exit', () => reject(new Error('a machine of its own could not be made')));
    });
    this.#init = children(holder.pid)[0] as number;
    await ip(`link add ${this.#cable} type veth peer name eth0 netns ${this.#init}`);
    await ip(`link set ${this.#cable} master ${this.#bridge} up`);
    for (const command of [`addr add ${address} dev eth0`, 'link set lo up', 'link set eth0 up'])
      await this.#inside('ip', ...command.split(' '));
  }

  end(): void {
    this.#holder?.kill('SIGKILL');
    this.#holder = null;
  }

  /** What starts `args` on it, as its only child. */
  command(args: readonly string[]): readonly string[] {
    return ['nsenter', '-t', String(this.#init), '--net', '--pid', '--mount', '--uts', ...args];
  }

  /** The processes of those that left theirs behind are its first process's. */
  get init(): number {
    return this.#init;
  }

  /** Its own end: it knows at once. */
  async linkDown(): Promise<void> {
    await this.#inside('ip', 'link', 'set', 'eth0', 'down');
  }

  async linkUp(): Promise<void> {
    await this.#inside('ip', 'link', 'set', 'eth0', 'up');
  }

  /** Out of the switch while its light stays on: what is sent is lost, and nothing says so. */
  async unplug(): Promise<void> {
    await ip(`link set ${this.#cable} nomaster`);
  }

  async plugIn(): Promise<void> {
    await ip(`link set ${this.#cable} master ${this.#bridge}`);
  }

  #inside(...command: string[]) {
    return run('nsenter', ['-t', String(this.#init), '--net', ...command]);
  }
}

/** The only child of a command that enters a machine, once it is there. */
export async function childOf(pid: number): Promise<number> {
  for (;;) {
    const [child] = children(pid);
    if (child !== undefined) return child;
    await sleep(5);
  }
}
