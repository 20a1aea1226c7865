// Claims ahead of the slots on simulated time, with the engine's answers in our hands.

import { beforeEach, expect, test } from 'vitest';
import { ClaimAhead } from '../../src/actors/claimAhead.ts';
import type { Claim, Engine, NameLimits, StoredJob } from '../../src/engines/engine.ts';
import { SimulatedClock, settle } from '../../src/testing/simulatedClock.ts';

let clock: SimulatedClock;
let claims: Claim[];
let handedBack: string[];
let refills: number;
let failures: unknown[];
/** The next claims are answered when it is resolved. */
let hold: Promise<void> | null;
let handBack: () => Promise<void>;
/** There are no jobs. */
let isEmpty: boolean;

beforeEach(() => {
  clock = new SimulatedClock();
  claims = [];
  handedBack = [];
  refills = 0;
  failures = [];
  hold = null;
  isEmpty = false;
  handBack = async () => {};
});

function claimAhead(limits: Record<string, NameLimits> = {}) {
  let next = 0;
  const engine = {
    async claim(claim: Claim): Promise<StoredJob[]> {
      claims.push(claim);
      // A commit.
      if (hold === null) await new Promise<void>((resolve) => clock.setTimeout(resolve, 10));
      else await hold;
      const count = isEmpty ? 0 : claim.limit + claim.ahead;
      return Array.from({ length: count }, () => ({ id: String(next++), name: 'job' }) as StoredJob);
    },
  } as unknown as Engine;
  const options = { engine, clock, owner: 'me', names: ['job'], limits, leaseMs: 15_000, keptMs: 1000 };
  return new ClaimAhead(options, {
    refilled: () => (refills += 1),
    handBack(job) {
      handedBack.push(job.id);
      return handBack();
    },
    failed: (error) => failures.push(error),
  });
}

/** Short jobs, of which some then wait here. */
async function busy() {
  const ahead = await warmedUp();
  expect(ahead.size).toBeGreaterThan(4);
  return ahead;
}

async function warmedUp(limits: Record<string, NameLimits> = {}) {
  await clock.advance(10);
  const ahead = claimAhead(limits);
  for (let round = 0; round < 20 && ahead.size === 0; round += 1) {
    for (let attempt = 0; attempt < 40; attempt += 1) ahead.attemptTook(1);
    const claimed = ahead.claim(1);
    await clock.advance(0.02);
    await claimed;
  }
  return ahead;
}

test('where attempts are short as many are claimed as start within 100 ms, else none', async () => {
  const ahead = await busy();
  expect(claims.at(-1)?.ahead).toBeGreaterThan(0);
  const long = claimAhead();
  long.attemptTook(5000);
  const claimed = long.claim(2);
  await clock.advance(0.01);
  expect(await claimed).toHaveLength(2);
  expect(claims.at(-1)?.ahead).toBe(0);
  await ahead.close();
});

test('where starts have a rate nothing is claimed ahead: an attempt begins when it is counted', async () => {
  const rated = await warmedUp({ job: { rate: { starts: 1000, ms: 1000 } } as unknown as NameLimits });
  expect(rated.size).toBe(0);
  expect(claims).toHaveLength(20);
  await rated.close();
});

test('what waits here is taken without a claim, and more is asked for when it runs low', async () => {
  const ahead = await busy();
  const asked = claims.length;
  const waiting = ahead.size;
  expect(await ahead.claim(1)).toHaveLength(1);
  expect(ahead.next()).not.toBeNull();
  expect(claims).toHaveLength(asked);
  expect(await ahead.claim(waiting - 3)).toHaveLength(waiting - 3);
  expect(claims).toHaveLength(asked + 1);
  await clock.advance(0.02);
  expect(refills).toBe(1);
  await ahead.close();
});

test('once it is closed no more is claimed ahead, though a claim is under way', async () => {
  const ahead = await busy();
  const { promise, resolve } = Promise.withResolvers<void>();
  hold = promise;
  // The first takes all that waits, and asks for more.
  const waiting = ahead.size;
  expect(await ahead.claim(waiting - 1)).toHaveLength(waiting - 1);
  const asked = claims.length;
  const last = ahead.claim(2);
  const closed = ahead.close();
  expect(await last).toHaveLength(1);
  expect(claims).toHaveLength(asked);
  resolve();
  await closed;
  expect(ahead.size).toBe(0);
});

test('what is not started within its time is handed back; what cannot be is told', async () => {
  const ahead = await busy();
  const waiting = ahead.size;
  handBack = () => Promise.reject(new Error('disk full'));
  await clock.advance(1.5);
  expect(handedBack).toHaveLength(waiting);
  expect(failures).toHaveLength(1);
  expect(ahead.next()).toBeNull();
  await ahead.close();
});

test('a job of a name that is paused is handed back, those that a claim brings too', async () => {
  const ahead = await busy();
  const waiting = ahead.size;
  await ahead.pause(['job']);
  expect(handedBack).toHaveLength(waiting);
  expect(ahead.size).toBe(0);
  handBack = () => Promise.reject(new Error('disk full'));
  for (let attempt = 0; attempt < 400; attempt += 1) ahead.attemptTook(1);
  const claimed = ahead.claim(1);
  await clock.advance(0.02);
  await claimed;
  expect(claims.at(-1)?.ahead).toBeGreaterThan(0);
  expect(ahead.size).toBe(0);
  expect(failures).toHaveLength(1);
  await ahead.close();
});

test('a job that waits here can be taken out', async () => {
  const ahead = await busy();
  const next = ahead.next();
  expect(next).not.toBeNull();
  expect(ahead.has(String(next?.id))).toBe(false);
  expect(ahead.take('unknown')).toBeNull();
  const id = String(Number(next?.id) + 1);
  expect(ahead.has(id)).toBe(true);
  expect(ahead.take(id)?.id).toBe(id);
  expect(ahead.has(id)).toBe(false);
  await ahead.close();
});

test('a claim waits for the one that is under way ahead of it, and takes what that brought', async () => {
  const ahead = await busy();
  while (ahead.next() !== null);
  const own = () => claims.filter(({ limit }) => limit > 0).length;
  const asked = own();
  const claimed = ahead.claim(1);
  await clock.advance(0.02);
  expect(await claimed).toHaveLength(1);
  expect(own()).toBe(asked);
  await ahead.close();
});

test('a claim ahead that fails is told, and its slots are asked for again', async () => {
  const ahead = await busy();
  hold = Promise.reject(new Error('disk full'));
  while (ahead.next() !== null);
  await settle();
  expect(failures).toHaveLength(1);
  expect(refills).toBe(1);
  await ahead.close();
});

test('a claim that brings nothing says nothing of how long claims take', async () => {
  const ahead = claimAhead();
  ahead.attemptTook(1);
  isEmpty = true;
  const none = ahead.claim(1);
  await clock.advance(1);
  expect(await none).toEqual([]);
  isEmpty = false;
  const next = ahead.claim(1);
  await clock.advance(0.01);
  await next;
  expect(claims.at(-1)?.ahead).toBe(0);
  await ahead.close();
});
