// Child processes one by one, really started and really ended. Waits on the wall clock: how long a process takes to start,
// die, or reach its limit is not ours to simulate. No bound on it is asserted.

import { execFileSync, spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AttemptPort, AttemptSpec } from '../../src/actors/attempt.ts';
import { Isolations } from '../../src/actors/isolation/isolations.ts';
import { startProcess } from '../../src/actors/isolation/processChild.ts';
import { systemClock } from '../../src/actors/systemClock.ts';
import { children, isAlive } from '../support/processes.ts';
import { SpawnedHost } from '../support/spawnedHost.ts';
import { jobOf, LiveChild, moduleOf, noLimits, settled, spawned } from './liveChild.ts';

let before: number[];
beforeEach(() => {
  before = children();
});
afterEach(() => {
  expect(children()).toEqual(before);
});

const script = (name: string) => new URL(`../fixtures/${name}`, import.meta.url);

test('what a job writes to the channel itself is not heard, nor is anybody else who does not know the secret', async () => {
  const [live, process] = spawned();
  live.start(
    jobOf(`
      const { writeSync } = await import('node:fs');
      writeSync(3, '{"message":{"type":"completed","result":"1","stays":false}}\\n');
      writeSync(3, '{"secret":"guessed","message":{"type":"completed","result":"1","stays":false}}\\nno json\\n');
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve(signal.reason.message)));
    `),
  );
  await live.says('heartbeat');
  const channel = process.stdio[3] as Duplex;
  channel.write('{"secret":"guessed","message":{"type":"ask","reason":"forged"}}\n{"message":null}\n7\n');
  live.child.post({ type: 'ask', reason: 'honest' });
  expect(await live.says('completed')).toMatchObject({ result: '"honest"' });
  expect(await live.ended).toEqual({ exitCode: 0 });
  expect(live.said.filter(({ type }) => type === 'completed')).toHaveLength(1);
});

test('one whose channel is gone beats on unheard, and its exit says that the job did not complete', async () => {
  const [live, process] = spawned();
  live.start(
    jobOf(`
      const channel = globalThis.process._getActiveHandles().find(({ _handle }) => _handle?.fd === 3);
      await new Promise((resolve) => channel.once('close', resolve));
      await new Promise((resolve) => setTimeout(resolve, 300));
      return 7;
    `),
  );
  await live.says('heartbeat');
  process.stdio[3]?.destroy();
  live.child.post({ type: 'ask', reason: 'nobody hears it' });
  expect(await live.ended).toEqual({ exitCode: 1 });
  expect(live.said.map(({ type }) => type).filter((type) => type !== 'heartbeat')).toEqual([]);
});

test('an error event of a process that runs does not end it', async () => {
  const [live, process] = spawned();
  process.emit('error', new Error('kill EPERM'));
  live.start(jobOf('return 7'));
  expect(await live.says('completed')).toMatchObject({ result: '7' });
  await live.ended;
});

test('one that is gone is told nothing, and whoever listens now hears how it ended', async () => {
  const live = new LiveChild(startProcess()).start(
    jobOf(
      'console.log("printed"); console.error("to stderr"); setTimeout(() => { throw new Error("from a timer"); }); await new Promise(() => {})',
    ),
  );
  const exit = await live.ended;
  expect(exit).toEqual({ exitCode: 1 });
  expect(live.output.toSorted()).toEqual(['printed', 'to stderr']);
  expect(live.said.at(-1)).toMatchObject({ type: 'failed', failure: { message: 'from a timer' } });
  const { child } = live;
  child.kill();
  child.terminate();
  child.watch(noLimits);
  child.rewatch(noLimits);
  child.hold(true);
  expect(await new LiveChild(child).start(jobOf('return 7')).ended).toEqual(exit);
  await child.closed;
});

test('one that cannot be started says why, and is told nothing', async () => {
  const { execPath } = process;
  process.execPath = '/nowhere/node';
  const child = startProcess();
  process.execPath = execPath;
  expect(child.group).toBeNull();
  expect(child.isClean()).toBe(false);
  const live = new LiveChild(child).start(jobOf('return 7'));
  child.watch(noLimits);
  child.hold(false);
  child.kill();
  expect((await live.ended).failure).toMatchObject({ code: 'ENOENT' });
  await child.closed;
});

