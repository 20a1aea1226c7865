// What targets are told, over real HTTP, by real processes.

import { expect, onTestFinished, test } from 'vitest';
import {
  defineJob,
  type Job,
  JobProcessor,
  type JobStatus,
  NonRetryableError,
  type ProcessorOptions,
} from '../../src/index.ts';
import { SimulatedClock, settle } from '../../src/testing/simulatedClock.ts';
import { capturedLog } from '../support/capturedLog.ts';
import { answer, hang, Receiver, secret } from './receiver.ts';

const fails = defineJob({
  run: (why: string) => {
    throw new NonRetryableError(why);
  },
});
const flaky = defineJob({
  retry: { maxAttempts: 3 },
  run: (failures: number, { attempt }) => {
    if (attempt <= failures) throw new Error(`attempt ${attempt}`);
    return attempt;
  },
});
const ignores = defineJob({ graceSeconds: 0.1, run: (seconds: number) => later(seconds) });
const heeds = defineJob({
  run: (_: null, { signal }) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
});
const later = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

const registry = { fails, flaky, ignores, heeds };

async function started(
  options: Partial<ProcessorOptions<typeof registry>>,
): Promise<JobProcessor<typeof registry>> {
  const processor = new JobProcessor({
    engine: 'memory',
    jobs: registry,
    logger: capturedLog().logger,
    ...options,
  });
  const { clock } = options;
  onTestFinished(async () => {
    let isStopped = false;
    const stopping = processor.stop().then(() => {
      isStopped = true;
    });
    while (!isStopped && clock instanceof SimulatedClock) await clock.advance(1);
    await stopping;
  });
  return processor.start();
}

async function receiver(mode?: Receiver['mode']): Promise<Receiver> {
  const made = await new Receiver().listen();
  onTestFinished(() => made[Symbol.asyncDispose]());
  if (mode !== undefined) made.mode = mode;
  return made;
}

/** The deadline of a delivery is watched in its own process too, by the time that it is there. */
function simulatedNow(): SimulatedClock {
  const clock = new SimulatedClock();
  clock.jumpWall(Date.now() - clock.now());
  return clock;
}

const end = (job: Job) => job.result().catch(() => {});

/** The first delivery that is stored so. Events tell of the app's own jobs. */
async function deliveryIs(
  processor: JobProcessor<typeof registry>,
  state: 'retrying' | 'failed',
): Promise<JobStatus> {
  for (;;) {
    for await (const status of processor.list({ state }))
      if (status.name.startsWith('unstuck.webhook.')) return status;
    await later(0.01);
  }
}

test('by default a target is told of failures and timeouts, with the facts and without the payload', async () => {
  const ops = await receiver();
  const processor = await started({ webhooks: { ops: { url: ops.url, secret } } });
  const failed = await processor.submit('fails', 'no such customer');
  const timedOut = await processor.submit('heeds', null, { jobTimeoutSeconds: 0.05 });
  const completed = await processor.submit('flaky', 1);
  await Promise.all([failed, timedOut, completed].map(end));
  await ops.until(() => ops.taken.length === 2);
  expect(ops.story()).toEqual({ [failed.id]: ['job.failed'], [timedOut.id]: ['job.timedOut'] });
  const told = ops.taken.map(({ notification }) => notification);
  expect(told.find(({ type }) => type === 'job.failed')).toMatchObject({
    timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
    data: {
      name: 'fails',
      state: 'failed',
      attempt: 1,
      failure: { name: 'NonRetryableError', message: 'no such customer' },
      timeout: null,
    },
  });
  expect(told.find(({ type }) => type === 'job.timedOut')).toMatchObject({
    data: { timeout: 'job', stop: { confirmed: true, rung: 'grace' }, state: 'timedOut' },
  });
  expect(JSON.stringify(told)).not.toContain('"input"');
});

test('of a job it is told in the order in which it happened', async () => {
  const ops = await receiver();
  const events = ['retrying', 'completed', 'failed', 'cancelled', 'timedOut'] as const;
  const processor = await started({ webhooks: { ops: { url: ops.url, secret, events } } });
  const jobs = await processor.submitMany('flaky', [0, 1, 2, 3]);
  const cancelled = await processor.submit('flaky', 0, { startAfter: new Date(Date.now() + 1e6) });
  await cancelled.cancel('not needed');
  const expired = await processor.submit('flaky', 0, {
    startAfter: new Date(Date.now() + 1e6),
    deadlineSeconds: 0.05,
  });
  await Promise.all([...jobs, expired].map(end));
  await ops.until(() => ops.taken.length === 11);
  const again = 'job.retrying';
  expect(ops.story()).toEqual({
    [jobs[0]?.id as string]: ['job.completed'],
    [jobs[1]?.id as string]: [again, 'job.completed'],
    [jobs[2]?.id as string]: [again, again, 'job.completed'],
    [jobs[3]?.id as string]: [again, again, 'job.failed'],
    [cancelled.id]: ['job.cancelled'],
    [expired.id]: ['job.timedOut'],
  });
});

