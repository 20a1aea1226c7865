// Groups of real processes: signalled, seen, and proven gone.

import { type ChildProcess, spawn } from 'node:child_process';
import { afterEach, expect, test } from 'vitest';
import {
  endGroup,
  groupOf,
  othersInGroup,
  signalGroup,
  untilGroupGone,
} from '../../src/actors/isolation/processGroup.ts';
import type { ProcessGroup } from '../../src/engines/engine.ts';
import { isAlive } from '../support/processes.ts';

const { platform } = process;
afterEach(() => {
  Object.defineProperty(process, 'platform', { value: platform });
});

/** Leads a group of its own; says its members when all of them run. */
async function group(script: string): Promise<{ leader: ChildProcess; pid: number; members: number[] }> {
  const leader = spawn('sh', ['-c', script], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  const pid = leader.pid as number;
  const said = await new Promise<string>((resolve) =>
    leader.stdout?.once('data', (data) => resolve(String(data))),
  );
  return { leader, pid, members: said.trim().split(' ').map(Number) };
}

const exit = (leader: ChildProcess) => new Promise((resolve) => leader.once('exit', resolve));

test('a group is not gone with its leader: what is left of it is ended, and seen to be', async () => {
  const { leader, pid, members } = await group('sleep 1000 & echo $!');
  await exit(leader);
  expect(othersInGroup(pid)).toBe('some');
  await untilGroupGone(pid);
  expect(othersInGroup(pid)).toBe('none');
  expect(members.some(isAlive)).toBe(false);
});

test('a group that was never there is not signalled, and has no name', () => {
  const never = 2 ** 30;
  signalGroup(never, 'SIGKILL');
  expect(groupOf(never)).toBeNull();
});

test('a leader that its own parent does not reap is gone when nothing of it runs', async () => {
  const { leader, pid, members } = await group('setsid sleep 1000 & echo $!; exec sleep 1000');
  const [orphan = 0] = members;
  while (groupOf(orphan) === null || othersInGroup(pid) !== 'none') await new Promise(setImmediate);
  await endGroup(groupOf(orphan) as ProcessGroup);
  expect(isAlive(orphan)).toBe(false);
  signalGroup(pid, 'SIGKILL');
  await exit(leader);
});

test('what is no signal is an error', () => {
  expect(() => signalGroup(process.pid, 'SIGNOTHING' as NodeJS.Signals)).toThrow('SIGNOTHING');
});

test('a group of an owner that is gone is ended whole, and proven so', async () => {
  // That much memory takes the kernel a while to take back.
  const big = `${process.execPath} -e 'Buffer.alloc(300 * 2 ** 20, 1); console.log(process.pid); setInterval(() => {}, 1000)'`;
  const { leader, pid } = await group(`exec ${big}`);
  const exited = exit(leader);
  await endGroup(groupOf(pid) as ProcessGroup);
  expect(isAlive(pid)).toBe(false);
  await exited;
});

test('a stranger that carries its number, now or after a restart of the machine, is not signalled', async () => {
  const { leader, pid } = await group('echo $$; exec sleep 1000');
  const now = groupOf(pid) as ProcessGroup;
  await endGroup({ ...now, boot: 'another' });
  await endGroup({ ...now, startedAt: '1' });
  expect(isAlive(pid)).toBe(true);
  signalGroup(pid, 'SIGKILL');
  await exit(leader);
});

test('where there is no /proc a group that answers is not proven gone', async () => {
  const { leader, pid } = await group('echo $$; exec sleep 1000');
  Object.defineProperty(process, 'platform', { value: 'darwin' });
  expect(othersInGroup(pid)).toBe('unknown');
  signalGroup(pid, 'SIGKILL');
  await exit(leader);
  expect(othersInGroup(pid)).toBe('none');
});
