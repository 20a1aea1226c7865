// What is recorded of the end of an attempt; and the charts alone, with nobody who acts for them.

import { describe, expect, test } from 'vitest';
import { createActor, initialTransition, transition } from 'xstate';
import { claimedJobMachine } from '../../src/machines/job.ts';
import type { JobChartInput } from '../../src/machines/jobMessages.ts';
import { monitorMachine } from '../../src/machines/monitor.ts';
import { supervisorMachine } from '../../src/machines/supervisor.ts';
import { SimulatedClock } from '../../src/testing/simulatedClock.ts';

const input: JobChartInput = {
  jobId: 'job',
  token: 'token',
  attempt: 1,
  maxAttempts: 1,
  retryOn: [],
  backoff: { kind: 'fixed', ms: 0, maxMs: 0, jitter: 0 },
  chance: 0,
  deadlineAt: null,
  jobTimeoutMs: Infinity,
  heartbeatTimeoutMs: Infinity,
  progressTimeoutMs: Infinity,
  graceMs: 5000,
  isKillable: true,
  queueDueAt: null,
  now: 0,
};

test.each([
  [{}, {}],
  [{ exitCode: 1 }, { exitCode: 1 }],
  [{ signal: 'SIGTERM' }, { signal: 'SIGTERM' }],
])('a stop is proven with what is known of the end: %o', (exit, recorded) => {
  const [running] = initialTransition(claimedJobMachine, input);
  const [stopping] = transition(claimedJobMachine, running, { type: 'job.cancel', reason: null });
  const [ended] = transition(claimedJobMachine, stopping, {
    type: 'attempt.ended',
    outcome: { kind: 'stopped' },
    at: 7,
    stopSeconds: 0.5,
    ...exit,
  });
  expect(ended.context.stop).toEqual({ confirmed: true, rung: 'ask', tookSeconds: 0.5, ...recorded });
});

describe('a chart alone, as a viewer of charts runs it', () => {
  test('of a job: reads no clock, and waits where it would write', async () => {
    const clock = new SimulatedClock();
    const job = createActor(claimedJobMachine, { input: { ...input, deadlineAt: 1000 }, clock }).start();
    await clock.advance(5);
    expect(job.getSnapshot().value).toEqual({ running: 'processing' });
    job.send({ type: 'attempt.ended', outcome: { kind: 'completed', result: 7 }, at: 0, stopSeconds: null });
    await clock.advance(5);
    expect(job.getSnapshot()).toMatchObject({
      value: { running: 'settling' },
      context: { verdict: { state: 'completed', result: 7 } },
    });
  });

  test('of a job that is stopped: climbs to the last rung, and gives up', async () => {
    const clock = new SimulatedClock();
    const job = createActor(claimedJobMachine, { input, clock }).start();
    job.send({ type: 'job.cancel', reason: null });
    await clock.advance(60);
    expect(job.getSnapshot()).toMatchObject({
      value: { stopping: 'settling' },
      context: { stop: { confirmed: false, rung: 'kill' }, verdict: { state: 'cancelled' } },
    });
  });

  test('of the monitor: sweeps, and finds nothing', async () => {
    const clock = new SimulatedClock();
    const monitor = createActor(monitorMachine, { input: { intervalMs: 1000 }, clock }).start();
    const values: unknown[] = [];
    monitor.subscribe(({ value }) => values.push(value));
    await clock.advance(1.5);
    expect(values).toEqual(['sweeping', 'waiting']);
    monitor.stop();
  });

  test('of the supervisor: claims nothing', async () => {
    const supervisor = createActor(supervisorMachine, { input: { limit: 2 } }).start();
    supervisor.send({ type: 'work.available' });
    expect(supervisor.getSnapshot().context.held).toBe(2);
    await new Promise(setImmediate);
    expect(supervisor.getSnapshot()).toMatchObject({ value: 'waiting', context: { held: 0 } });
  });
});
