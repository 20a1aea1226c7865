// What every engine must pass. The subject is the stored facts: rows, order, times, tokens, leases. Engines
// run it with a clock they agree on, so that leases and due times can be made to pass.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type Engine,
  type FrozenSettings,
  type NewJob,
  type NodeFacts,
  StaleAttemptError,
  type StoredJob,
  type StoredSchedule,
} from '../../src/engines/engine.ts';
import { jobStates } from '../../src/machines/states.ts';
import type { StopIntent, Verdict } from '../../src/machines/verdict.ts';
import { SimulatedClock } from '../../src/testing/simulatedClock.ts';

export const settings: FrozenSettings = {
  jobTimeoutSeconds: 7200,
  heartbeatTimeoutSeconds: 60,
  progressTimeoutSeconds: Infinity,
  queueTimeoutSeconds: Infinity,
  deadlineSeconds: Infinity,
  memoryLimitMb: Infinity,
  maxCrashes: 3,
  graceSeconds: 5,
  chunkSize: 1000,
  retry: {
    maxAttempts: 3,
    on: ['failed', 'timedOut'],
    backoff: { kind: 'fixed', seconds: 0, maxSeconds: Infinity, jitter: 0 },
  },
};

export const verdict = (state: Verdict['state'], more: Partial<Verdict> = {}): Verdict => ({
  state,
  timeout: null,
  reason: null,
  failure: null,
  result: null,
  stop: null,
  notBefore: null,
  crashed: false,
  neverBegan: false,
  ...more,
});

/** What is the same for most jobs of these tests. */
export const plainJob = {
  settings,
  priority: 0,
  notBefore: null,
  concurrencyKey: null,
  keyLimit: 1,
  inOrder: false,
  retryOf: null,
  trace: null,
} as const;

