// What each engine keeps of limits, over random lives of random jobs: no limit is ever passed, nothing that may start waits,
// and who is ahead goes first.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Engine, NameLimits, NewJob, StoredJob } from '../../src/engines/engine.ts';
import { placesAPoint } from '../../src/engines/jobFacts.ts';
import { SimulatedClock } from '../../src/testing/simulatedClock.ts';
import { settings, verdict } from './contract.ts';

const limits: Record<string, NameLimits> = {
  limited: { concurrency: 2, rate: null },
  rated: { concurrency: Infinity, rate: { starts: 3, ms: 10_000 } },
};
const names = ['free', 'limited', 'rated'];

/** A job as the engine should have it. */
interface Kept {
  id: string;
  name: string;
  key: string | null;
  keyLimit: number;
  inOrder: boolean;
  isPausing: boolean;
  rank: number;
  notBefore: number;
  token: string | null;
}

type Step =
  | { do: 'submit'; name: string; key: string | null; keyLimit: number; priority: number; delay: number }
  | { do: 'claim'; limit: number }
  | { do: 'settle'; which: number; state: 'completed' | 'queued' | 'retrying' }
  | { do: 'cancel' | 'promote'; which: number }
  | { do: 'wait'; seconds: number };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('submit' as const),
      name: fc.constantFrom(...names),
      key: fc.constantFrom(null, 'a', 'b', 'in order', 'changing'),
      keyLimit: fc.integer({ min: 1, max: 3 }),
      priority: fc.constantFrom(0, 0, 1, -2),
      delay: fc.constantFrom(0, 0, 0, 3),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('claim' as const), limit: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('settle' as const),
      which: fc.nat(99),
      state: fc.constantFrom(
        'completed' as const,
        'completed' as const,
        'queued' as const,
        'retrying' as const,
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('cancel' as const, 'promote' as const), which: fc.nat(99) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 6 }) }),
  },
);

/** Runs the steps on an engine and on a list beside it, and compares. */
class Trial {
  readonly #engine: Engine;
  readonly #clock: SimulatedClock;
  #jobs: Kept[] = [];
  /** Of the rated name. */
  #starts: number[] = [];
  #places = 0;

  constructor(engine: Engine, clock: SimulatedClock) {
    this.#engine = engine;
    this.#clock = clock;
  }

  async take(step: Step): Promise<void> {
    const resting = this.#jobs.filter(({ token }) => token === null);
    const alive = this.#jobs.filter(({ token }) => token !== null);
    if (step.do === 'wait') await this.#clock.advance(step.seconds);
    else if (step.do === 'submit') await this.#submit(step);
    else if (step.do === 'claim') await this.#claim(step.limit);
    else if (step.do === 'settle' && alive.length > 0)
      await this.#settle(alive[step.which % alive.length] as Kept, step.state);
    else if (step.do === 'cancel' && resting.length > 0) {
      const { id } = resting[step.which % resting.length] as Kept;
      await this.#engine.settle(id, null, verdict('cancelled'));
      this.#jobs = this.#jobs.filter((job) => job.id !== id);
    } else if (step.do === 'promote' && resting.length > 0) {
      const job = resting[step.which % resting.length] as Kept;
      await this.#engine.promote(job.id);
      job.rank = -(2 ** 52) + this.#nextPlace();
    }
  }