test('where the host is out of file descriptors it says so, and no group is taken for gone that cannot be seen', async () => {
  const said = execFileSync('sh', [
    '-c',
    'ulimit -n 64; exec "$0" "$1"',
    process.execPath,
    script('outOfDescriptors.ts').pathname,
  ]);
  expect(JSON.parse(String(said))).toEqual({
    failure: expect.stringContaining('EMFILE'),
    group: null,
    others: 'unknown',
    canBeUsed: false,
  });
});

test('an attempt whose spare had died, and for which no other can be started, has failed', async () => {
  const isolations = new Isolations(1, jobOf(''));
  isolations.prepare(new Set(['process', 'inline']));
  const spare = children().find((pid) => !before.includes(pid)) ?? 0;
  process.kill(spare, 'SIGKILL');
  const outcome = await new Promise<unknown>((resolve) => {
    const port = { async started() {}, ended: resolve } as unknown as AttemptPort;
    const spec = {
      start: { name: 'job' },
      log: { level: 'info' },
      limits: noLimits,
      endBy: Infinity,
      beatMs: 100,
      reuse: false,
    };
    isolations.launchIn('process')(spec as unknown as AttemptSpec, port);
    // More than the kernel takes for one variable.
    process.env.UNSTUCK_TEST = 'x'.repeat(200_000);
  });
  delete process.env.UNSTUCK_TEST;
  expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'E2BIG' } });
  await isolations.close();
});

test('a host that exits in order leaves no child, not even one that is stopped', async () => {
  await using host = new SpawnedHost<{ pid: number }>(script('leavingHost.ts'), {});
  const { pid } = await host.says('pid');
  expect(await host.ended).toBe(0);
  while (isAlive(pid)) await settled();
});

test('what a job left in its group is ended with it', async () => {
  const live = new LiveChild(startProcess()).start(
    jobOf(`
      const { spawn } = await import('node:child_process');
      return spawn('sleep', ['1000'], { stdio: 'ignore' }).pid;
    `),
  );
  const { result } = await live.says('completed');
  await live.ended;
  expect(isAlive(Number(result))).toBe(false);
});

test('what has left its group, and holds its pipes, does not hold up its end', async () => {
  const live = new LiveChild(startProcess()).start(
    jobOf(`
      const { spawn } = await import('node:child_process');
      return spawn('setsid', ['sleep', '1000'], { stdio: ['ignore', 'ignore', 'ignore', 3, 4] }).pid;
    `),
  );
  const { result } = await live.says('completed');
  expect(await live.ended).toEqual({ exitCode: 0 });
  expect(isAlive(Number(result))).toBe(true);
  process.kill(Number(result), 'SIGKILL');
});

