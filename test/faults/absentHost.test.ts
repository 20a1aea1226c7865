// A host that was not there is not a job that hung: after it, live jobs go on and hung ones still end. Real hosts
// in processes of their own; these wait on the wall clock, since absence is their subject.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { isAlive } from '../support/processes.ts';
import { SpawnedHost, stateOf, wait } from '../support/spawnedHost.ts';
import type { AbsenceOrder, AbsenceWord } from './absentHost.ts';

// A blocked loop that leaves the processor to others: three hosts run at once, each with four children to start.
const host = (order: Partial<AbsenceOrder> & { liveSeconds: number }) =>
  new SpawnedHost<AbsenceWord>(new URL('./absentHost.ts', import.meta.url), {
    hang: 'atomicsWait',
    timeoutSeconds: 4,
    ...order,
  });

const live = { state: 'completed', timeout: null, stop: null, attempt: 1 };
const hung = (stop: object) => ({ state: 'timedOut', timeout: 'heartbeat', stop, attempt: 1 });
const byLadder = {
  process: live,
  thread: live,
  hungProcess: hung({ confirmed: true, rung: 'terminate', signal: 'SIGTERM' }),
  hungThread: hung({ confirmed: true, rung: 'terminate', exitCode: 1 }),
};

describe('after a host', () => {
  test.concurrent('whose loop was blocked for 5.5 s', async () => {
    await using app = host({ liveSeconds: 10, blockSeconds: 5.5 });
    expect((await app.says('ended')).ended).toMatchObject(byLadder);
    expect(await app.ended).toBe(0);
  });

  test.concurrent('that was stopped by SIGSTOP', async () => {
    await using app = host({ liveSeconds: 12 });
    await app.says('begun');
    process.kill(app.pid, 'SIGSTOP');
    while (stateOf(app.pid) !== 'T') await wait(5);
    await wait(6000);
    process.kill(app.pid, 'SIGCONT');
    expect((await app.says('ended')).ended).toMatchObject(byLadder);
  });

  test.concurrent('that was stopped with all its children, as a container is', async () => {
    await using app = host({ liveSeconds: 12 });
    const { begun } = await app.says('begun');
    const processes = [...new Set(Object.values(begun))];
    expect(processes).toContain(app.pid);
    expect(processes).toHaveLength(3);
    for (const pid of processes) process.kill(pid, 'SIGSTOP');
    await wait(6000);
    for (const pid of processes) process.kill(pid, 'SIGCONT');
    expect((await app.says('ended')).ended).toMatchObject(byLadder);
  });
});

describe('and after a host', () => {
  test.concurrent('that was stopped with all its children for little longer than their timeout', async () => {
    await using app = host({ liveSeconds: 10 });
    const { begun } = await app.says('begun');
    const processes = new Set(Object.values(begun));
    for (const pid of processes) process.kill(pid, 'SIGSTOP');
    // Timers that came due in the absence are less than a second late.
    await wait(4400);
    process.kill(app.pid, 'SIGCONT');
    await wait(300);
    for (const pid of processes) process.kill(pid, 'SIGCONT');
    expect((await app.says('ended')).ended).toMatchObject(byLadder);
  });

  test.concurrent('whose wall clock was set back and forth by a day', async () => {
    await using app = host({ liveSeconds: 6, wallHours: [-24, 24, -24, 0, 24] });
    expect((await app.says('ended')).ended).toMatchObject(byLadder);
  });

  test.concurrent('that stays blocked: the watchdog ends the hung process meanwhile, and no live one that waits for the host', async () => {
    // Stop budget: 0.2 + 0.2 + 0.2 + 5 s.
    await using app = host({ liveSeconds: 18, blockSeconds: 14, hang: 'endlessLoop' });
    const { begun } = await app.says('begun');
    const { hungProcess = 0, process: steady = 0 } = begun;
    const began = performance.now();
    while (isAlive(hungProcess)) await wait(20);
    // It looped all the while, and its host was still in its own loop.
    expect(performance.now() - began).toBeLessThan(13_500);
    expect(app.words.some((word) => 'ended' in word)).toBe(false);
    expect(readFileSync(`/proc/${steady}/cmdline`, 'utf8')).toContain('processEntry');
    expect((await app.says('ended')).ended).toMatchObject({
      ...byLadder,
      hungProcess: hung({ confirmed: true, rung: 'kill', signal: 'SIGKILL' }),
    });
  });
});

test('after a host that was stopped with all its children for longer than their watchdogs wait', async () => {
  await using app = host({ liveSeconds: 16 });
  const { begun } = await app.says('begun');
  const processes = new Set(Object.values(begun));
  for (const pid of processes) process.kill(pid, 'SIGSTOP');
  // Timeout and stop budget: 4 + 0.2 + 0.2 + 0.2 + 5 s.
  await wait(11_000);
  for (const pid of processes) process.kill(pid, 'SIGCONT');
  // Whether the ladder or the watchdog ends the hung process is a race by then.
  const { process: isolated, thread, hungProcess } = (await app.says('ended')).ended;
  expect({ isolated, thread }).toMatchObject({ isolated: live, thread: live });
  expect(hungProcess).toMatchObject({ state: 'timedOut', timeout: 'heartbeat' });
});
