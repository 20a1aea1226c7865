// What may happen to a queue, as commands of fast-check: each is done to the plain model and to the real queue, which are then
// compared, and the invariants checked.

import fc from 'fast-check';
import { isAtRest, isFinal } from '../../src/machines/states.ts';
import type { ModelJob, Name, QueueModel, Submitted } from './queueModel.ts';
import type { QueueWorld } from './queueWorld.ts';

type QueueCommand = fc.AsyncCommand<QueueModel, QueueWorld, false>;

function command<P>(
  name: string,
  params: P,
  run: (model: QueueModel, real: QueueWorld) => Promise<void>,
): QueueCommand {
  return {
    check: () => true,
    async run(model, real) {
      await run(model, real);
      await real.advance(model, 0);
      await real.compare(model);
    },
    toString: () => `${name}(${JSON.stringify(params)})`,
  };
}

function pick(jobs: readonly ModelJob[], which: number, fits: (job: ModelJob) => boolean): ModelJob | null {
  const fitting = jobs.filter(fits);
  return fitting[which % fitting.length] ?? null;
}

const which = fc.nat(99);
const anyName = fc.constantFrom<Name>('plain', 'limited', 'keyed');
/** No two that happen at once by design: a second is not a whole second. */
const anyMs = (...ms: number[]) => fc.constantFrom(Infinity, Infinity, ...ms);

const submitted: fc.Arbitrary<Submitted> = fc.record({
  name: anyName,
  key: fc.constantFrom('a', 'b'),
  keyLimit: fc.constantFrom(1, 2),
  priority: fc.constantFrom(0, 0, 0, 1, -1),
  maxAttempts: fc.constantFrom(1, 2, 3),
  delayMs: fc.constantFrom(0, 0, 0, 3137),
  jobMs: anyMs(2239, 7411),
  queueMs: anyMs(4703, 9941),
  deadlineMs: anyMs(8353, 21_577),
});

const seconds = (ms: number) => ms / 1000;

const submit = fc.tuple(submitted, fc.constantFrom(null, null, null, 'once')).map(([job, idempotencyKey]) =>
  command('submit', { ...job, idempotencyKey }, async (model, real) => {
    const asked = { ...job, key: job.name === 'keyed' ? job.key : null };
    const { processor } = real.submitters[asked.keyLimit - 1] as (typeof real.submitters)[number];
    const { id } = await processor.submit(asked.name, 'scripted', {
      priority: asked.priority,
      retry: { maxAttempts: asked.maxAttempts, backoff: { kind: 'fixed', seconds: 1.013 } },
      jobTimeoutSeconds: seconds(asked.jobMs),
      queueTimeoutSeconds: seconds(asked.queueMs),
      deadlineSeconds: seconds(asked.deadlineMs),
      ...(asked.key === null ? {} : { concurrencyKey: asked.key }),
      ...(asked.delayMs === 0 ? {} : { startAfter: new Date(real.world.clock.now() + asked.delayMs) }),
      ...(idempotencyKey === null ? {} : { idempotencyKey }),
    });
    const known = model.keys.get(`${asked.name} ${idempotencyKey}`);
    if (idempotencyKey !== null && known !== undefined) {
      if (known !== id) throw new Error(`the key is of job ${known}, and a new one was stored`);
      return;
    }
    if (idempotencyKey !== null) model.keys.set(`${asked.name} ${idempotencyKey}`, id);
    model.submit(id, asked);
  }),
);

const wait = fc
  .integer({ min: 1, max: 9000 })
  .map((ms) => command('wait', ms, (model, real) => real.advance(model, ms)));

const work = fc
  .tuple(which, fc.constantFrom('chunk', 'completes', 'fails', 'crashes' as const))
  .map(([n, what]) =>
    command(what, n, async (model, real) => {
      const job = pick(model.jobs, n, ({ state, hang }) => state === 'running' && hang === null);
      if (job === null) return;
      if (what === 'chunk') {
        real.order(job, 'chunk');
        job.chunks += 1;
      } else if (what === 'crashes') real.attemptOf(job)?.end({ signal: 'SIGSEGV' });
      else {
        real.order(job, 'last');
        await real.world.calm();
        real.order(job, what === 'completes' ? 'complete' : 'fail');
      }
      await real.world.calm();
      if (what !== 'chunk') model.end(job, what === 'completes' ? 'completes' : 'fails');
    }),
  );

const hang = fc.tuple(which, fc.constantFrom('loop' as const, 'deaf' as const)).map(([n, how]) =>
  command(how, n, async (model, real) => {
    const job = pick(model.jobs, n, ({ state, hang }) => state === 'running' && hang === null);
    if (job === null) return;
    real.attemptOf(job)?.hang(how);
    job.hang = how;
  }),
);

