// How far one PostgreSQL database goes: jobs a second with 1, 2, 4 and 8 worker processes, what a job costs the workers and the server,
// and a model of it that is made from the first two and checked against the others. docs/scaling.md says what follows from it.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { pino } from 'pino';
import { PostgresEngine } from '../src/engines/postgres/postgres.ts';
import { defineJob, JobProcessor } from '../src/index.ts';
import { atMost, type Benchmark, median } from './benchmark.ts';
import { processorMsOf } from './postgresParts.ts';
import { connectionString, needServer } from './postgresServer.ts';
import type { WorkerFigures } from './scaling/worker.ts';

const concurrency = 10;
const counts = [1, 2, 4, 8];
const farthest = 0.25;

/** Of one run, a job. */
interface Costs {
  workers: number;
  jobsASecond: number;
  /** Microseconds of processor time, of all workers together. */
  workerMicros: number;
  serverMicros: number;
  logBytes: number;
  transactions: number;
  connections: number;
}

export const scaling: Benchmark = {
  about: 'one PostgreSQL database with 1, 2, 4 and 8 worker processes, and a model of it',
  async run({ quick, progress }) {
    await needServer();
    const rounds = quick ? 1 : 5;
    const jobs = quick ? 4000 : 12_000;
    const found = new Map<number, Costs[]>(counts.map((count) => [count, []]));
    for (let round = 0; round < rounds; round += 1) {
      for (const workers of counts) {
        progress(`${workers} workers, round ${round + 1} of ${rounds}`);
        found.get(workers)?.push(await measured(workers, jobs));
      }
    }
    const medians = [...found.values()].map(medianOf);
    const model = modelOf(medians);
    const rows = medians.map((costs) => ({
      ...rounded(costs),
      modelJobsASecond: Math.round(model(costs.workers)),
      measuredAsPartOfModel: Math.round((costs.jobsASecond / model(costs.workers)) * 100) / 100,
    }));
    const off = (workers: number) => {
      const { jobsASecond } = medians[counts.indexOf(workers)] as Costs;
      return Math.round(Math.abs(jobsASecond / model(workers) - 1) * 100) / 100;
    };
    // The first two are what it was made of, and one short round says little.
    const checked = quick ? [] : counts.slice(2);
    progress('workers that have nothing to do');
    return {
      rows: [...rows, await idle(4, quick ? 5 : 20)],
      bars: checked.map((workers) =>
        atMost(`how far the model is off at ${workers} workers`, off(workers), farthest),
      ),
    };
  },
};

/**
 * What a job costs is a line in the number of workers: each of them hears of each job. A worker has one event loop; all of them and the
 * server share the cores of this machine.
 */
function modelOf(measured: readonly Costs[]): (workers: number) => number {
  const [one, two] = measured as [Costs, Costs];
  const line = (cost: 'workerMicros' | 'serverMicros') => (workers: number) =>
    Math.max(0, one[cost] + (two[cost] - one[cost]) * (workers - 1));
  const worker = line('workerMicros');
  const server = line('serverMicros');
  const atMost = (workers: number) =>
    Math.min(
      (workers * 1e6) / worker(workers),
      (availableParallelism() * 1e6) / (worker(workers) + server(workers)),
    );
  // What is left idle: a commit that is waited for, other programs.
  const used = median([one, two].map(({ workers, jobsASecond }) => jobsASecond / atMost(workers)));
  return (workers) => atMost(workers) * used;
}

function medianOf(runs: readonly Costs[]): Costs {
  const names = Object.keys(runs[0] as Costs) as (keyof Costs)[];
  return Object.fromEntries(
    names.map((name) => [name, median(runs.map((run) => run[name]))]),
  ) as unknown as Costs;
}

function rounded({ transactions, ...costs }: Costs) {
  const whole = Object.fromEntries(Object.entries(costs).map(([name, value]) => [name, Math.round(value)]));
  return { ...whole, transactions: Math.round(transactions * 1000) / 1000 };
}