test('a target that is down gets it when it is up again', async () => {
  const clock = simulatedNow();
  const ops = await receiver();
  await ops.down();
  const processor = await started({ clock, webhooks: { ops: { url: ops.url, secret } } });
  const retrying = deliveryIs(processor, 'retrying');
  const job = await processor.submit('fails', 'x');
  await end(job);
  const status = await retrying;
  expect(status.failure?.message).toBe('ops: expected an answer of 2xx, got ECONNREFUSED');
  await ops.listen();
  await clock.advance(5);
  await ops.until(() => ops.taken.length === 1);
  expect(ops.story()).toEqual({ [job.id]: ['job.failed'] });
});

test.each([
  ['answers 500', answer(500), '500'],
  ['sends it elsewhere', answer(302, { location: 'http://127.0.0.1:1/' }), '302'],
  ['hangs up', ((request) => void request.socket.destroy()) as Receiver['mode'], 'UND_ERR_SOCKET'],
])(
  'a target that %s is tried again, and keeps waiting only what is about the same job',
  async (_, bad, why) => {
    const clock = simulatedNow();
    let poisoned = '';
    const ops = await receiver((request, response, taken) => {
      const { data } = taken.notification;
      (('id' in data && data.id === poisoned ? bad : answer(204)) as Receiver['mode'])(
        request,
        response,
        taken,
      );
    });
    const events = ['retrying', 'completed'] as const;
    const processor = await started({ clock, webhooks: { ops: { url: ops.url, secret, events } } });
    const retrying = deliveryIs(processor, 'retrying');
    const [first, second] = (await processor.submitMany('flaky', [1, 0], {})) as [Job, Job];
    poisoned = first.id;
    await Promise.all([first, second].map(end));
    expect((await retrying).failure?.message).toContain(`2xx, got ${why}`);
    await ops.until(() => ops.taken.length === 1);
    expect(ops.story()).toEqual({ [second.id]: ['job.completed'] });
    poisoned = '';
    await clock.advance(5);
    await ops.until(() => ops.taken.length === 3);
    expect(ops.story()[first.id]).toEqual(['job.retrying', 'job.completed']);
  },
);

test('a target that hangs holds up no other, nor do jobs that hold every slot', async () => {
  const [slow, ops] = [await receiver(hang), await receiver()];
  const processor = await started({
    maxConcurrentJobs: 1,
    webhooks: { slow: { url: slow.url, secret, answerSeconds: 1 }, ops: { url: ops.url, secret } },
  });
  const retrying = deliveryIs(processor, 'retrying');
  const failed = await processor.submit('fails', 'x');
  const cut = await processor.submit('heeds', null, { jobTimeoutSeconds: 0.05 });
  const holder = await processor.submit('heeds', null);
  await ops.until(() => ops.taken.length === 2);
  expect(ops.story()).toEqual({ [failed.id]: ['job.failed'], [cut.id]: ['job.timedOut'] });
  expect((await holder.status()).state).toBe('running');
  expect((await retrying).failure?.message).toBe('slow: expected an answer of 2xx, got no answer within 1 s');
  expect((await processor.health()).status).toBe('ok');
});

test('a target that answers 410 is not asked again, until somebody submits it again', async () => {
  const ops = await receiver(answer(410));
  const processor = await started({ webhooks: { ops: { url: ops.url, secret } } });
  const failed = deliveryIs(processor, 'failed');
  await end(await processor.submit('fails', 'x'));
  const { id, failure } = await failed;
  expect(failure?.message).toBe('ops: answered 410, it wants no more of these');
  ops.mode = answer(200);
  await end(await processor.retry(id));
  expect(ops.asked).toBe(2);
  expect(ops.taken).toHaveLength(1);
});

test('a stop that cannot be proven is told when it is found, and once', async () => {
  const ops = await receiver();
  const events = ['unconfirmed', 'timedOut', 'retrying'] as const;
  const processor = await started({ webhooks: { ops: { url: ops.url, secret, events } } });
  const held = await processor.submit('ignores', 6, { jobTimeoutSeconds: 0.05, retry: { maxAttempts: 2 } });
  const final = await processor.submit('ignores', 6, { jobTimeoutSeconds: 0.05 });
  await ops.until(() => ops.taken.length === 3);
  expect((await held.status()).isUnconfirmed).toBe(true);
  await end(held);
  await ops.until(() => ops.taken.length === 6);
  expect(ops.story()).toEqual({
    [held.id]: ['job.unconfirmed', 'job.retrying', 'job.unconfirmed', 'job.timedOut'],
    [final.id]: ['job.unconfirmed', 'job.timedOut'],
  });
});