const stop = fc
  .tuple(which, fc.constantFrom('cancel' as const, 'hand' as const), fc.boolean())
  .map(([n, what, here]) =>
    command(what, { n, here }, async (model, real) => {
      const job = pick(model.jobs, n, ({ state }) => !isFinal(state));
      if (job === null) return;
      const { processor } = here ? real.host : (real.submitters[0] as (typeof real.submitters)[number]);
      const asked = what === 'cancel' ? (await processor.get(job.id)).cancel() : processor.timeoutJob(job.id);
      real.asked(asked, here);
      await real.world.calm();
      // What is being stopped already hears of it with its next beat: of an end that comes before, what came first is true.
      if (!here) real.host.link.tellMissed();
      await real.world.calm();
      model.stop(job, what);
    }),
  );

const setTimeouts = fc
  .tuple(
    which,
    fc.constantFrom('job' as const, 'deadline' as const),
    fc.constantFrom(0, 1511, 6301, Infinity),
  )
  .map(([n, kind, ms]) =>
    command('setTimeouts', { n, kind, ms }, async (model, real) => {
      const job = pick(model.jobs, n, ({ state }) => state === 'running' || isAtRest(state));
      if (job === null) return;
      const row = await real.row(job);
      const from = (kind === 'job' ? row?.startedAt : row?.submittedAt) ?? model.now;
      const total = Math.max(1, model.now - from + ms);
      await (await real.host.processor.get(job.id)).setTimeouts(
        kind === 'job' ? { jobTimeoutSeconds: seconds(total) } : { deadlineSeconds: seconds(total) },
      );
      await real.world.calm();
      if (kind === 'job') job.jobMs = total;
      else job.deadlineAt = from + total;
    }),
  );

const pause = fc.tuple(anyName, fc.boolean()).map(([name, isPaused]) =>
  command(isPaused ? 'pause' : 'resume', name, async (model, real) => {
    await (isPaused ? real.host.processor.pause(name) : real.host.processor.resume(name));
    await real.world.calm();
    model.pause(name, isPaused);
  }),
);

const startJob = which.map((n) =>
  command('startJob', n, async (model, real) => {
    const job = pick(model.jobs, n, ({ state }) => isAtRest(state));
    if (job === null) return;
    await real.host.processor.startJob(job.id);
    await real.world.calm();
    model.promote(job);
  }),
);

const retry = which.map((n) =>
  command('retry', n, async (model, real) => {
    const job = pick(model.jobs, n, ({ state }) => isFinal(state));
    if (job === null) return;
    const row = await real.row(job);
    const { id } = await real.host.processor.retry(job.id);
    await real.world.calm();
    const ms = (name: 'jobTimeoutSeconds' | 'deadlineSeconds') => (row?.settings[name] ?? Infinity) * 1000;
    model.submit(id, {
      ...job,
      delayMs: 0,
      jobMs: ms('jobTimeoutSeconds'),
      deadlineMs: ms('deadlineSeconds'),
    });
  }),
);

const prune = fc.constant(
  command('prune', null, async (model, real) => {
    const endedBefore = model.now - 20_000;
    while (await real.world.store.prune(['completed', 'cancelled'], endedBefore));
    for (const job of [...model.jobs]) {
      if ((await real.row(job)) !== null) continue;
      if (!['completed', 'cancelled'].includes(job.state) || job.endedAt >= endedBefore + 60)
        throw new Error(`a job was removed that is ${job.state} since ${job.endedAt}`);
      model.jobs = model.jobs.filter(({ id }) => id !== job.id);
      for (const [key, id] of model.keys) if (id === job.id) model.keys.delete(key);
    }
  }),
);

const trouble = fc.constantFrom('kill' as const, 'restart' as const, 'outage' as const).map((what) =>
  command(what, null, async (model, real) => {
    if (what === 'kill') await real.kill();
    else if (what === 'restart') await real.restart();
    else await real.outage(4000);
    // A lease, and the round in which it is looked at.
    await real.world.advance(what === 'kill' ? 22 : 6);
    await real.untilNoneStops();
    await real.resume(model);
  }),
);

export const anyCommands = fc.commands(
  [
    submit,
    submit,
    submit,
    wait,
    wait,
    work,
    work,
    hang,
    stop,
    setTimeouts,
    pause,
    startJob,
    retry,
    prune,
    trouble,
  ],
  { maxCommands: 50, size: 'max' },
);