  async #submit({ name, key, priority, delay, ...job }: Extract<Step, { do: 'submit' }>): Promise<void> {
    // Of one key, it is another one where the definition was changed meanwhile.
    const keyLimit = key === 'changing' ? job.keyLimit : key === 'b' ? 2 : 1;
    const inOrder = key === 'in order';
    const place = this.#nextPlace();
    const notBefore = delay === 0 ? null : this.#clock.now() + delay * 1000;
    const stored: NewJob = {
      ...{ id: `job-${place}`, name, input: '1', settings, priority, notBefore, keyLimit, inOrder },
      ...{ concurrencyKey: key, idempotencyKey: null, retryOf: null, trace: null },
    };
    await this.#engine.submit([stored]);
    const rank = place - priority * placesAPoint;
    const atRest = { notBefore: notBefore ?? 0, token: null, isPausing: false };
    this.#jobs.push({ id: stored.id, name, key, keyLimit, inOrder, rank, ...atRest });
  }

  async #claim(limit: number): Promise<void> {
    const claimed = await this.#engine.claim({ owner: 'me', limit, ahead: 0, names, leaseMs: 1e6, limits });
    const expected: string[] = [];
    while (expected.length < limit) {
      const [next] = this.#jobs
        .filter((job) => this.#mayStart(job))
        .sort((a, b) => a.rank - b.rank || (a.id < b.id ? -1 : 1));
      if (next === undefined) break;
      next.token = 'claimed';
      if (next.name === 'rated') this.#starts.push(this.#clock.now());
      expected.push(next.id);
    }
    expect(claimed.map(({ id }) => id)).toEqual(expected);
    for (const { id, token } of claimed) this.#of(id).token = token;
    if (claimed.length < limit) await this.#expectNextStart();
  }

  /** What only a rate holds back is told when it may start. */
  async #expectNextStart(): Promise<void> {
    const waits = this.#heads().some(({ name }) => name === 'rated');
    const isFull = this.#startsInWindow().length === 3;
    const next = waits && isFull ? (this.#startsInWindow()[0] as number) + 10_000 : null;
    expect(await this.#engine.nextStartAt(limits)).toBe(next);
  }

  async #settle(job: Kept, state: 'completed' | 'queued' | 'retrying'): Promise<void> {
    const notBefore = state === 'retrying' ? this.#clock.now() + 1000 : null;
    const settled = await this.#engine.settle(job.id, job.token, verdict(state, { notBefore }));
    job.token = null;
    job.notBefore = notBefore ?? 0;
    if (state === 'completed') this.#jobs = this.#jobs.filter(({ id }) => id !== job.id);
    job.isPausing = job.inOrder && state === 'retrying';
    if (state === 'retrying' && !job.inOrder) job.rank = this.#nextPlace() - settled.priority * placesAPoint;
  }

  #mayStart(job: Kept): boolean {
    if (!this.#heads().includes(job)) return false;
    const alive = this.#jobs.filter(({ name, token }) => name === job.name && token !== null);
    if (job.name === 'limited' && alive.length >= 2) return false;
    return job.name !== 'rated' || this.#startsInWindow().length < 3;
  }

  /** Those that wait for nothing but a slot, and the limits of their name. */
  #heads(): Kept[] {
    return this.#jobs.filter((job) => {
      if (job.token !== null || job.notBefore > this.#clock.now()) return false;
      if (job.key === null) return true;
      const peers = this.#jobs.filter(({ name, key }) => name === job.name && key === job.key);
      const holds = ({ token, isPausing, notBefore }: Kept) =>
        token !== null || (isPausing && notBefore > this.#clock.now());
      // None passes one of its key that is ahead of it.
      const isAhead = ({ token, notBefore, rank, id }: Kept) =>
        token === null &&
        notBefore <= this.#clock.now() &&
        (rank < job.rank || (rank === job.rank && id < job.id));
      return !peers.some(isAhead) && peers.filter(holds).length < job.keyLimit;
    });
  }

  #startsInWindow(): number[] {
    return this.#starts.filter((at) => at > this.#clock.now() - 10_000);
  }

  #of(id: string): Kept {
    return this.#jobs.find((job) => job.id === id) as Kept;
  }

  #nextPlace(): number {
    this.#places += 1;
    return this.#places;
  }
}