test('a queue that is too old is told once, until it is younger again', async () => {
  const clock = simulatedNow();
  const ops = await receiver();
  const { logger, lines } = capturedLog();
  const options = { clock, logger, maxConcurrentJobs: 1, queueTooOldSeconds: 300 };
  const processor = await started({ ...options, webhooks: { ops: { url: ops.url, secret } } });
  const told: number[] = [];
  processor.on('queueTooOld', ({ ageSeconds }) => told.push(ageSeconds));
  const holder = await processor.submit('heeds', null);
  await settle();
  const waits = await processor.submit('flaky', 0);
  await clock.advance(290);
  expect(told).toEqual([]);
  await clock.advance(10);
  await ops.until(() => ops.taken.length === 1);
  while (processor.activeJobs.size > 1) await later(0.01);
  await clock.advance(120);
  expect(told).toEqual([300]);
  expect((await processor.health()).reasons).toEqual([
    `the queue of flaky is too old: a job waits since ${(await waits.status()).submittedAt.toISOString()}`,
  ]);
  await holder.cancel();
  await end(waits);
  await clock.advance(60);
  expect(await processor.health()).toEqual({ status: 'ok', reasons: [] });
  expect(ops.taken).toHaveLength(1);
  expect(ops.taken[0]?.notification).toMatchObject({
    type: 'queue.tooOld',
    data: { name: 'flaky', ageSeconds: 300, waiting: 1 },
  });
  expect(lines.filter((line) => line.includes('too old'))).toEqual([
    'WARN: The queue of flaky is too old: a job has waited for 300 s',
  ]);
});

test('what waits on purpose is not too old, and hides no other', async () => {
  const clock = simulatedNow();
  const processor = await started({ clock, maxConcurrentJobs: 1, queueTooOldSeconds: 120 });
  const told: string[] = [];
  processor.on('queueTooOld', ({ name }) => told.push(name));
  await processor.submit('heeds', null);
  await settle();
  await processor.pause('fails');
  await processor.submitMany('fails', ['x', 'y']);
  await clock.advance(120);
  await processor.submit('flaky', 0);
  await clock.advance(180);
  expect(told).toEqual(['flaky']);
  await processor.resume('fails');
  await clock.advance(60);
  expect(told).toEqual(['flaky', 'fails']);
});

test('neither address nor secret nor header of a target is stored or logged', async () => {
  const ops = await receiver(answer(500));
  const { logger, records } = capturedLog();
  const processor = await started({
    logger,
    webhooks: { ops: { url: `${ops.url}/T0KEN`, secret, headers: { authorization: 'Bearer B3ARER' } } },
  });
  const retrying = deliveryIs(processor, 'retrying');
  await end(await processor.submit('fails', 'x'));
  const status = await retrying;
  const inspector = await processor.inspect({ port: 0 });
  const page = await (await fetch(`${inspector.url?.split('#')[0]}jobs/${status.id}`)).text();
  expect(page).toContain('job.failed');
  const said = [page, JSON.stringify(records), JSON.stringify(status)].join();
  for (const hidden of ['T0KEN', 'B3ARER', secret, secret.slice(6)]) expect(said).not.toContain(hidden);
});

test('a receiver may have the old secret or the new one', async () => {
  const newer = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;
  const ops = await new Receiver([secret, newer]).listen();
  onTestFinished(() => ops[Symbol.asyncDispose]());
  const processor = await started({ webhooks: { ops: { url: ops.url, secret: [newer, secret] } } });
  await end(await processor.submit('fails', 'x'));
  await ops.until(() => ops.taken.length === 1);
});

test('a target is told of the jobs that it names, and never of deliveries', async () => {
  const [billing, broken] = [await receiver(), await receiver(answer(410))];
  const processor = await started({
    webhooks: {
      billing: { url: billing.url, secret, jobs: ['fails'], events: ['failed', 'completed'] },
      broken: { url: broken.url, secret, jobs: ['fails'] },
    },
  });
  const gone = deliveryIs(processor, 'failed');
  await end(await processor.submit('flaky', 0));
  await end(await processor.submit('fails', 'x'));
  await gone;
  await end(await processor.submit('fails', 'y'));
  await billing.until(() => billing.taken.length === 2);
  expect(billing.taken.map(({ notification }) => notification.type)).toEqual(['job.failed', 'job.failed']);
});