export function engineContract(name: string, create: () => Engine): void {
  describe(`the ${name} engine keeps the contract`, () => {
    let engine: Engine;
    let clock: SimulatedClock;
    let ids = 0;

    beforeEach(async () => {
      clock = new SimulatedClock();
      engine = create();
      await engine.open(clock);
    });
    afterEach(() => engine.close());

    const newJob = (more: Partial<NewJob> = {}): NewJob => ({
      id: `job-${++ids}`,
      name: 'sum',
      input: '{"a":1}',
      ...plainJob,
      idempotencyKey: null,
      ...more,
    });
    const submit = async (more: Partial<NewJob> = {}): Promise<StoredJob> =>
      (await engine.submit([newJob(more)]))[0]!;
    const claim = (limit = 1, leaseMs = 15_000, ahead = 0) =>
      engine.claim({ owner: 'me', limit, ahead, names: ['sum'], leaseMs });
    const claimOne = async (): Promise<StoredJob & { token: string }> =>
      (await claim())[0] as StoredJob & { token: string };
    const stale = expect.objectContaining({ code: 'ERR_UNSTUCK_STALE_ATTEMPT' });

    describe('submit', () => {
      test('stores a job at rest, with its settings to the letter', async () => {
        const job = await submit({ settings: { ...settings, queueTimeoutSeconds: 10, deadlineSeconds: 20 } });
        expect(job).toMatchObject({
          state: 'queued',
          attempt: 0,
          token: null,
          input: '{"a":1}',
          submittedAt: clock.now(),
        });
        expect(job).toMatchObject({ queueDueAt: clock.now() + 10_000, deadlineAt: clock.now() + 20_000 });
        expect(job.settings.progressTimeoutSeconds).toBe(Infinity);
        expect(await engine.get(job.id)).toEqual(job);
        expect(await engine.get('unknown')).toBeNull();
      });

      test('keeps the trace of a job, for whoever claims it', async () => {
        const trace = '{"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}';
        const job = await submit({ trace });
        expect(job.trace).toBe(trace);
        expect((await claimOne()).trace).toBe(trace);
        expect((await engine.get(job.id))?.trace).toBe(trace);
        expect((await submit()).trace).toBeNull();
      });

      test('answers a known idempotency key of the same name with the older job', async () => {
        const first = await submit({ idempotencyKey: 'k' });
        expect((await submit({ idempotencyKey: 'k' })).id).toBe(first.id);
        expect((await submit({ idempotencyKey: 'k', name: 'other' })).id).not.toBe(first.id);
        expect(await engine.count(['queued'])).toBe(2);
      });
    });

    describe('claim', () => {
      test('takes by priority, then in order of submission, at most the limit, known names only', async () => {
        const low = await submit();
        const high = await submit({ priority: 5 });
        const next = await submit();
        await submit({ name: 'unknown here' });
        const queue = [];
        for await (const id of engine.queue()) queue.push(id);
        expect(queue.slice(0, 3)).toEqual([high.id, low.id, next.id]);
        expect((await claim(2)).map(({ id }) => id)).toEqual([high.id, low.id]);
        expect((await claim(9)).map(({ id }) => id)).toEqual([next.id]);
        expect(await claim(9)).toEqual([]);
      });

      test('gives the next attempt number and a token that was never there before', async () => {
        await submit();
        const first = await claimOne();
        expect(first).toMatchObject({ state: 'running', attempt: 1, owner: 'me', startedAt: clock.now() });
        await engine.settle(first.id, first.token, verdict('retrying', { notBefore: clock.now() }));
        const second = await claimOne();
        expect(second.attempt).toBe(2);
        expect(second.token).not.toBe(first.token);
      });

      test('gives each job to one of two that claim at once', async () => {
        for (let index = 0; index < 10; index += 1) await submit();
        const both = await Promise.all([claim(10), claim(10)]);
        const claimed = both.flat().map(({ id }) => id);
        expect(new Set(claimed).size).toBe(10);
        expect(claimed).toHaveLength(10);
      });

      test('leaves what may not start yet, and what is past its time', async () => {
        await submit({ notBefore: clock.now() + 1000 });
        await submit({ settings: { ...settings, queueTimeoutSeconds: 0.5 } });
        expect(await engine.nextDueAt()).toBe(clock.now() + 500);
        await clock.advance(0.9);
        expect(await claim(9)).toEqual([]);
        expect(await engine.due()).toHaveLength(1);
        await clock.advance(0.1);
        expect(await claim(9)).toHaveLength(1);
      });

      test('a retry starts after its pause, with its deadline still ahead', async () => {
        await submit({ settings: { ...settings, deadlineSeconds: 60 } });
        const { id, token } = await claimOne();
        await engine.settle(id, token, verdict('retrying', { notBefore: clock.now() + 2000 }));
        expect(await claim()).toEqual([]);
        await clock.advance(2);
        expect((await claim())[0]?.attempt).toBe(2);
      });

      test.each(['retrying', 'queued'] as const)(
        'a job that ran, and is %s, times out at rest by its deadline, and no more by its queue timeout',
        async (state) => {
          await submit({ settings: { ...settings, deadlineSeconds: 60, queueTimeoutSeconds: 5 } });
          const { id, token } = await claimOne();
          await clock.advance(1);
          await engine.settle(id, token, verdict(state));
          expect(await engine.nextDueAt()).toBe(clock.now() + 59_000);
          await clock.advance(58.9);
          expect(await engine.due()).toEqual([]);
          await clock.advance(0.1);
          expect((await engine.due()).map((job) => job.id)).toEqual([id]);
          expect(await claim()).toEqual([]);
        },
      );

      test('goes ahead of the limit as far as it is asked to, and says which those are', async () => {
        for (let n = 0; n < 5; n += 1) await submit();
        const claimed = await claim(2, 15_000, 2);
        expect(claimed.map(({ claimedAhead }) => claimedAhead)).toEqual([false, false, true, true]);
        expect(await claim(0, 15_000, 0)).toEqual([]);
        expect((await claim(0, 15_000, 9)).map(({ claimedAhead }) => claimedAhead)).toEqual([true]);
      });

      test('what was claimed ahead and came back is not claimed ahead again', async () => {
        const first = await submit();
        const second = await submit();
        const [ahead] = await claim(0, 15_000, 1);
        await engine.settle(first.id, ahead?.token ?? null, verdict('queued'));
        // Nor does what came later go ahead of it.
        expect(await claim(0, 15_000, 9)).toEqual([]);
        expect(await claimOne()).toMatchObject({ id: first.id, claimedAhead: false, attempt: 1 });
        expect((await claim(0, 15_000, 9)).map(({ id }) => id)).toEqual([second.id]);
      });

      test('what took its host down is not claimed ahead: of the next time it must be known whether it ran', async () => {
        const poison = await submit();
        const second = await submit();
        const { token } = await claimOne();
        await engine.settle(poison.id, token, verdict('queued', { crashed: true }));
        expect(await claim(0, 15_000, 9)).toEqual([]);
        expect(await claimOne()).toMatchObject({ id: poison.id, claimedAhead: false });
        expect((await claim(0, 15_000, 9)).map(({ id }) => id)).toEqual([second.id]);
      });

      test('what was claimed and did not begin is as it was: its queue timeout still counts', async () => {
        const { id } = await submit({ settings: { ...settings, queueTimeoutSeconds: 10 } });
        const [ahead] = await claim(0, 15_000, 1);
        await engine.settle(id, ahead?.token ?? null, verdict('queued', { neverBegan: true }));
        expect(await engine.get(id)).toMatchObject({
          startedAt: null,
          lastHeartbeatAt: null,
          lastProgressAt: null,
        });
        await clock.advance(11);
        expect((await engine.due()).map((job) => job.id)).toEqual([id]);
      });

      test('what was handed back has its old place, what is retried comes last', async () => {
        const [first, second, third] = [await submit(), await submit(), await submit()];
        const claimed = await claim(3);
        const token = (index: number) => claimed[index]?.token ?? null;
        await engine.settle(third.id, token(2), verdict('queued'));
        await engine.settle(first.id, token(0), verdict('retrying', { notBefore: clock.now() }));
        await engine.settle(second.id, token(1), verdict('queued'));
        const fourth = await submit();
        expect((await claim(9)).map(({ id }) => id)).toEqual([second.id, third.id, first.id, fourth.id]);
      });

      test('a promoted job is next, whatever its priority', async () => {
        await submit({ priority: 9 });
        const { id } = await submit();
        await engine.promote(id);
        expect((await claimOne()).id).toBe(id);
      });
    });

    describe('the token', () => {
      test('is needed for checkpoint, beat, stop and settlement, and stale after the end', async () => {
        await submit();
        const { id, token } = await claimOne();
        const write = { id, chunk: 1, checkpoint: '1', rows: [], items: 1, total: null };
        await expect(engine.checkpoint({ ...write, token: 'stale' })).rejects.toEqual(stale);
        await expect(engine.recordIntent(id, 'stale', { kind: 'handBack' })).rejects.toEqual(stale);
        await expect(engine.settle(id, 'stale', verdict('completed'))).rejects.toEqual(stale);
        await expect(engine.settle(id, null, verdict('completed'))).rejects.toEqual(stale);
        await engine.settle(id, token, verdict('completed', { result: '{"sum":1}' }));
        await expect(engine.settle(id, token, verdict('failed'))).rejects.toEqual(stale);
        await expect(engine.checkpoint({ ...write, token })).rejects.toEqual(stale);
        expect(await engine.beat([{ id, token, heartbeatAt: null, total: null }], 1000)).toEqual([
          { id, token, held: false, renewed: false, intent: null, settings: null },
        ]);
        expect(await engine.get(id)).toMatchObject({
          state: 'completed',
          result: '{"sum":1}',
          token: null,
          endedAt: clock.now(),
        });
      });

      test('is refused for an older attempt while its successor lives', async () => {
        await submit();
        const old = await claimOne();
        await engine.settle(old.id, old.token, verdict('queued'));
        const next = await claimOne();
        await expect(engine.settle(old.id, old.token, verdict('completed'))).rejects.toEqual(stale);
        await engine.settle(next.id, next.token, verdict('completed'));
      });

      test('of two that settle one attempt exactly one succeeds', async () => {
        await submit();
        const { id, token } = await claimOne();
        const both = await Promise.allSettled([
          engine.settle(id, token, verdict('completed')),
          engine.settle(id, token, verdict('timedOut')),
        ]);
        expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      });

      test('follow-ups are stored with a settlement, and not with one that is refused', async () => {
        const { id } = await submit();
        const [{ token }] = (await claim(1)) as [StoredJob];
        const followUp = (of: string): NewJob => ({
          ...plainJob,
          ...{ id: `${of}-${id}`, name: 'follow-up', input: '1', idempotencyKey: null },
        });
        const names = async () => {
          const found = [];
          for await (const job of engine.list({ name: 'follow-up' })) found.push(job.id);
          return found;
        };
        await expect(
          engine.settle(id, 'stale', verdict('failed'), [followUp('refused')]),
        ).rejects.toBeInstanceOf(StaleAttemptError);
        expect(await names()).toEqual([]);
        const told: string[] = [];
        const unwatch = engine.watch({ changed: (job, state) => told.push(`${job} ${state}`), missed() {} });
        await engine.settle(id, token, verdict('failed'), [followUp('a'), followUp('b')]);
        unwatch();
        expect(await names()).toEqual([`b-${id}`, `a-${id}`]);
        expect(told).toEqual([`${id} failed`, `a-${id} queued`, `b-${id} queued`]);
      });

      test('a job at rest is settled without one, a live or final one is not', async () => {
        const { id } = await submit();
        expect((await engine.settle(id, null, verdict('cancelled'))).state).toBe('cancelled');
        await expect(engine.settle(id, null, verdict('cancelled'))).rejects.toBeInstanceOf(StaleAttemptError);
        expect(await claim(9)).toEqual([]);
      });
    });

    describe('a live attempt', () => {
      test('keeps checkpoint, rows and progress together', async () => {
        await submit();
        const { id, token } = await claimOne();
        await engine.checkpoint({
          id,
          token,
          chunk: 1,
          checkpoint: '{"n":1}',
          rows: ['{"r":1}', '{"r":2}'],
          items: 10,
          total: 30,
        });
        await engine.checkpoint({
          id,
          token,
          chunk: 2,
          checkpoint: '{"n":2}',
          rows: ['{"r":3}'],
          items: 10,
          total: null,
        });
        expect(await engine.get(id)).toMatchObject({
          checkpoint: '{"n":2}',
          chunks: 2,
          items: 20,
          total: 30,
        });
        const rows = [];
        for await (const row of engine.rows(id)) rows.push(row);
        expect(rows).toEqual(['{"r":1}', '{"r":2}', '{"r":3}']);
        await engine.settle(id, token, verdict('retrying', { notBefore: clock.now() }));
        expect((await claimOne()).checkpoint).toBe('{"n":2}');
      });

      test('stores a chunk once, though its write comes twice because the answer was lost', async () => {
        await submit();
        const { id, token } = await claimOne();
        const write = { id, token, chunk: 1, checkpoint: '1', rows: ['{"r":1}'], items: 5, total: null };
        await engine.checkpoint(write);
        await engine.checkpoint(write);
        expect(await engine.get(id)).toMatchObject({ chunks: 1, items: 5 });
        const rows = [];
        for await (const row of engine.rows(id)) rows.push(row);
        expect(rows).toEqual(['{"r":1}']);
      });

      test('may append very many rows with one chunk', async () => {
        await submit();
        const { id, token } = await claimOne();
        const rows = Array.from({ length: 200_000 }, (_, index) => String(index));
        await engine.checkpoint({ id, token, chunk: 1, checkpoint: '1', rows, items: 1, total: null });
        let count = 0;
        for await (const row of engine.rows(id)) if (row === String(count)) count += 1;
        expect(count).toBe(200_000);
      });

      test('lapses when its lease is over, and not while it beats', async () => {
        await submit();
        const { id, token } = await claimOne();
        await clock.advance(10);
        expect(await engine.beat([{ id, token, heartbeatAt: clock.now(), total: 5 }], 15_000)).toEqual([
          { id, token, held: true, renewed: true, intent: null, settings },
        ]);
        expect(await engine.get(id)).toMatchObject({ lastHeartbeatAt: clock.now(), total: 5 });
        await clock.advance(14);
        expect(await engine.lapsed()).toEqual([]);
        await clock.advance(2);
        expect((await engine.lapsed()).map((job) => job.id)).toEqual([id]);
        await engine.settle(id, token, verdict('queued'));
        expect(await engine.lapsed()).toEqual([]);
        expect((await claimOne()).attempt).toBe(1);
      });

      test('has its process group kept while it lives, and no longer', async () => {
        const group = { boot: 'b', pid: 7, startedAt: '100' };
        await submit();
        const { id, token } = await claimOne();
        await engine.beat([{ id, token, heartbeatAt: null, total: null, group }], 15_000);
        await engine.beat([{ id, token, heartbeatAt: null, total: null }], 15_000);
        expect((await engine.get(id))?.group).toEqual(group);
        await engine.settle(id, token, verdict('retrying', { notBefore: clock.now() }));
        expect((await engine.get(id))?.group).toBeNull();
      });

      test('passes to whoever adopts it: the old token is stale, what was asked stays', async () => {
        await submit();
        const { id, token } = await claimOne();
        await engine.recordIntent(id, null, { kind: 'cancel', reason: 'enough' });
        const adopted = await engine.adopt(id, token, 'another', 15_000);
        expect(adopted).not.toBe(token);
        expect(await engine.get(id)).toMatchObject({ state: 'stopping', attempt: 1, owner: 'another' });
        await expect(engine.settle(id, token, verdict('failed'))).rejects.toEqual(stale);
        await expect(engine.adopt(id, token, 'third', 15_000)).rejects.toEqual(stale);
        await clock.advance(14);
        expect(await engine.lapsed()).toEqual([]);
        expect((await engine.settle(id, adopted, verdict('cancelled'))).state).toBe('cancelled');
      });

      test('has the crashes of its hosts counted until its next checkpoint', async () => {
        await submit();
        for (const crashes of [0, 1]) {
          const job = await claimOne();
          expect(job.crashes).toBe(crashes);
          await engine.settle(job.id, job.token, verdict('queued', { crashed: true, neverBegan: false }));
        }
        const { id, token, crashes } = await claimOne();
        expect(crashes).toBe(2);
        await engine.checkpoint({ id, token, chunk: 1, checkpoint: '1', rows: [], items: 1, total: null });
        expect((await engine.get(id))?.crashes).toBe(0);
      });

      test('is told with its next beat what was asked of it', async () => {
        await submit();
        const { id, token } = await claimOne();
        await engine.recordIntent(id, null, { kind: 'cancel', reason: 'enough' });
        expect((await engine.get(id))?.state).toBe('stopping');
        const [reply] = await engine.beat([{ id, token, heartbeatAt: null, total: null }], 15_000);
        expect(reply).toMatchObject({ id, token, held: true, intent: { kind: 'cancel', reason: 'enough' } });
        await engine.settle(id, token, verdict('cancelled'));
        await expect(engine.recordIntent(id, null, { kind: 'handBack' })).rejects.toEqual(stale);
      });

      test('that was told to end stays so, whatever else is asked of it', async () => {
        await submit();
        const { id, token } = await claimOne();
        await engine.recordIntent(id, null, { kind: 'cancel', reason: 'enough' });
        await engine.recordIntent(id, token, { kind: 'handBack' });
        const refused = engine.settle(id, token, verdict('queued'));
        await expect(refused).rejects.toMatchObject({ intent: { kind: 'cancel', reason: 'enough' } });
      });

      test('that was told to end is not set to run again by who has not heard it', async () => {
        const ends: StopIntent[] = [
          { kind: 'cancel', reason: null },
          { kind: 'timeout', timeout: 'job', by: 'hand' },
          { kind: 'timeout', timeout: 'deadline', by: 'monitor' },
        ];
        for (const intent of ends) {
          await submit();
          const { id, token } = await claimOne();
          await engine.recordIntent(id, null, intent);
          for (const state of ['queued', 'retrying'] as const)
            await expect(engine.settle(id, token, verdict(state))).rejects.toEqual(stale);
          expect((await engine.get(id))?.state).toBe('stopping');
          await engine.settle(id, token, verdict('completed'));
        }
        await submit();
        const { id, token } = await claimOne();
        await engine.recordIntent(id, token, { kind: 'timeout', timeout: 'heartbeat', by: 'timer' });
        await engine.settle(id, token, verdict('retrying', { notBefore: clock.now() }));
        expect((await claimOne()).intent).toBeNull();
      });
    });

    describe('other timeouts', () => {
      test('of a job at rest count from its submission, and are what it is due by', async () => {
        const { id } = await submit({
          settings: { ...settings, queueTimeoutSeconds: 5, deadlineSeconds: 20 },
        });
        const submittedAt = clock.now();
        await clock.advance(2);
        const changed = await engine.setTimeouts(id, { queueTimeoutSeconds: 10, deadlineSeconds: Infinity });
        expect(changed).toMatchObject({ queueDueAt: submittedAt + 10_000, deadlineAt: null });
        expect(changed.settings).toEqual({ ...settings, queueTimeoutSeconds: 10 });
        expect(await engine.get(id)).toEqual(changed);
        expect(await engine.nextDueAt()).toBe(submittedAt + 10_000);
        await clock.advance(5);
        expect(await engine.due()).toEqual([]);
        await engine.setTimeouts(id, { deadlineSeconds: 3 });
        expect((await engine.due()).map((job) => job.id)).toEqual([id]);
        expect(await claim()).toEqual([]);
        await engine.setTimeouts(id, { deadlineSeconds: Infinity, queueTimeoutSeconds: Infinity });
        expect(await engine.due()).toEqual([]);
        expect((await claim()).map((job) => job.id)).toEqual([id]);
      });

      test('do not change the order in which jobs start', async () => {
        const first = await submit();
        const second = await submit();
        await engine.setTimeouts(first.id, { deadlineSeconds: 60 });
        expect((await claim(2)).map(({ id }) => id)).toEqual([first.id, second.id]);
      });

      test('of a live job are told to its owner with its next beat', async () => {
        const { id } = await submit();
        const { token } = await claimOne();
        const beat = { id, token, heartbeatAt: null, total: null };
        expect((await engine.beat([beat], 15_000))[0]?.settings).toEqual(settings);
        const changed = await engine.setTimeouts(id, { jobTimeoutSeconds: 1, progressTimeoutSeconds: 2 });
        expect(changed).toMatchObject({ state: 'running', token });
        expect((await engine.beat([beat], 15_000))[0]?.settings).toEqual(changed.settings);
        expect(changed.settings).toEqual({ ...settings, jobTimeoutSeconds: 1, progressTimeoutSeconds: 2 });
        // What is alive is not looked for among what waits.
        await engine.setTimeouts(id, { deadlineSeconds: 0.001 });
        await clock.advance(1);
        expect(await engine.due()).toEqual([]);
        expect((await engine.beat([{ ...beat, token: 'stale' }], 15_000))[0]?.settings).toBeNull();
        await engine.settle(id, token, verdict('retrying', { notBefore: clock.now() }));
        expect(await engine.due()).toHaveLength(1);
      });

      test('do not touch a job that is over, and are seen by who watches', async () => {
        const { id } = await submit();
        const seen: string[] = [];
        const unwatch = engine.watch({ changed: (changed) => seen.push(changed), missed: () => {} });
        await engine.setTimeouts(id, { deadlineSeconds: 60 });
        expect(seen).toEqual([id]);
        unwatch();
        const over = await engine.settle(id, null, verdict('cancelled'));
        expect(await engine.setTimeouts(id, { deadlineSeconds: 9 })).toEqual(over);
        expect(await engine.get(id)).toEqual(over);
        await expect(engine.setTimeouts('nobody', { deadlineSeconds: 9 })).rejects.toMatchObject({
          code: 'ERR_UNSTUCK_ENGINE',
        });
      });
    });

    describe('asking', () => {
      test('lists newest first, by state and name; counts', async () => {
        const first = await submit();
        const second = await submit({ name: 'other' });
        await engine.settle(first.id, null, verdict('cancelled'));
        const listed = async (query: Parameters<Engine['list']>[0]) => {
          const found = [];
          for await (const job of engine.list(query)) found.push(job.id);
          return found;
        };
        expect(await listed({})).toEqual([second.id, first.id]);
        expect(await listed({ states: ['cancelled'] })).toEqual([first.id]);
        expect(await listed({ name: 'other' })).toEqual([second.id]);
        expect(await listed({ limit: 1 })).toEqual([second.id]);
        expect(await engine.count(['queued'])).toBe(1);
        expect(await engine.count(['queued', 'cancelled'])).toBe(2);
      });

      test('lists the jobs of an idempotency key, at most one of each name', async () => {
        await submit();
        const first = await submit({ idempotencyKey: 'k' });
        await submit({ idempotencyKey: 'another' });
        const second = await submit({ idempotencyKey: 'k', name: 'other' });
        const listed = async (query: Parameters<Engine['list']>[0]) => {
          const found = [];
          for await (const job of engine.list(query)) found.push(job);
          return found;
        };
        expect(first.idempotencyKey).toBe('k');
        expect(await listed({ key: 'k' })).toEqual([second, first]);
        expect(await listed({ key: 'k', name: 'sum' })).toEqual([first]);
        expect(await listed({ key: 'k', states: ['failed'] })).toEqual([]);
        expect(await listed({ key: 'k', after: second.id })).toEqual([first]);
        expect(await listed({ key: 'k', limit: 1 })).toEqual([second]);
        expect(await listed({ key: 'of none' })).toEqual([]);
      });

      test('lists by time of submission, and page after page', async () => {
        const ids: string[] = [];
        for (let second = 0; second < 5; second += 1) {
          ids.unshift((await submit()).id);
          await clock.advance(1);
        }
        const listed = async (query: Parameters<Engine['list']>[0]) => {
          const found = [];
          for await (const job of engine.list(query)) found.push(job.id);
          return found;
        };
        const start = clock.now() - 5000;
        expect(await listed({ from: start + 1000, before: start + 4000 })).toEqual(ids.slice(1, 4));
        expect(await listed({ limit: 2 })).toEqual(ids.slice(0, 2));
        expect(await listed({ limit: 2, after: ids[1] as string })).toEqual(ids.slice(2, 4));
        expect(await listed({ after: ids[4] as string })).toEqual([]);
      });

      test('counts by state, and of one name', async () => {
        await submit();
        await submit();
        await submit({ name: 'other' });
        await claim(1);
        expect(await engine.count(['queued', 'running'])).toBe(3);
        expect(await engine.count(['queued'], 'sum')).toBe(1);
        expect(await engine.count(['queued'], 'none')).toBe(0);
      });

      test('counts what ended since a time, and by which timeout', async () => {
        const end = async (state: 'completed' | 'timedOut', more: Partial<Verdict> = {}) =>
          engine.settle((await submit()).id, null, verdict(state, more));
        await end('completed');
        await end('timedOut', { timeout: 'queue' });
        await clock.advance(10);
        const since = clock.now();
        await end('completed');
        await end('timedOut', { timeout: 'queue' });
        await end('timedOut', { timeout: 'deadline' });
        expect(await engine.countEnded('completed', since)).toBe(1);
        expect(await engine.countEnded('timedOut', since)).toBe(2);
        expect(await engine.countEnded('timedOut', since, 'deadline')).toBe(1);
        expect(await engine.countEnded('timedOut', 0, 'queue')).toBe(2);
        expect(await engine.countEnded('failed', 0)).toBe(0);
      });

      test('knows since when the oldest waits that may start, and none where none does', async () => {
        expect(await engine.oldestWaiting()).toBe(null);
        await submit({ notBefore: clock.now() + 60_000 });
        expect(await engine.oldestWaiting()).toBe(null);
        await clock.advance(1);
        await submit({ priority: -1 });
        const first = clock.now();
        await clock.advance(1);
        await submit();
        expect(await engine.oldestWaiting()).toBe(first);
        await claim(1);
        expect(await engine.oldestWaiting()).toBe(first);
        await claim(1);
        expect(await engine.oldestWaiting()).toBe(null);
        await clock.advance(60);
        expect(await engine.oldestWaiting()).toBe(first - 1000);
      });

      test('tells of each name how many jobs are in each state that is not final, and since when one could have started', async () => {
        const open = async () => {
          const found = (await engine.openJobs()).filter(({ counts }) => sum(counts) > 0);
          return found.sort((a, b) => a.name.localeCompare(b.name));
        };
        const sum = (counts: object) => Object.values(counts).reduce((a, b) => a + b, 0);
        const none = { queued: 0, running: 0, stopping: 0, retrying: 0 };
        expect(await open()).toEqual([]);
        const submittedAt = clock.now();
        const later = submittedAt + 5000;
        await submit({ notBefore: later });
        await clock.advance(1);
        const hour = clock.now() + 3_600_000;
        await submit({ name: 'later', notBefore: hour });
        expect(await open()).toEqual([
          { name: 'later', counts: { ...none, queued: 1 }, waitingSince: null },
          { name: 'sum', counts: { ...none, queued: 1 }, waitingSince: null },
        ]);
        await clock.advance(10);
        for (const concurrencyKey of ['k', 'k', 'k'])
          await submit({ name: 'keyed', concurrencyKey, keyLimit: 1 });
        const keyedAt = clock.now();
        await clock.advance(1);
        const submitted = [await submit(), await submit(), await submit(), await submit()];
        const [, stopped, retried, ended] = (await claim(4)) as StoredJob[];
        await engine.recordIntent(stopped!.id, stopped!.token, { kind: 'cancel', reason: null });
        await engine.settle(retried!.id, retried!.token, verdict('retrying', { notBefore: hour }));
        await engine.settle(ended!.id, ended!.token, verdict('completed'));
        const byName = Object.fromEntries((await open()).map(({ name, ...rest }) => [name, rest]));
        expect(byName).toEqual({
          // What could start at a time has waited since then, and not since it was submitted.
          sum: {
            counts: { queued: 1, running: 1, stopping: 1, retrying: 1 },
            waitingSince: submitted[3]!.submittedAt,
          },
          later: { counts: { ...none, queued: 1 }, waitingSince: null },
          // Those that wait behind others of their key wait.
          keyed: { counts: { ...none, queued: 3 }, waitingSince: keyedAt },
        });
        await clock.advance(3_600_000);
        expect((await open()).find(({ name }) => name === 'later')?.waitingSince).toBe(hour);
        // So do those that are to be tried again, once they may.
        expect((await open()).find(({ name }) => name === 'sum')?.waitingSince).toBe(
          submitted[3]!.submittedAt,
        );
      });

      test('what ran and is handed back has waited since then; what was claimed and did not run, since before', async () => {
        const waitingSince = async () => (await engine.openJobs())[0]?.waitingSince;
        await submit();
        const submittedAt = clock.now();
        await clock.advance(60);
        const [ahead] = (await claim()) as [StoredJob];
        await engine.settle(ahead.id, ahead.token, verdict('queued', { neverBegan: true }));
        expect(await waitingSince()).toBe(submittedAt);
        const [ran] = (await claim()) as [StoredJob];
        await clock.advance(60);
        await engine.settle(ran.id, ran.token, verdict('queued'));
        expect(await waitingSince()).toBe(clock.now());
      });

      test('counts the same after whatever became of the jobs', async () => {
        const expected = async () => {
          const states: Record<string, number> = {};
          for await (const { state } of engine.list({})) states[state] = (states[state] ?? 0) + 1;
          return states;
        };
        const counted = async () => {
          const states: Record<string, number> = {};
          for (const state of jobStates) {
            const n = await engine.count([state]);
            if (n > 0) states[state] = n;
          }
          return states;
        };
        for (let round = 0; round < 3; round += 1) {
          const key = `key-${round}`;
          await engine.submit([newJob(), newJob(), newJob({ idempotencyKey: key }), newJob()]);
          await submit({ idempotencyKey: key });
          const [first, second, third] = (await claim(3)) as StoredJob[];
          await engine.settle(first!.id, first!.token, verdict('failed'));
          await engine.settle(second!.id, second!.token, verdict('queued'));
          await expect(engine.settle(second!.id, second!.token, verdict('failed'))).rejects.toThrow(
            StaleAttemptError,
          );
          await engine.adopt(third!.id, third!.token as string, 'other', 1000);
          expect(await counted()).toEqual(await expected());
          await clock.advance(60);
          await engine.prune(['failed'], clock.now());
          expect(await counted()).toEqual(await expected());
          expect(await engine.count(['failed'])).toBe(0);
        }
      });

      test('prunes what has long been over, with its rows and its key, and nothing else', async () => {
        const finish = async (state: 'completed' | 'failed', more: Partial<NewJob> = {}) => {
          const { id } = await submit(more);
          const [job] = await claim(9);
          const write = { id, token: job?.token as string, chunk: 1, checkpoint: '1', items: 1, total: null };
          await engine.checkpoint({ ...write, rows: ['"row"', '"row"'] });
          await engine.settle(id, write.token, verdict(state));
          return id;
        };
        const old = await finish('completed', { idempotencyKey: 'key' });
        const failed = await finish('failed');
        await clock.advance(10);
        const recent = await finish('completed');
        const waiting = await submit();
        const endedBefore = clock.now() - 5000;
        while (await engine.prune(['completed'], endedBefore));
        expect(await engine.get(old)).toBeNull();
        for (const id of [failed, recent, waiting.id]) expect(await engine.get(id)).not.toBeNull();
        const rows = [];
        for await (const row of engine.rows(recent)) rows.push(row);
        expect(rows).toHaveLength(2);
        expect((await submit({ idempotencyKey: 'key' })).id).not.toBe(old);
      });

      test('keeps each transition with its time and reason', async () => {
        await submit();
        const { id, token } = await claimOne();
        await clock.advance(3);
        await engine.recordIntent(id, token, { kind: 'timeout', timeout: 'heartbeat', by: 'timer' });
        await engine.settle(id, token, verdict('timedOut', { timeout: 'heartbeat' }));
        const history = (await engine.get(id))?.history.map(({ state, attempt, timeout }) => [
          state,
          attempt,
          timeout,
        ]);
        expect(history).toEqual([
          ['queued', 0, undefined],
          ['running', 1, undefined],
          ['stopping', 1, 'heartbeat'],
          ['timedOut', 1, 'heartbeat'],
        ]);
      });

      test('watches: each change, in order, until it is ended', async () => {
        const seen: string[] = [];
        const unwatch = engine.watch({ changed: (_, state) => seen.push(state), missed: () => {} });
        await submit();
        const { id, token } = await claimOne();
        await engine.settle(id, token, verdict('completed'));
        expect(seen).toEqual(['queued', 'running', 'completed']);
        unwatch();
        await submit();
        expect(seen).toHaveLength(3);
      });

      test('says when the next job at rest has something due, and nothing when none has', async () => {
        expect(await engine.nextDueAt()).toBeNull();
        await submit();
        expect(await engine.nextDueAt()).toBeNull();
        await submit({ settings: { ...settings, deadlineSeconds: 60 } });
        expect(await engine.nextDueAt()).toBe(clock.now() + 60_000);
        const { id } = await submit({ notBefore: clock.now() + 5000 });
        expect(await engine.nextDueAt()).toBe(clock.now() + 5000);
        await clock.advance(5);
        // It may start now: that it waits for a slot is nothing a timer could help with.
        expect(await engine.nextDueAt()).toBe(clock.now() + 55_000);
        await engine.settle(id, null, verdict('cancelled'));
        expect(await engine.nextDueAt()).toBe(clock.now() + 55_000);
      });
    });

    describe('schedules', () => {
      const { id: _, ...job } = newJob({ settings: { ...settings, deadlineSeconds: 60 } });
      const schedule = (more: Partial<StoredSchedule> = {}): StoredSchedule => ({
        key: 'nightly',
        revision: '1',
        cron: '0 3 * * *',
        timeZone: 'UTC',
        overlap: 'skip',
        job,
        nextTickAt: clock.now() + 5000,
        countedFrom: clock.now(),
        lastTickAt: null,
        lastJobId: null,
        lastSkipAt: null,
        ...more,
      });

      test('are stored to the letter, in place of the revision that the caller has seen', async () => {
        expect(await engine.storeSchedule(schedule(), null, [])).toEqual([]);
        expect(await engine.schedules({ key: 'nightly' })).toEqual([schedule()]);
        expect(await engine.storeSchedule(schedule({ revision: '2' }), null, [])).toBeNull();
        expect(await engine.storeSchedule(schedule({ revision: '2' }), '0', [])).toBeNull();
        const next = schedule({
          revision: '2',
          lastTickAt: 1,
          lastJobId: 'a',
          lastSkipAt: 2,
          overlap: 'allow',
        });
        expect(await engine.storeSchedule(next, '1', [])).toEqual([]);
        expect(await engine.schedules({})).toEqual([next]);
      });

      test('store the jobs of a tick with it, once', async () => {
        await engine.storeSchedule(schedule(), null, []);
        const [tick, late] = [newJob(), newJob()];
        const [stored] = (await engine.storeSchedule(schedule({ revision: '2' }), '1', [tick])) ?? [];
        expect(stored).toEqual(await engine.get(tick.id));
        expect(await engine.storeSchedule(schedule({ revision: '3' }), '1', [late])).toBeNull();
        expect(await engine.get(late.id)).toBeNull();
        expect((await claimOne()).id).toBe(tick.id);
      });

      test('are found by name and tick, the next first', async () => {
        const store = (key: string, name: string, afterMs: number) =>
          engine.storeSchedule(
            schedule({ key, job: { ...job, name }, nextTickAt: clock.now() + afterMs }),
            null,
            [],
          );
        await store('late', 'sum', 3000);
        await store('early', 'sum', 1000);
        await store('between', 'other', 2000);
        const keys = async (query: Parameters<Engine['schedules']>[0]) =>
          (await engine.schedules(query)).map(({ key }) => key);
        expect(await keys({})).toEqual(['early', 'between', 'late']);
        expect(await keys({ names: ['sum'] })).toEqual(['early', 'late']);
        expect(await keys({ names: ['sum', 'other'], limit: 2 })).toEqual(['early', 'between']);
        expect(await keys({ names: ['sum', 'other'], dueBy: clock.now() + 2000 })).toEqual([
          'early',
          'between',
        ]);
        expect(await keys({ names: ['other'], dueBy: clock.now() + 1999 })).toEqual([]);
        expect(await keys({ names: [] })).toEqual([]);
      });

      test('are removed, and a tick does not bring one back', async () => {
        await engine.storeSchedule(schedule(), null, []);
        expect(await engine.removeSchedule('nightly')).toBe(true);
        expect(await engine.removeSchedule('nightly')).toBe(false);
        expect(await engine.storeSchedule(schedule({ revision: '2' }), '1', [newJob()])).toBeNull();
        expect(await engine.schedules({})).toEqual([]);
        expect(await engine.count(['queued'])).toBe(0);
      });

      test('and paused names tell watchers when they have changed', async () => {
        let told = 0;
        engine.watch({ changed: () => {}, missed: () => {}, controlsChanged: () => (told += 1) });
        await engine.storeSchedule(schedule(), null, []);
        await engine.storeSchedule(schedule(), null, []);
        expect(told).toBe(1);
        await engine.removeSchedule('nightly');
        await engine.removeSchedule('nightly');
        expect(told).toBe(2);
        await engine.setPaused('sum', true);
        await engine.setPaused('sum', true);
        expect(told).toBe(3);
        await engine.setPaused('sum', false);
        expect(told).toBe(4);
      });
    });

    describe('a node', () => {
      const node = (more: Partial<NodeFacts> = {}): NodeFacts => ({
        ...{ id: 'me', name: 'web-1', host: 'rack', pid: 7, version: '1.0.0', startedAt: clock.now() },
        isDraining: false,
        slots: { max: 10, used: 1, unconfirmed: 0 },
        jobs: ['sum', 'other'],
        health: { status: 'degraded', reasons: ['\u0000"it" is\n'] },
        lastFailure: { at: clock.now() - 1, message: 'gone away' },
        ...more,
      });
      const day = 24 * 3600_000;
      const seen = (more: Partial<NodeFacts> = {}, goneAfterMs = 12_000) =>
        engine.nodeSeen(node(more), goneAfterMs, day);
      const names = async () => (await engine.nodes()).map(({ name }) => name);

      test('is told to the letter, as it last told of itself', async () => {
        expect(await engine.nodes()).toEqual([]);
        await seen();
        expect(await engine.nodes()).toEqual([{ ...node(), unseenMs: 0, isGone: false, running: [] }]);
        const later = { isDraining: true, lastFailure: null, slots: { max: 10, used: 0, unconfirmed: 2 } };
        await seen(later);
        expect(await engine.nodes()).toEqual([{ ...node(later), unseenMs: 0, isGone: false, running: [] }]);
      });

      test('has what it runs, by name, as long as it does', async () => {
        await seen();
        await seen({ id: 'other', name: 'web-2' });
        for (const name of ['sum', 'sum', 'other', 'sum']) await submit({ name });
        const jobs = await engine.claim({
          ...{ owner: 'me', limit: 9, ahead: 0, names: ['sum', 'other'], leaseMs: 15_000 },
        });
        const running = async () => (await engine.nodes()).map((each) => each.running);
        const other = { name: 'other', jobs: 1 };
        expect(await running()).toEqual([[other, { name: 'sum', jobs: 3 }], []]);
        const [first, second] = jobs.filter(({ name }) => name === 'sum');
        await engine.settle(first!.id, first!.token, verdict('completed'));
        await engine.adopt(second!.id, second!.token as string, 'other', 15_000);
        expect(await running()).toEqual([[other, { name: 'sum', jobs: 1 }], [{ name: 'sum', jobs: 1 }]]);
      });

      test('that is not seen for as long as it said is gone, and back when it is', async () => {
        await seen();
        await seen({ id: 'other', name: 'web-2' }, 60_000);
        await clock.advance(11.999);
        expect(await engine.nodes()).toMatchObject([{ isGone: false, unseenMs: 11_999 }, { isGone: false }]);
        await clock.advance(0.001);
        expect(await engine.nodes()).toMatchObject([{ isGone: true, unseenMs: 12_000 }, { isGone: false }]);
        await seen();
        expect(await engine.nodes()).toMatchObject([{ isGone: false, unseenMs: 0 }, { isGone: false }]);
      });

      test('is no more when it has stopped, or was gone for long and another was seen', async () => {
        await seen({ id: 'b', name: 'web-2' });
        await seen({ id: 'a' });
        await seen({ id: 'c', name: 'web-3' });
        expect(await names()).toEqual(['web-1', 'web-2', 'web-3']);
        await engine.removeNode('b');
        await engine.removeNode('b');
        expect(await names()).toEqual(['web-1', 'web-3']);
        await clock.advance(day / 1000);
        await seen({ id: 'd', name: 'web-4' });
        expect(await names()).toEqual(['web-1', 'web-3', 'web-4']);
        await clock.advance(0.001);
        await seen({ id: 'd', name: 'web-4' });
        expect(await names()).toEqual(['web-4']);
      });
    });

    describe('a paused name', () => {
      test('is passed over by claims until it is resumed; what runs of it goes on', async () => {
        const running = await submit();
        const { token } = await claimOne();
        await engine.setPaused('sum', true);
        await engine.setPaused('other', true);
        expect(await engine.pausedNames()).toEqual(['other', 'sum']);
        const waiting = await submit();
        expect(await claim(9, 15_000, 9)).toEqual([]);
        await engine.settle(running.id, token, verdict('completed'));
        await engine.setPaused('sum', false);
        expect(await engine.pausedNames()).toEqual(['other']);
        expect((await claimOne()).id).toBe(waiting.id);
      });

      test('does not hold up others, nor its own timeouts', async () => {
        await engine.setPaused('sum', true);
        const waiting = await submit({ settings: { ...settings, queueTimeoutSeconds: 5 } });
        const other = await submit({ name: 'other' });
        const claimed = await engine.claim({
          owner: 'me',
          limit: 9,
          ahead: 0,
          names: ['sum', 'other'],
          leaseMs: 15_000,
        });
        expect(claimed.map(({ id }) => id)).toEqual([other.id]);
        expect(await engine.nextDueAt()).toBe(clock.now() + 5000);
        await clock.advance(5);
        expect((await engine.due()).map(({ id }) => id)).toEqual([waiting.id]);
      });
    });
  });
}
