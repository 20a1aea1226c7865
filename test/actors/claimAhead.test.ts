// Claims ahead of the slots on simulated time, with the engine's answers in our hands.

import { beforeEach, expect, test } from 'vitest';
import { ClaimAhead, type ClaimedJob } from '../../src/actors/claimAhead.ts';
import type { Clock } from '../../src/engines/clock.ts';
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
/** How long a claim takes, ms. */
let commitMs: number;

beforeEach(() => {
  clock = new SimulatedClock();
  claims = [];
  handedBack = [];
  refills = 0;
  failures = [];
  hold = null;
  isEmpty = false;
  commitMs = 10;
  handBack = async () => {};
});

/** As the real clock, it takes only what it gave. */
function strict(): Clock {
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    setTimeout: (callback, ms) => clock.setTimeout(callback, ms),
    clearTimeout: (timer) => (timer === null ? expect.unreachable() : clock.clearTimeout(timer)),
  };
}

function claimAhead(limits: Record<string, NameLimits> = {}) {
  let next = 0;
  const engine = {
    async claim(claim: Claim): Promise<StoredJob[]> {
      claims.push(claim);
      // A commit.
      if (hold === null) await new Promise<void>((resolve) => clock.setTimeout(resolve, commitMs));
      else await hold;
      const count = isEmpty ? 0 : claim.limit + claim.ahead;
      return Array.from({ length: count }, () => ({ id: String(next++), name: 'job' }) as StoredJob);
    },
  } as unknown as Engine;
  const options = {
    engine,
    clock: strict(),
    owner: 'me',
    names: ['job'],
    limits,
    leaseMs: 15_000,
    keptMs: 1000,
  };
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
  expect(ahead.has(String(next?.job.id))).toBe(false);
  expect(ahead.take('unknown')).toBeNull();
  const id = String(Number(next?.job.id) + 1);
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

/** What a second claim asks for beyond its slot, 20 ms after the first and these attempts. */
async function aheadAfter(tookMs: readonly number[], limits: Record<string, NameLimits> = {}) {
  await clock.advance(10);
  const ahead = claimAhead(limits);
  const claimOne = async () => {
    const claimed = ahead.claim(1);
    await clock.advance(Math.max(20, 2 * commitMs) / 1000);
    expect((await claimed).map(({ job }) => job.name)).toEqual(['job']);
  };
  await claimOne();
  for (const ms of tookMs) ahead.attemptTook(ms);
  await claimOne();
  expect(claims.map(({ limit }) => limit)).toEqual([1, 1]);
  expect(claims[0]?.ahead).toBe(0);
  return { ahead, count: claims[1]?.ahead ?? expect.unreachable() };
}

const times = (count: number, ms: number) => Array<number>(count).fill(ms);

// Of late counts for a fifth: 40 attempts in 20 ms are taken for 0.4 a ms, and a claim of 10 ms for one of 2.
test.each([
  ['40 short ones', times(40, 1), 40],
  ['80 short ones', times(80, 1), 80],
  ['more than may wait', times(2000, 1), 1000],
  ['ten times as long as a claim', times(40, 20), 40],
  ['longer than that', times(40, 21), 0],
  ['one of them longer, and not in the mean', [...times(39, 10), 50], 40],
])('attempts that ended, %s, say how many are claimed ahead', async (_, took, count) => {
  const { ahead, count: asked } = await aheadAfter(took);
  expect(asked).toBe(count);
  await ahead.close();
});

test.each([
  [4.9, 0],
  [5, 40],
])('a claim that is quick is not gone ahead of: of %d ms', async (ms, count) => {
  commitMs = ms;
  const { ahead, count: asked } = await aheadAfter(times(40, 1));
  expect(asked).toBe(count);
  await ahead.close();
});

test.each([
  // A claim of 200 ms counts for one of 40: as many as start within three of these.
  [200, 400, 24],
  // One of a second for 200 ms: but no more than start within half of the time that they may wait.
  [1000, 4000, 200],
])('of claims that are slow, of %d ms, more are claimed ahead', async (ms, attempts, count) => {
  commitMs = ms;
  const { ahead, count: asked } = await aheadAfter(times(attempts, 1));
  expect(asked).toBe(count);
  await ahead.close();
});

test('a claim at the same moment as the last says nothing of how many attempts end', async () => {
  await clock.advance(10);
  const ahead = claimAhead();
  for (const slots of [[1, 1], [1]]) {
    const claimed = Promise.all(slots.map((limit) => ahead.claim(limit)));
    await clock.advance(0.02);
    await claimed;
    for (const ms of times(40, 1)) ahead.attemptTook(ms);
  }
  const claimed = ahead.claim(1);
  await clock.advance(0.02);
  await claimed;
  expect(claims.map((claim) => claim.ahead)).toEqual([0, 0, 40]);
  await ahead.close();
});

test('limits without a rate do not keep it from going ahead', async () => {
  const { ahead, count } = await aheadAfter(times(40, 1), { job: { rate: null } as unknown as NameLimits });
  expect(count).toBe(40);
  await ahead.close();
});

test('more is asked for when three quarters are left, as many as are missing by then', async () => {
  const { ahead } = await aheadAfter(times(2000, 1));
  expect(await ahead.claim(250)).toHaveLength(250);
  expect(claims).toHaveLength(2);
  expect(ahead.next()).not.toBeNull();
  // It is under way: the next does not ask again.
  expect(ahead.next()).not.toBeNull();
  expect(claims.slice(2)).toMatchObject([{ limit: 0, ahead: 251 }]);
  await clock.advance(0.01);
  expect([ahead.size, refills]).toEqual([999, 1]);
  // Once more.
  for (let count = 0; count < 400; count += 1) ahead.next();
  await clock.advance(0.01);
  expect(refills).toBe(2);
  await ahead.close();
});

test('where a claim gets less than its slots, and none would be claimed ahead, its host is told to ask again', async () => {
  const { ahead, count } = await aheadAfter(times(40, 1));
  ahead.attemptTook(1e6);
  expect(await ahead.claim(count + 1)).toHaveLength(count);
  await clock.advance(0.01);
  expect(refills).toBe(1);
  await ahead.close();
});

test('what waits is given in the order in which it came, after a turn of the event loop', async () => {
  const { ahead } = await aheadAfter(times(40, 1));
  let jobs: ClaimedJob[] = [];
  ahead.claim(2).then((claimed) => {
    jobs = claimed;
  });
  for (let count = 0; count < 20; count += 1) await null;
  expect(jobs).toEqual([]);
  await new Promise(setImmediate);
  expect(jobs.map(({ job }) => job.id)).toEqual(['2', '3']);
  await ahead.close();
});

test('where nothing waits the engine is asked at once', () => {
  const ahead = claimAhead();
  ahead.claim(1);
  expect(claims).toHaveLength(1);
});

test('what waits is given though more is under way', async () => {
  const { ahead } = await aheadAfter(times(40, 1));
  hold = new Promise(() => {});
  expect(await ahead.claim(20)).toHaveLength(20);
  expect(claims).toHaveLength(3);
  expect(await ahead.claim(5)).toHaveLength(5);
});

test('what its host was not there to start is neither given nor kept, but handed back', async () => {
  const { ahead, count } = await aheadAfter(times(40, 1));
  // Stopped: time passes, and no timer fires.
  clock.pass(979);
  expect(ahead.next()).not.toBeNull();
  clock.pass(1);
  expect(ahead.next()).toBeNull();
  expect(handedBack).toHaveLength(count - 1);
});

test('nor is it given to a claim, which asks the engine instead', async () => {
  const { ahead, count } = await aheadAfter(times(40, 1));
  const asked = claims.length;
  clock.pass(2000);
  const claimed = ahead.claim(1);
  await new Promise(setImmediate);
  expect(handedBack).toHaveLength(count);
  expect(claims).toHaveLength(asked + 1);
  await clock.advance(0.01);
  expect(await claimed).toHaveLength(1);
  await ahead.close();
});

test('each is handed back at its own time, by one timer', async () => {
  const { ahead } = await aheadAfter(times(40, 1));
  const first = ahead.size;
  // 10 ms have passed since they came, 20 since they were asked for.
  await clock.advance(0.48);
  for (let count = 0; count < 400; count += 1) ahead.attemptTook(1);
  const taken = (await ahead.claim(20)).length;
  await clock.advance(0.01);
  const second = ahead.size - (first - taken);
  expect(second).toBeGreaterThan(0);
  expect(clock.pending).toBe(1);
  await clock.advance(0.489);
  expect(handedBack).toEqual([]);
  await clock.advance(0.001);
  expect(handedBack).toHaveLength(first - taken);
  expect(ahead.size).toBe(second);
  await clock.advance(0.499);
  expect(ahead.size).toBe(second);
  await clock.advance(0.001);
  expect(handedBack).toHaveLength(first - taken + second);
  expect([ahead.size, clock.pending]).toEqual([0, 0]);
});

test('only jobs of the paused name are handed back', async () => {
  const { ahead, count } = await aheadAfter(times(40, 1));
  await ahead.pause(['other']);
  expect([ahead.size, handedBack.length]).toEqual([count, 0]);
  await ahead.pause(['other', 'job']);
  expect([ahead.size, handedBack.length]).toEqual([0, count]);
});

test('closed, it hands back all that waits and leaves no timer', async () => {
  const { ahead, count } = await aheadAfter(times(40, 1));
  await ahead.close();
  expect([ahead.size, handedBack.length, clock.pending]).toEqual([0, count, 0]);
  // Nothing was waiting: there is no timer.
  await claimAhead().close();
});

test('what a claim brings beyond its slots after the close is handed back', async () => {
  await clock.advance(10);
  const ahead = claimAhead();
  const first = ahead.claim(1);
  await clock.advance(0.02);
  await first;
  for (const ms of times(40, 1)) ahead.attemptTook(ms);
  const brought = Promise.withResolvers<void>();
  hold = brought.promise;
  const claimed = ahead.claim(1);
  await ahead.close();
  brought.resolve();
  expect(await claimed).toHaveLength(1);
  expect(claims.at(-1)?.ahead).toBe(40);
  expect([ahead.size, handedBack.length, clock.pending]).toEqual([0, 40, 0]);
});

test('what a claim brings is handed back where half of its lease is over by then, and claimed again', async () => {
  const ahead = claimAhead();
  commitMs = 7500;
  const inTime = ahead.claim(2);
  await clock.advance(7.5);
  expect(await inTime).toHaveLength(2);
  expect(handedBack).toEqual([]);
  commitMs = 7501;
  const late = ahead.claim(2);
  await clock.advance(8);
  expect(await late).toEqual([]);
  expect(handedBack).toEqual(['2', '3']);
  expect(refills).toBe(1);
});

test('the same where that cannot be stored: it is told, and looked for more', async () => {
  const ahead = claimAhead();
  commitMs = 10_000;
  handBack = () => Promise.reject(new Error('the disk is full'));
  const late = ahead.claim(1);
  await clock.advance(10);
  expect(await late).toEqual([]);
  expect(failures).toHaveLength(1);
  expect(refills).toBe(1);
});

test('nobody waits for that', async () => {
  const ahead = claimAhead();
  commitMs = 10_000;
  handBack = () => new Promise(() => {});
  const late = ahead.claim(1);
  await clock.advance(10);
  expect(await late).toEqual([]);
});

test('and before the end of a drain, which waits for it', async () => {
  const ahead = claimAhead();
  commitMs = 10_000;
  const stored = Promise.withResolvers<void>();
  handBack = () => stored.promise;
  const late = ahead.claim(1);
  let isOver = false;
  ahead.close();
  late.then(() => {
    isOver = true;
  });
  await clock.advance(10);
  expect(isOver).toBe(false);
  stored.resolve();
  expect(await late).toEqual([]);
});
