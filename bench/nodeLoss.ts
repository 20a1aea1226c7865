// How soon the jobs of a node that was killed with -9 run again on another, which has its own work: ours beside pg-boss and BullMQ on
// the same PostgreSQL server, with their defaults, in the same run.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { atMost, type Benchmark, median } from './benchmark.ts';
import type { NodeOrder, NodeWord } from './nodeLoss/node.ts';
import { ensurePeers } from './peers/install.ts';
import { connectionString, needServer } from './postgresServer.ts';

const systems = [
  { name: 'unstuck', module: './unstuck.ts', variant: '' },
  { name: 'BullMQ on PostgreSQL', module: './bullmq.js', variant: '' },
  { name: 'pg-boss, a heartbeat of 10 s', module: './pgBoss.js', variant: 'heartbeat' },
  { name: 'pg-boss', module: './pgBoss.js', variant: '' },
] as const;

const concurrency = 10;
const jobMs = 1000;
/** What we promise. */
const promisedMs = 15_000;

export const nodeLoss: Benchmark = {
  about: 'how soon the jobs of a node run elsewhere after its kill -9, beside pg-boss and BullMQ',
  async run({ quick, progress }) {
    await needServer();
    ensurePeers();
    const patienceMs = quick ? 30_000 : 120_000;
    const chosen = quick ? systems.slice(0, 1) : systems;
    // Beside each other: they wait, and do little else.
    const lost = await Promise.all(
      chosen.map(async (system) => {
        const ms = await afterKill(system, patienceMs);
        progress(`${system.name}: ${ms.length} jobs of the killed node`);
        return { system, ms };
      }),
    );
    const rows = lost.map(({ system, ms }) => {
      const back = ms.filter((each) => each < Infinity);
      const all = back.length === ms.length;
      return {
        system: system.name,
        jobs: ms.length,
        runAgain: back.length,
        medianSeconds: back.length === 0 ? `more than ${patienceMs / 1000}` : seconds(median(back)),
        lastSeconds: all ? seconds(Math.max(...back)) : `more than ${patienceMs / 1000}`,
      };
    });
    const ours = Math.round(Math.max(...(lost[0]?.ms ?? [])));
    return { rows, bars: [atMost('ours: until the last of them runs again, ms', ours, promisedMs)] };
  },
};

const seconds = (ms: number) => Math.round(ms / 100) / 10;

class Node {
  readonly process: ChildProcess;
  readonly alive = new Set<number>();
  #heard = Promise.withResolvers<void>();
  readonly #done: string[] = [];
  began: (n: number) => void = () => {};

  constructor(system: (typeof systems)[number], space: string) {
    this.process = fork(
      fileURLToPath(new URL('./nodeLoss/node.ts', import.meta.url)),
      [system.module, space, system.variant],
      { stdio: ['ignore', 2, 2, 'ipc'] },
    );
    this.process.on('message', (word: NodeWord) => {
      if ('began' in word) {
        this.alive.add(word.began);
        this.began(word.began);
      } else if ('ended' in word) this.alive.delete(word.ended);
      else this.#done.push('ready' in word ? 'ready' : word.done);
      this.#wake();
    });
    this.process.once('exit', () => this.#wake());
  }

  #wake(): void {
    this.#heard.resolve();
    this.#heard = Promise.withResolvers();
  }

  async until(met: () => boolean): Promise<void> {
    while (!met()) {
      if (this.process.exitCode !== null) throw new Error(`a node ended with ${this.process.exitCode}`);
      await this.#heard.promise;
    }
  }

  async does(order: NodeOrder): Promise<void> {
    const before = this.#done.length;
    this.process.send(order);
    await this.until(() => this.#done.length > before);
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    if (this.process.exitCode === null && this.process.signalCode === null) await once(this.process, 'exit');
  }

  ready(): Promise<void> {
    return this.until(() => this.#done.includes('ready'));
  }
}

/** Of each job that was alive in a node when that was killed: how long until it ran again, ms. Infinity: not within `patienceMs`. */
async function afterKill(system: (typeof systems)[number], patienceMs: number): Promise<number[]> {
  const space = `unstuck_bench_loss_${process.pid}_${systems.indexOf(system)}`;
  const first = new Node(system, space);
  const nodes = [first];
  try {
    await first.ready();
    const second = new Node(system, space);
    nodes.push(second);
    await second.ready();
    const order: NodeOrder = { work: concurrency, ms: jobMs };
    await first.does({ add: Array.from({ length: 20 * concurrency }, (_, n) => n) });
    await Promise.all([first.does(order), second.does(order)]);
    await first.until(() => first.alive.size > concurrency / 2);
    const lost = new Set(first.alive);
    const took: number[] = [];
    const killedAt = performance.now();
    await first.kill();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, patienceMs);
      second.began = (n) => {
        if (!lost.delete(n)) return;
        took.push(performance.now() - killedAt);
        if (lost.size > 0) return;
        clearTimeout(timer);
        resolve();
      };
    });
    return [...took, ...[...lost].map(() => Infinity)];
  } finally {
    for (const node of nodes) await node.kill();
    const client = new pg.Client({ connectionString });
    await client.connect();
    await client.query(`DROP SCHEMA IF EXISTS ${space} CASCADE`);
    await client.end();
  }
}
