// The rounds that keep leases: one after the other, whatever goes wrong in one of them.

import { beforeEach, expect, test } from 'vitest';
import { createActor } from 'xstate';
import { createLeaseKeeper, type LeaseKeeperHost } from '../../src/actors/leaseKeeper.ts';
import type { Beat, BeatReply, Engine } from '../../src/engines/engine.ts';
import { SimulatedClock } from '../../src/testing/simulatedClock.ts';

let clock: SimulatedClock;
let beats: Beat[];
let rounds: number;
let replies: unknown[];
let looks: number;
let spansMachines: boolean;
let failures: unknown[];
let recoveries: number;
let recover: () => Promise<void>;
let answered: number;
let answer: () => Promise<BeatReply[]>;

beforeEach(() => {
  clock = new SimulatedClock();
  beats = [{ id: 'job', token: 'token', heartbeatAt: 0, total: null }];
  rounds = 0;
  recoveries = 0;
  replies = [];
  looks = 0;
  spansMachines = false;
  failures = [];
  answered = 0;
  recover = async () => {};
  answer = async () => [{ id: 'job' } as BeatReply];
});

function begin(times = { intervalMs: 1000, leaseMs: 15_000 }) {
  const engine = {
    spansMachines,
    beat() {
      rounds += 1;
      return answer();
    },
  } as unknown as Engine;
  const host: LeaseKeeperHost = {
    beats: () => beats,
    replied: (...reply) => replies.push(reply),
    answered: () => (answered += 1),
    failed: (error) => failures.push(error),
    endLapsing: () => (looks += 1),
    recover() {
      recoveries += 1;
      return recover();
    },
  };
  return createActor(createLeaseKeeper(engine, clock, times, host)).start();
}

test('a round that fails is followed by the next', async () => {
  begin();
  answer = () => Promise.reject(new Error('disk full'));
  await clock.advance(2.5);
  answer = async () => [];
  await clock.advance(1);
  expect([rounds, failures.length, answered]).toEqual([3, 2, 1]);
});

test('nothing is asked for where nothing lives; dead owners are looked for all the same, in each round', async () => {
  beats = [];
  begin();
  await clock.advance(15);
  expect([rounds, recoveries, answered]).toEqual([0, 15, 0]);
});

test('each answer is told, with the replies that it brought, what they are to, and when that was sent', async () => {
  begin();
  await clock.advance(2);
  const sentAt = clock.monotonic() - 1000;
  expect([rounds, answered]).toEqual([2, 2]);
  expect(replies).toEqual([
    [{ id: 'job' }, beats[0], sentAt],
    [{ id: 'job' }, beats[0], sentAt + 1000],
  ]);
});

test('a lease counts from when its renewal was sent, however late the answer comes', async () => {
  const { promise, resolve } = Promise.withResolvers<BeatReply[]>();
  answer = () => promise;
  begin();
  await clock.advance(1);
  const sentAt = clock.monotonic();
  await clock.advance(4);
  resolve([{ id: 'job' } as BeatReply]);
  await clock.advance(0);
  expect(replies).toEqual([[{ id: 'job' }, beats[0], sentAt]]);
});

test('where another machine may have a job soon, leases are looked at though the engine does not answer', async () => {
  spansMachines = true;
  answer = () => new Promise(() => {});
  begin();
  await clock.advance(5.5);
  expect([rounds, looks]).toEqual([1, 5]);
});

test('elsewhere they are not', async () => {
  begin();
  await clock.advance(5.5);
  expect(looks).toBe(0);
});

test('a recovery is not waited for, and none begins beside it; one that fails is told', async () => {
  const { promise, reject } = Promise.withResolvers<void>();
  recover = () => promise;
  begin();
  await clock.advance(12);
  expect([rounds, recoveries]).toEqual([12, 1]);
  reject(new Error('disk full'));
  recover = async () => {};
  await clock.advance(2);
  expect([failures.length, recoveries]).toEqual([1, 3]);
});

test('what is asked for at once does not wait for a round', async () => {
  const keeper = begin();
  keeper.send({ type: 'beat.now' });
  await clock.advance(0);
  expect(replies).toHaveLength(1);
  answer = () => Promise.reject(new Error('disk full'));
  keeper.send({ type: 'beat.now' });
  await clock.advance(0);
  expect(failures).toHaveLength(1);
});

test('a round that was under way when it was stopped is the last', async () => {
  const { promise, resolve } = Promise.withResolvers<BeatReply[]>();
  answer = () => promise;
  const keeper = begin();
  await clock.advance(1);
  keeper.stop();
  resolve([]);
  await clock.advance(5);
  expect(rounds).toBe(1);
  expect(clock.pending).toBe(0);
});

test('stopped between two rounds it leaves no timer', async () => {
  spansMachines = true;
  const keeper = begin();
  await clock.advance(1.5);
  keeper.stop();
  expect(clock.pending).toBe(0);
});