/** Worker processes on a schema of their own, until `act` is done; `server`: what its sessions have used. */
async function withWorkers<T>(
  workers: number,
  jobs: number,
  act: (nodes: readonly ChildProcess[], server: () => Promise<ServerFigures>) => Promise<T>,
): Promise<T> {
  const schema = `unstuck_scaling_${process.pid}`;
  const url = new URL(connectionString);
  url.searchParams.set('application_name', schema);
  const client = new pg.Client({ connectionString });
  await client.connect();
  const nodes: ChildProcess[] = [];
  const server = async () => {
    const { rows } = await client.query(
      `SELECT pid, pg_current_wal_insert_lsn() - '0/0' AS log,
         (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()) AS commits
       FROM pg_stat_activity WHERE application_name = $1`,
      [schema],
    );
    return {
      log: Number(rows[0].log),
      commits: Number(rows[0].commits),
      connections: rows.length,
      micros: rows.reduce((sum, { pid }) => sum + processorMsOf(pid) * 1000, 0),
    };
  };
  try {
    await store(schema, jobs);
    for (let index = 0; index < workers; index += 1) nodes.push(await begun(url.href, schema));
    await Promise.all(nodes.map((node) => ask(node, 'start')));
    return await act(nodes, server);
  } finally {
    for (const node of nodes) {
      node.kill('SIGKILL');
      if (node.exitCode === null && node.signalCode === null) await once(node, 'exit');
    }
    await client.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
    await client.end();
  }
}

interface ServerFigures {
  log: number;
  commits: number;
  connections: number;
  micros: number;
}

function measured(workers: number, jobs: number): Promise<Costs> {
  return withWorkers(workers, 2 * jobs, async (nodes, server) => {
    const look = async () => {
      const figures = await Promise.all(nodes.map((node) => ask(node, 'tell')));
      const sum = (name: keyof WorkerFigures) => figures.reduce((total, each) => total + each[name], 0);
      return { at: performance.now(), completed: sum('completed'), worker: sum('processor') };
    };
    // It warms up with some, and some are left, so that none of them runs dry.
    while ((await look()).completed < jobs / 4) await pause(20);
    const [before, serverBefore] = [await look(), await server()];
    while ((await look()).completed < jobs * 1.5) await pause(20);
    const [after, serverAfter] = [await look(), await server()];
    const done = after.completed - before.completed;
    return {
      workers,
      jobsASecond: (done / (after.at - before.at)) * 1000,
      workerMicros: (after.worker - before.worker) / done,
      serverMicros: (serverAfter.micros - serverBefore.micros) / done,
      logBytes: (serverAfter.log - serverBefore.log) / done,
      transactions: (serverAfter.commits - serverBefore.commits) / done,
      connections: serverAfter.connections,
    };
  });
}

/** What workers cost that have nothing to do, each in a second. */
function idle(workers: number, seconds: number): Promise<Record<string, string | number>> {
  return withWorkers(workers, 0, async (nodes, server) => {
    await pause(2000);
    const used = async () => {
      const figures = await Promise.all(nodes.map((node) => ask(node, 'tell')));
      return figures.reduce((sum, { processor }) => sum + processor, 0);
    };
    const [before, workerBefore] = [await server(), await used()];
    await pause(seconds * 1000);
    const [after, workerAfter] = [await server(), await used()];
    const each = (value: number) => Math.round((value / workers / seconds) * 10) / 10;
    return {
      idleWorkers: workers,
      transactionsASecondEach: each(after.commits - before.commits),
      serverMicrosASecondEach: each(after.micros - before.micros),
      workerMicrosASecondEach: each(workerAfter - workerBefore),
      logBytesASecondEach: each(after.log - before.log),
    };
  });
}

async function store(schema: string, jobs: number): Promise<void> {
  const processor = new JobProcessor({
    engine: new PostgresEngine({ url: connectionString, schema }),
    jobs: { noop: defineJob({ run: (input: number) => input }) },
    logger: pino({ level: 'silent' }),
  });
  for (let from = 0; from < jobs; from += 1000)
    await processor.submitMany(
      'noop',
      Array.from({ length: 1000 }, (_, n) => from + n),
    );
  await processor.stop();
}

async function begun(url: string, schema: string): Promise<ChildProcess> {
  const worker = fileURLToPath(new URL('./scaling/worker.ts', import.meta.url));
  const child = fork(worker, [url, schema, String(concurrency)], { stdio: ['ignore', 2, 2, 'ipc'] });
  await once(child, 'message');
  return child;
}

async function ask(child: ChildProcess, order: 'start' | 'tell'): Promise<WorkerFigures> {
  const answer = once(child, 'message');
  child.send(order);
  return (await answer)[0] as WorkerFigures;
}