export function limitsContract(name: string, create: () => Engine, numRuns: number): void {
  describe(`limits of the ${name} engine`, () => {
    async function opened(): Promise<{ engine: Engine; clock: SimulatedClock }> {
      const [engine, clock] = [create(), new SimulatedClock()];
      await engine.open(clock);
      return { engine, clock };
    }
    const job = (id: string, more: Partial<NewJob> = {}): NewJob => ({
      ...{ id, name: 'free', input: '1', settings, priority: 0, notBefore: null, keyLimit: 1 },
      ...{ inOrder: false, concurrencyKey: null, idempotencyKey: null, retryOf: null, trace: null },
      ...more,
    });
    const claim = (engine: Engine, limit: number): Promise<StoredJob[]> =>
      engine.claim({ owner: 'me', limit, ahead: 0, names, leaseMs: 1e6, limits });

    test('hold over random lives of random jobs', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(anyStep, { minLength: 20, maxLength: 80 }), async (steps) => {
          const { engine, clock } = await opened();
          const trial = new Trial(engine, clock);
          try {
            for (const step of steps) await trial.take(step);
          } finally {
            await engine.close();
          }
        }),
        { numRuns },
      );
    });

    test('of a name no more are alive than its limit, and one that ends lets one start', async () => {
      const { engine } = await opened();
      await engine.submit(Array.from({ length: 4 }, (_, n) => job(`${n}`, { name: 'limited' })));
      const [first, ...others] = await claim(engine, 9);
      expect([first?.id, ...others.map(({ id }) => id)]).toEqual(['0', '1']);
      expect(await claim(engine, 9)).toEqual([]);
      await engine.settle('0', first?.token ?? null, verdict('completed'));
      expect((await claim(engine, 9)).map(({ id }) => id)).toEqual(['2']);
      await engine.close();
    });

    test('of a key no more are alive than its limit, and one that ends lets one start', async () => {
      const { engine } = await opened();
      const keyed = { concurrencyKey: 'k', keyLimit: 2 };
      await engine.submit(Array.from({ length: 4 }, (_, n) => job(`${n}`, keyed)));
      const [first, ...others] = await claim(engine, 9);
      expect([first?.id, ...others.map(({ id }) => id)]).toEqual(['0', '1']);
      expect(await claim(engine, 9)).toEqual([]);
      await engine.settle('0', first?.token ?? null, verdict('completed'));
      expect((await claim(engine, 9)).map(({ id }) => id)).toEqual(['2']);
      await engine.close();
    });

    test('a rate looks back over its whole span, wherever on the clock that began', async () => {
      const { engine, clock } = await opened();
      await engine.submit(Array.from({ length: 6 }, (_, n) => job(`${n}`, { name: 'rated' })));
      // Into the last seconds of the ten that the clock counts.
      await clock.advance((17_000 - (clock.now() % 10_000)) / 1000);
      expect(await claim(engine, 9)).toHaveLength(3);
      for (const seconds of [4, 5.9]) {
        await clock.advance(seconds);
        expect(await claim(engine, 9)).toEqual([]);
        expect(await engine.nextStartAt(limits)).toBe(clock.now() + (seconds === 4 ? 6000 : 100));
      }
      await clock.advance(0.1);
      expect(await claim(engine, 9)).toHaveLength(3);
      await engine.close();
    });

    test('a point of priority lets 1000 later jobs pass, and not one more', async () => {
      const { engine } = await opened();
      await engine.submit([job('low')]);
      await engine.submit(Array.from({ length: 1200 }, (_, n) => job(`high-${n}`, { priority: 1 })));
      const claimed = (await claim(engine, 1201)).map(({ id }) => id);
      // At an equal rank the older one is first.
      expect(claimed.indexOf('low')).toBe(placesAPoint - 1);
      await engine.close();
    });

    test('who comes to wait for nothing but a slot is told to those who watch', async () => {
      const { engine } = await opened();
      await engine.submit([job('first', { concurrencyKey: 'k' }), job('second', { concurrencyKey: 'k' })]);
      const [first] = await claim(engine, 9);
      const told: string[] = [];
      engine.watch({ changed: (id, state) => told.push(`${id} ${state}`), missed() {} });
      await engine.settle('first', first?.token ?? null, verdict('completed'));
      expect(told).toEqual(['first completed', 'second queued']);
      await engine.close();
    });

    test('a clock that is set back passes no rate, and holds nobody back for longer than it', async () => {
      const { engine, clock } = await opened();
      await engine.submit(Array.from({ length: 6 }, (_, n) => job(`${n}`, { name: 'rated' })));
      expect(await claim(engine, 9)).toHaveLength(3);
      clock.jumpWall(-86_400_000);
      expect(await claim(engine, 9)).toHaveLength(0);
      expect(await engine.nextStartAt(limits)).toBe(clock.now() + 10_000);
      await clock.advance(10);
      expect(await claim(engine, 9)).toHaveLength(3);
      await engine.close();
    });

    test('a key limit that was lowered is kept by those that have it, and those behind them wait', async () => {
      const { engine } = await opened();
      const keyed = { concurrencyKey: 'k' };
      await engine.submit([job('1', { ...keyed, keyLimit: 2 }), job('2', { ...keyed, keyLimit: 2 })]);
      const [first] = await claim(engine, 1);
      await engine.submit([job('urgent', { ...keyed, priority: 5 })]);
      expect(await claim(engine, 9)).toEqual([]);
      await engine.settle('1', first?.token ?? null, verdict('completed'));
      const [urgent, other] = await claim(engine, 9);
      expect([urgent?.id, other?.id]).toEqual(['urgent', '2']);
      await engine.settle('2', other?.token ?? null, verdict('completed'));
      await engine.settle('urgent', urgent?.token ?? null, verdict('completed'));
      await engine.submit([job('low', keyed), job('high', { ...keyed, keyLimit: 2, priority: 5 })]);
      // The one that may have company is first: the other, which may not, waits.
      expect((await claim(engine, 9)).map(({ id }) => id)).toEqual(['high']);
      await engine.close();
    });

    test('of a key in order, one that is tried again keeps its place, and those behind it waiting', async () => {
      const { engine, clock } = await opened();
      const keyed = { concurrencyKey: 'k', inOrder: true };
      await engine.submit([
        job('1', keyed),
        job('2', keyed),
        job('other', { ...keyed, concurrencyKey: 'l' }),
      ]);
      const [first] = await claim(engine, 1);
      await engine.settle('1', first?.token ?? null, verdict('retrying', { notBefore: clock.now() + 5000 }));
      expect((await claim(engine, 9)).map(({ id }) => id)).toEqual(['other']);
      await clock.advance(5);
      const [again, ...none] = await claim(engine, 9);
      expect([again?.id, none]).toEqual(['1', []]);
      await engine.settle('1', again?.token ?? null, verdict('failed'));
      expect((await claim(engine, 9)).map(({ id }) => id)).toEqual(['2']);
      await engine.close();
    });

    test('those behind their key stand in the queue, behind those that are not', async () => {
      const { engine } = await opened();
      await engine.submit([job('1', { concurrencyKey: 'k' }), job('2', { concurrencyKey: 'k' }), job('3')]);
      const queue = [];
      for await (const id of engine.queue()) queue.push(id);
      expect(queue).toEqual(['1', '3', '2']);
      await engine.close();
    });
  });
}
