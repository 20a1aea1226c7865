// The cells of the fault matrix in which the host itself is hit, or cannot end the attempt: each in a host of
// its own, a real process. What is asserted is what docs/guarantees.md promises there, which may be little.

import { describe, expect, test } from 'vitest';
import { isAlive } from '../support/processes.ts';
import { SpawnedHost, stateOf, wait } from '../support/spawnedHost.ts';
import type { HostOrder, HostWord } from './faultHost.ts';
import type { Fault } from './faultyJob.ts';
import { faultsWith } from './promises.ts';

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
  test.each(faultsWith('inline', 'blocks its host'))(
    '× %s blocks its host, and nothing in it can help',
    async (fault) => {
      await using host = new Host(inline(fault, { jobTimeoutSeconds: 0.2, heartbeatTimeoutSeconds: 0.2 }));
      await host.says('hanging').then(({ hanging }) => expect(hanging[0]).toBe(host.pid));
      await wait(100);
      const before = host.words.length;
      await wait(1500);
      expect(host.words.slice(before)).toEqual([]);
      host.kill();
      expect(await host.ended).toBe('SIGKILL');
    },
  );

  test.each(faultsWith('inline', 'unconfirmed'))(
    '× %s is timed out and said to be unconfirmed; its slot stays held',
    async (fault) => {
      await using host = new Host(inline(fault, { progressTimeoutSeconds: 0.5 }));
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
    },
  );

  test.each(faultsWith('inline', 'failed'))('× %s has failed', async (fault) => {
    await using host = new Host(inline(fault));
    const said = await host.says('state');
    expect(said).toMatchObject({ state: 'failed', stop: null, health: 'ok', next: 'completed' });
    expect(said.failure).toMatchObject({ message: expect.stringMatching(/^result(\.made\.by)?: expected/) });
  });

  test.each(faultsWith('inline', 'completed'))('× %s is completed', async (fault) => {
    await using host = new Host(inline(fault));
    expect(await host.says('state')).toMatchObject({ state: 'completed' });
  });

  test.each(faultsWith('inline', 'refused'))('× %s is refused', async (fault) => {
    await using host = new Host(inline(fault, { memoryLimitMb: 256 }));
    expect(await host.ended).toBe(1);
    expect(host.text).toContain("expected a job with isolation 'process', got one with 'inline'");
  });

  const small = ['--max-old-space-size=100'];
  const codes: Partial<Record<Fault, number | string>> = { exits: 0, exhaustsHeap: 'SIGABRT' };
  test.each(faultsWith('inline', 'ends its host'))('× %s takes its host with it', async (fault) => {
    await using host = new Host(inline(fault), fault === 'exhaustsHeap' ? small : []);
    expect(await host.ended).toBe(codes[fault] ?? 1);
    expect(host.words.some((word) => 'state' in word)).toBe(false);
  });

  test.each(faultsWith('inline', 'stops its host'))(
    '× %s; once that goes on, so does the job',
    async (fault) => {
      await using host = new Host(inline(fault, { progressTimeoutSeconds: 4 }));
      await host.says('hanging');
      while (stateOf(host.pid) !== 'T') await wait(10);
      await wait(5500);
      process.kill(host.pid, 'SIGCONT');
      expect(await host.says('state')).toMatchObject({ state: 'completed', next: 'completed' });
    },
  );
});

describe.concurrent('a thread', () => {
  test.each(faultsWith('thread', 'unconfirmed'))(
    '× %s cannot be ended before the call returns: said to be unconfirmed, its slot held',
    async (fault) => {
      await using host = new Host({ isolation: 'thread', fault, settings: { heartbeatTimeoutSeconds: 4 } });
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
    const settings = { heartbeatTimeoutSeconds: 4 };
    await using host = new Host({ isolation: 'thread', fault: 'nativeCall', settings, onSlotsLost: 'exit' });
    expect(await host.ended).toBe('SIGKILL');
  });

  test.each(faultsWith('thread', 'may be unconfirmed'))(
    '× %s: its error, its timeout or the end of its host, and the truth about it',
    async (fault) => {
      const settings = { heartbeatTimeoutSeconds: 4 };
      await using host = new Host({ isolation: 'thread', fault, settings }, ['--max-old-space-size=100']);
      const said = await host.says('state');
      if (said === undefined) return expect(await host.ended).toBe('SIGABRT');
      if (said.state === 'failed') return expect(said).toMatchObject({ stop: null, next: 'completed' });
      const { confirmed } = said.stop as { confirmed: boolean };
      expect(said).toMatchObject({ state: 'timedOut', next: confirmed ? 'completed' : 'queued' });
    },
  );

  test.each(faultsWith('thread', 'stops its host'))(
    '× %s; once that goes on, so does the job',
    async (fault) => {
      const settings = { progressTimeoutSeconds: 4, heartbeatTimeoutSeconds: 4 };
      await using host = new Host({ isolation: 'thread', fault, settings });
      while (stateOf(host.pid) !== 'T') await wait(10);
      await wait(5500);
      process.kill(host.pid, 'SIGCONT');
      expect(await host.says('state')).toMatchObject({ state: 'completed', next: 'completed' });
    },
  );
});

test('a process × exhaustsHeap has failed, and its host lives', async () => {
  const order: HostOrder = { isolation: 'process', fault: 'exhaustsHeap', settings: {} };
  await using host = new Host(order, ['--max-old-space-size=100']);
  const said = await host.says('state');
  expect(said).toMatchObject({ state: 'failed', stop: null, health: 'ok', next: 'completed' });
  expect(said.failure).toMatchObject({ message: expect.stringContaining('SIGABRT') });
});
