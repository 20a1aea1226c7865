// How long a stop takes: for each kind of hang, from its deadline to the proof that nothing of it runs, with the
// ladder's delays at 0; beside the bare kill or terminate() of the same hang, which proves nothing. They take
// turns. Then how long attempts outlive a host that was killed, and what other job systems do with such hangs.

import { execFileSync, fork, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { pino } from 'pino';
import { JobProcessor } from '../src/index.ts';
import faultyJob from '../test/faults/faultyJob.ts';
import { type HangName, hangs } from '../test/faults/hangs.ts';
import { isAlive } from '../test/support/processes.ts';
import { atMost, type Bar, type Benchmark, median } from './benchmark.ts';
import { peerRows } from './peers/index.ts';

type IsolationName = 'process' | 'thread';
/** A child that was started ahead for the next job is ready by then, however slow the machine: nothing else runs at a deadline. */
let timeoutSeconds = 0.5;
/** What a stop may cost beyond a bare kill, ms. */
const limitMs = 50;
const unstoppable: Record<IsolationName, readonly HangName[]> = {
  process: [],
  // Blocking native calls; and a thread has no children or signals of its own (docs/guarantees.md).
  thread: ['nativeCall', 'spawnSync', 'grandchildren', 'ignoresSigterm'],
};

export const stop: Benchmark = {
  about: 'from deadline to proven dead for each kind of hang, beside a bare kill and other job systems',
  async run({ quick, progress }) {
    const rounds = quick ? 3 : 21;
    timeoutSeconds = Math.max(timeoutSeconds, (2 * loadMs()) / 1000);
    const rows: Record<string, string | number>[] = [];
    const bars: Bar[] = [];
    const ours = await openProcessor();
    const cells = (['process', 'thread'] as const).flatMap((isolation) =>
      (Object.keys(hangs) as HangName[])
        .filter((hang) => !unstoppable[isolation].includes(hang))
        .map((hang) => ({ isolation, hang })),
    );
    for (const { isolation, hang } of cells) {
      const proven: number[] = [];
      const bare: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        progress(`${isolation} × ${hang}: round ${round + 1} of ${rounds}`);
        proven.push(await ours.stopMs(isolation, hang));
        bare.push(await (isolation === 'process' ? bareKillMs(hang) : bareTerminateMs(hang)));
      }
      const above = { median: median(proven) - median(bare), worst: Math.max(...proven) - Math.max(...bare) };
      rows.push({
        isolation,
        hang,
        medianMs: ms(median(proven)),
        worstMs: ms(Math.max(...proven)),
        bareMedianMs: ms(median(bare)),
        bareWorstMs: ms(Math.max(...bare)),
        rounds,
      });
      bars.push(atMost(`${isolation} × ${hang}: median above the bare one, ms`, ms(above.median), limitMs));
      if (!quick)
        bars.push(atMost(`${isolation} × ${hang}: worst above the bare worst, ms`, ms(above.worst), limitMs));
    }
    await ours.close();
    const orphans: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      progress(`host killed: round ${round + 1} of ${rounds}`);
      orphans.push(await orphanMs());
    }
    rows.push({
      isolation: 'process',
      hang: 'endlessLoop, its host killed with -9',
      medianMs: ms(median(orphans)),
      worstMs: ms(Math.max(...orphans)),
      rounds,
    });
    bars.push(atMost('an attempt of a dead host is gone after, ms', ms(Math.max(...orphans)), 1000));
    progress('other job systems');
    for (const row of await peerRows({ quick, progress })) rows.push(row);
    return { rows, bars };
  },
};

/** What a child needs to be ready: most of it is loading the library. */
function loadMs(): number {
  const began = performance.now();
  execFileSync(process.execPath, [fileURLToPath(new URL('../src/index.ts', import.meta.url))]);
  return performance.now() - began;
}

async function openProcessor() {
  let hanging = Promise.withResolvers<void>();
  const processor = await new JobProcessor({
    engine: 'memory',
    jobs: { process: faultyJob, thread: { ...faultyJob, isolation: 'thread' as const } },
    maxConcurrentJobs: 1,
    graceSeconds: 0,
    logger: pino({}, { write: (line) => void (JSON.parse(line).msg === 'hanging' && hanging.resolve()) }),
  }).start();
  /** Ms from the deadline to the record that it is over; measured anew where it was not hanging in time. */
  const stopMs = async (isolation: IsolationName, hang: HangName): Promise<number> => {
    // Time for the next spare to be ready.
    await sleep(300);
    hanging = Promise.withResolvers();
    const running = new Promise<number>((resolve) =>
      processor.once('running', () => resolve(performance.now())),
    );
    const over = new Promise<number>((resolve, reject) =>
      processor.once('timedOut', ({ stop }) => {
        if (stop?.confirmed === true) resolve(performance.now());
        else reject(new Error(`${isolation} × ${hang} was not proven stopped`));
      }),
    );
    await processor.submit(isolation, hang, { jobTimeoutSeconds: timeoutSeconds });
    const startedAt = await running;
    const hangingAt = await Promise.race([hanging.promise.then(() => performance.now()), over]);
    const took = (await over) - (startedAt + timeoutSeconds * 1000);
    return hangingAt - startedAt < timeoutSeconds * 1000 ? took : stopMs(isolation, hang);
  };
  return { stopMs, close: () => processor.stop() };
}

async function bareKillMs(hang: HangName): Promise<number> {
  const child = fork(new URL('./bareHang.ts', import.meta.url), [hang], { detached: true });
  await new Promise((resolve) => child.once('message', resolve));
  // Out of its last message, into the hang.
  await sleep(50);
  const began = performance.now();
  const exited = new Promise((resolve) => child.once('exit', resolve));
  process.kill(-(child.pid as number), 'SIGKILL');
  await exited;
  return performance.now() - began;
}

async function bareTerminateMs(hang: HangName): Promise<number> {
  const worker = new Worker(new URL('./bareHang.ts', import.meta.url), { workerData: hang });
  await new Promise((resolve) => worker.once('message', resolve));
  await sleep(50);
  const began = performance.now();
  await worker.terminate();
  return performance.now() - began;
}

/** How long an endless loop outlives its host. */
async function orphanMs(): Promise<number> {
  const script = fileURLToPath(new URL('../test/fixtures/loopHost.ts', import.meta.url));
  const host = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const pid = Number(String(await new Promise<Buffer>((resolve) => host.stdout.once('data', resolve))));
  const exited = new Promise((resolve) => host.once('exit', resolve));
  const began = performance.now();
  host.kill('SIGKILL');
  await exited;
  while (isAlive(pid)) await sleep(1);
  return performance.now() - began;
}

function ms(value: number): number {
  return Number(value.toFixed(1));
}
