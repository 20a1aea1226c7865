// What a processor that runs nothing can tell of jobs that run elsewhere: on simulated time, with an engine in which the other
// process is played by the test.

import { beforeEach, describe, expect, test } from 'vitest';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { defineJob, JobProcessor, type SubmitOptions } from '../../src/index.ts';
import { SimulatedClock } from '../../src/testing/simulatedClock.ts';
import { capturedLog } from '../support/capturedLog.ts';

const work = defineJob({ module: import.meta.url, run: () => null });

let clock: SimulatedClock;
let engine: MemoryEngine;
let looker: JobProcessor<{ work: typeof work }>;
beforeEach(() => {
  clock = new SimulatedClock();
  engine = new MemoryEngine();
  looker = new JobProcessor({ engine, jobs: { work }, logger: capturedLog().logger, clock });
});

/** With a grace of 1 s a stop takes 1 + 1 + 1 + 5 s at most. */
const budget = 8;

/** A job that is alive in another process, which beats as long as it is told to. */
async function elsewhere(options: SubmitOptions = {}) {
  const { id } = await looker.submit('work', undefined, { graceSeconds: 1, ...options });
  const [claimed] = await engine.claim({
    owner: 'other',
    limit: 1,
    ahead: 0,
    names: ['work'],
    leaseMs: 15_000,
  });
  const token = claimed?.token as string;
  return {
    id,
    token,
    /** Passes so many seconds in which its lease is renewed; its code gives signs of life or not. */
    async passes(seconds: number, hasSigns = true) {
      const until = clock.now() + seconds * 1000;
      while (clock.now() < until) {
        await clock.advance(Math.min(1, (until - clock.now()) / 1000));
        const heartbeatAt = hasSigns ? clock.now() : null;
        await engine.beat([{ id, token, heartbeatAt, total: null }], 15_000);
      }
    },
  };
}

const found = async (query?: { idleSeconds?: number }) =>
  (await looker.stuckJobs(query)).map(({ job, why, since }) => [
    job.id,
    why,
    (clock.now() - since.getTime()) / 1000,
  ]);

describe('of a job that runs in another process', () => {
  test('nothing is told while all is well', async () => {
    const job = await elsewhere();
    await job.passes(3600);
    expect(await found()).toEqual([]);
  });

  test('a job timeout is told when it has passed by more than a stop takes', async () => {
    const job = await elsewhere({ jobTimeoutSeconds: 100 });
    await job.passes(100 + budget);
    expect(await found()).toEqual([]);
    await job.passes(1);
    expect(await found()).toEqual([[job.id, 'job', budget + 1]]);
    expect(await looker.checkStuckJobs()).toEqual([job.id]);
  });

  test('a heartbeat timeout counts from the last sign that was stored', async () => {
    const job = await elsewhere({ heartbeatTimeoutSeconds: 30 });
    await job.passes(60);
    await job.passes(30 + budget, false);
    expect(await found()).toEqual([]);
    await job.passes(1, false);
    expect(await found()).toEqual([[job.id, 'heartbeat', budget + 1]]);
  });

  test('a deadline is told of a live job as of one that waits', async () => {
    const live = await elsewhere({ deadlineSeconds: 100 });
    await looker.submit('work', undefined, { queueTimeoutSeconds: 1000 });
    const waiting = await looker.submit('work', undefined, { deadlineSeconds: 109 });
    await live.passes(110);
    expect(await found()).toEqual([
      [live.id, 'deadline', 10],
      [waiting.id, 'deadline', 1],
    ]);
  });

  test('a queue timeout that nobody has seen to is told at once', async () => {
    const { id } = await looker.submit('work', undefined, { queueTimeoutSeconds: 10 });
    await clock.advance(9.9);
    expect(await found()).toEqual([]);
    await clock.advance(0.1);
    expect(await found()).toEqual([[id, 'queue', 0]]);
  });

  test('a stop that takes longer than it may is told, whatever else is due', async () => {
    const job = await elsewhere({ jobTimeoutSeconds: 5 });
    await engine.recordIntent(job.id, null, { kind: 'cancel', reason: null });
    await job.passes(budget);
    expect(await found()).toEqual([]);
    await job.passes(1);
    expect(await found()).toEqual([[job.id, 'stop', 1]]);
  });

  test('one whose owner does not renew its lease is told before any timeout, since it was last heard of', async () => {
    const job = await elsewhere({ jobTimeoutSeconds: 9.5 });
    await job.passes(2);
    await clock.advance(15);
    expect(await found()).toEqual([]);
    await clock.advance(1);
    expect(await found()).toEqual([[job.id, 'owner', 16]]);
  });

  test('one in time without progress is told to whoever asks about it', async () => {
    const job = await elsewhere();
    await job.passes(20);
    await engine.checkpoint({
      id: job.id,
      token: job.token,
      chunk: 1,
      checkpoint: '1',
      rows: [],
      items: 1,
      total: null,
    });
    await job.passes(30);
    expect(await found()).toEqual([]);
    expect(await found({ idleSeconds: 31 })).toEqual([]);
    expect(await found({ idleSeconds: 30 })).toEqual([[job.id, 'idle', 30]]);
    await expect(looker.stuckJobs({ idleSeconds: 0 })).rejects.toThrow(
      'idleSeconds: expected seconds above 0',
    );
  });

  test('its status says what it is due for', async () => {
    const job = await elsewhere({ jobTimeoutSeconds: 100, heartbeatTimeoutSeconds: 60, deadlineSeconds: 90 });
    await job.passes(10);
    const due = async () => {
      const status = await (await looker.get(job.id)).status();
      return status.due.map(({ kind, at }) => [kind, (at.getTime() - clock.now()) / 1000]);
    };
    expect(await due()).toEqual([
      ['heartbeat', 60],
      ['deadline', 80],
      ['job', 90],
    ]);
    await engine.recordIntent(job.id, null, { kind: 'cancel', reason: null });
    expect(await due()).toEqual([]);
  });
});

test('stats tell the queue, and what ended in the last hour', async () => {
  const ended = await elsewhere();
  await looker.timeoutJob((await looker.submit('work', undefined)).id);
  await ended.passes(3000);
  const oldest = new Date(clock.now());
  await looker.submit('work', undefined);
  await clock.advance(10);
  await looker.submit('work', undefined, { startAfter: new Date(clock.now() + 60_000) });
  expect(await looker.stats()).toMatchObject({
    counts: { queued: 2, running: 1, timedOut: 1 },
    queue: { length: 2, oldest },
    lastHour: { completed: 0, timedOut: 1, timeouts: { queue: 1, job: 0 } },
  });
  await clock.advance(700);
  expect((await looker.stats()).lastHour).toMatchObject({ timedOut: 0, timeouts: { queue: 0 } });
});