test('one whose watchdog ends does not run on', async () => {
  const preload = moduleOf(`
    process.on('worker', (worker) => setTimeout(() => worker.terminate(), 50));
  `);
  process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --import=${preload}`;
  const child = startProcess();
  process.env.NODE_OPTIONS = process.env.NODE_OPTIONS.replace(` --import=${preload}`, '');
  expect(await new LiveChild(child).ended).toEqual({ signal: 'SIGKILL' });
});

const hangs = jobOf('await new Promise(() => {})');
const spins = jobOf('for (;;) {}');

describe('its watchdog', () => {
  test.each([
    ['job', spins, { jobMs: 1000 }],
    ['heartbeat', spins, { heartbeatMs: 1000 }],
    ['progress', hangs, { progressMs: 1000 }],
  ] as const)('ends it when its limit has passed: %s', async (cause, job, limits) => {
    const live = new LiveChild(startProcess()).start(job);
    await live.says('heartbeat');
    live.child.watch({ ...noLimits, ...limits });
    expect(await live.ended).toEqual({ signal: 'SIGKILL', word: { cause } });
  });

  test('ends it at its deadline', async () => {
    const live = new LiveChild(startProcess()).start(spins);
    live.child.watch({ ...noLimits, deadlineAt: Date.now() + 500 });
    expect(await live.ended).toEqual({ signal: 'SIGKILL', word: { cause: 'deadline' } });
  });

  test('ends it when it uses more memory than it may', async () => {
    const live = new LiveChild(startProcess()).start(
      jobOf(`
        await new Promise((resolve) => setTimeout(resolve, 300));
        globalThis.kept = Buffer.alloc(400 * 2 ** 20, 1);
        for (;;) {}
      `),
    );
    live.child.watch({ ...noLimits, memoryLimitMb: 350 });
    const { word } = await live.ended;
    expect(word).toMatchObject({ cause: 'memory', limitMb: 350 });
  });

  test('counts on when its limits change', async () => {
    const live = new LiveChild(startProcess()).start(hangs);
    await live.says('heartbeat');
    live.child.watch({ ...noLimits, jobMs: 3_600_000 });
    live.child.rewatch({ ...noLimits, jobMs: 1 });
    expect(await live.ended).toMatchObject({ word: { cause: 'job' } });
  });

  test('does not hold it against a job that its host takes long to store a checkpoint, also where it learns of that first', async () => {
    const live = new LiveChild(startProcess()).start(
      moduleOf(`export default {
        start: 0,
        async *chunks() { yield [1]; yield [2]; await new Promise(() => {}); },
        process: ([item]) => item,
      }`),
    );
    await live.says('checkpoint');
    live.child.watch({ ...noLimits, progressMs: 500 });
    const patient = new Promise((resolve) => setTimeout(resolve, 1500, 'lives'));
    expect(await Promise.race([live.ended, patient])).toBe('lives');
    live.child.post({ type: 'checkpoint.saved', error: null });
    while (live.said.filter(({ type }) => type === 'checkpoint').length < 2) await settled();
    live.child.post({ type: 'checkpoint.saved', error: null });
    expect(await live.ended).toEqual({ signal: 'SIGKILL', word: { cause: 'progress' } });
  });

  test('ends it before its lease is over, and not where that is put off', async () => {
    const live = new LiveChild(startProcess()).start(spins);
    await live.says('heartbeat');
    live.child.watch(noLimits);
    live.child.endBy(systemClock.monotonic() + 300);
    live.child.endBy(systemClock.monotonic() + 1500);
    const patient = new Promise((resolve) => setTimeout(resolve, 800, 'lives'));
    expect(await Promise.race([live.ended, patient])).toBe('lives');
    expect(await live.ended).toEqual({ signal: 'SIGKILL', word: { cause: 'lease' } });
  });

  test('knows no lease between attempts', async () => {
    const live = new LiveChild(startProcess()).start(jobOf('return 7'), true);
    live.child.watch(noLimits);
    live.child.endBy(systemClock.monotonic() + 400);
    await live.says('completed');
    live.child.watch(null);
    live.child.endBy(systemClock.monotonic() + 100);
    const rests = new Promise((resolve) => setTimeout(resolve, 800, 'rests'));
    expect(await Promise.race([live.ended, rests])).toBe('rests');
    const next = new LiveChild(live.child).start(spins);
    next.child.watch({ ...noLimits, jobMs: 1 });
    expect(await next.ended).toMatchObject({ word: { cause: 'job' } });
  });

  test('rests with its process between attempts', async () => {
    const live = new LiveChild(startProcess()).start(jobOf('return 7'), true);
    live.child.watch({ ...noLimits, jobMs: 60_000 });
    await live.says('completed');
    expect(live.child.isClean()).toBe(true);
    live.child.watch(null);
    const rests = new Promise((resolve) => setTimeout(resolve, 500, 'rests'));
    expect(await Promise.race([live.ended, rests])).toBe('rests');
    const next = new LiveChild(live.child).start(spins);
    next.child.watch({ ...noLimits, jobMs: 1 });
    expect(await next.ended).toMatchObject({ word: { cause: 'job' } });
  });

  test('is not early where the wall clock was set back before a deadline', async () => {
    const began = performance.now();
    const standsAt = Date.UTC(2026, 0, 1);
    const watched = spawn(process.execPath, [script('setBackClock.ts').pathname, String(standsAt)], {
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit', 'pipe', 'pipe'],
    });
    const pipe = watched.stdio[4] as Duplex;
    pipe.write(`${JSON.stringify({ type: 'watch', secret: 's', deadlineAt: standsAt + 300 })}\n`);
    const word = new Promise((resolve) => pipe.once('data', (line) => resolve(JSON.parse(String(line)))));
    const ended = new Promise((resolve) => watched.once('exit', (_, signal) => resolve(signal)));
    expect(await word).toEqual({ secret: 's', cause: 'deadline' });
    expect(await ended).toBe('SIGKILL');
    // Set back by a second once it was armed.
    expect(performance.now() - began).toBeGreaterThan(1000);
  });
});
