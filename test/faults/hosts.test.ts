// The cells of the fault matrix in which the host itself is hit, or cannot end the attempt: each in a host of
// its own, a real process. What is asserted is what docs/guarantees.md promises there, which may be little.

import { describe, expect, test } from 'vitest';
import { isAlive } from '../support/processes.ts';
import { SpawnedHost, stateOf, wait } from '../support/spawnedHost.ts';
import type { HostOrder, HostWord } from './faultHost.ts';
import type { Fault } from './faultyJob.ts';

class Host extends SpawnedHost<HostWord> {
  constructor(order: HostOrder, flags: string[] = []) {
    super(new URL('./faultHost.ts', import.meta.url), order, flags);
  }
}

const inline = (fault: Fault, settings: HostOrder['settings'] = {}): HostOrder => ({
  isolation: 'inline',
  fault,
  settings,
});
describe.concurrent('inline code', () => {
  test.each<Fault>([
    'endlessLoop',
    'regularExpression',
    'microtasks',
    'atomicsWait',
    'wasmLoop',
    'nativeCall',
    'spawnSync',
  ])('× %s blocks its host, and nothing in it can help', async (fault) => {
    const host = new Host(inline(fault, { jobTimeoutSeconds: 0.2, heartbeatTimeoutSeconds: 0.2 }));
    await host.says('hanging').then(({ hanging }) => expect(hanging[0]).toBe(host.pid));
    await wait(100);
    const before = host.words.length;
    await wait(1500);
    expect(host.words.slice(before)).toEqual([]);
    host.kill();
    expect(await host.ended).toBe('SIGKILL');
  });

  test.each<Fault>([
    'neverSettles',
    'ignoresSignal',
    'ignoresSigterm',
    'grandchildren',
    'daemon',
    'closesItsChannel',
    'forges',
    'beatsForEver',
  ])('× %s is timed out and said to be unconfirmed; its slot stays held', async (fault) => {
    const host = new Host(inline(fault, { progressTimeoutSeconds: 0.5 }));
    const { hanging } = await host.says('hanging');
    expect(await host.says('state')).toEqual({
      state: 'timedOut',
      stop: { confirmed: false, rung: 'grace', tookSeconds: null },
      failure: null,
      health: 'down',
      next: 'queued',
    });
    for (const pid of hanging.slice(1)) {
      expect(isAlive(pid)).toBe(true);
      process.kill(pid, 'SIGKILL');
    }
  });

  test.each<[Fault, string]>([
    ['resultIsNoJson', 'result.made.by: expected JSON, got a function.'],
    ['resultIsHuge', 'result: expected at most 10485760 bytes of JSON, got 200000002.'],
  ])('× %s has failed', async (fault, message) => {
    const said = await new Host(inline(fault)).says('state');
    expect(said).toMatchObject({ state: 'failed', stop: null, health: 'ok', next: 'completed' });
    expect(said.failure).toMatchObject({ message: expect.stringContaining(message) });
  });

  test('× printsWithoutEnd is completed: the output is its host’s own', async () => {
    expect(await new Host(inline('printsWithoutEnd')).says('state')).toMatchObject({ state: 'completed' });
  });

  test.each<[Fault, number | string, string[]]>([
    ['exits', 0, []],
    ['throwsUncaught', 1, []],
    ['rejectsAfterCompletion', 1, []],
    ['exhaustsHeap', 'SIGABRT', ['--max-old-space-size=100']],
  ])('× %s takes its host with it', async (fault, code, flags) => {
    expect(await new Host(inline(fault), flags).ended).toBe(code);
  });

  test('× stopsItself stops its host; once that goes on, so does the job', async () => {
    const host = new Host(inline('stopsItself', { progressTimeoutSeconds: 1 }));
    await host.says('hanging');
    while (stateOf(host.pid) !== 'T') await wait(10);
    await wait(2500);
    process.kill(host.pid, 'SIGCONT');
    expect(await host.says('state')).toMatchObject({ state: 'completed', next: 'completed' });
  });
});

describe.concurrent('a thread', () => {
  test.each<Fault>(['nativeCall', 'spawnSync'])(
    '× %s cannot be ended before the call returns: said to be unconfirmed, its slot held',
    async (fault) => {
      const host = new Host({ isolation: 'thread', fault, settings: { heartbeatTimeoutSeconds: 1 } });
      expect(await host.says('state')).toEqual({
        state: 'timedOut',
        stop: { confirmed: false, rung: 'kill', tookSeconds: null },
        failure: null,
        health: 'down',
        next: 'queued',
      });
    },
  );

  test('× nativeCall in the last slot ends a host that asked for it, so that it can be started anew', async () => {
    const settings = { heartbeatTimeoutSeconds: 1 };
    const host = new Host({ isolation: 'thread', fault: 'nativeCall', settings, onSlotsLost: 'exit' });
    expect(await host.ended).toBe('SIGKILL');
  });

  test('× exhaustsHeap: its error, its timeout or the end of its host, and the truth about it', async () => {
    const settings = { heartbeatTimeoutSeconds: 3 };
    const host = new Host({ isolation: 'thread', fault: 'exhaustsHeap', settings }, [
      '--max-old-space-size=100',
    ]);
    const said = await host.says('state');
    if (said === undefined) return expect(await host.ended).toBe('SIGABRT');
    if (said.state === 'failed') return expect(said).toMatchObject({ stop: null, next: 'completed' });
    const { confirmed } = said.stop as { confirmed: boolean };
    expect(said).toMatchObject({ state: 'timedOut', next: confirmed ? 'completed' : 'queued' });
  });

  test('× stopsItself stops its host; once that goes on, so does the job', async () => {
    const settings = { progressTimeoutSeconds: 1, heartbeatTimeoutSeconds: 1 };
    const host = new Host({ isolation: 'thread', fault: 'stopsItself', settings });
    while (stateOf(host.pid) !== 'T') await wait(10);
    await wait(2500);
    process.kill(host.pid, 'SIGCONT');
    expect(await host.says('state')).toMatchObject({ state: 'completed', next: 'completed' });
  });
});

test('a process × exhaustsHeap has failed, and its host lives', async () => {
  const order: HostOrder = { isolation: 'process', fault: 'exhaustsHeap', settings: {} };
  const said = await new Host(order, ['--max-old-space-size=100']).says('state');
  expect(said).toMatchObject({ state: 'failed', stop: null, health: 'ok', next: 'completed' });
  expect(said.failure).toMatchObject({ message: expect.stringContaining('SIGABRT') });
});
