// The real clock keeps what Node's timers do not: never early, of any length, judged after waiting messages.

import { MessageChannel } from 'node:worker_threads';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createActor } from 'xstate';
import { patientClock } from '../../src/actors/patientClock.ts';
import { systemClock } from '../../src/actors/systemClock.ts';
import type { Clock } from '../../src/engines/clock.ts';
import { jobMachine } from '../../src/machines/job.ts';
import { input } from '../machines/explore.ts';
import { SimulatedClock } from '../support/simulatedClock.ts';

/** A simulated clock whose timers fire `lagMs` late, as where the process was stopped meanwhile. */
function lagging(clock: SimulatedClock, lagMs: number): Clock {
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    setTimeout: (callback, ms) => clock.setTimeout(callback, ms + (ms === 5000 ? lagMs : 0)),
    clearTimeout: (timer) => clock.clearTimeout(timer),
  };
}

describe('a patient clock', () => {
  test.each([
    [0, 5],
    [900, 5.9],
    // We were not there: one more beat.
    [1100, 7.1],
    [3_600_000, 3606],
  ])('lets a timer of 5 s that is %i ms late fire after %f s', async (lagMs, firesAt) => {
    const clock = new SimulatedClock();
    let firedAt = 0;
    patientClock(lagging(clock, lagMs)).setTimeout(() => {
      firedAt = clock.monotonic() / 1000;
    }, 5000);
    await clock.advance(10_000);
    expect(firedAt).toBe(firesAt);
  });

  test('can be told to forget a timer in the extra beat too', async () => {
    const clock = new SimulatedClock();
    const patient = patientClock(lagging(clock, 2000));
    const timer = patient.setTimeout(() => expect.unreachable(), 5000);
    await clock.advance(7.5);
    patient.clearTimeout(timer);
    await clock.advance(10);
    expect(clock.pending).toBe(0);
  });
});

afterEach(() => vi.useRealTimers());

const years = 3 * 365 * 86_400_000;

describe('a timer', () => {
  test('of years fires at its time, not at once and not before', async () => {
    vi.useFakeTimers();
    let fired = false;
    systemClock.setTimeout(() => {
      fired = true;
    }, years);
    await vi.advanceTimersByTimeAsync(years - 1);
    expect(fired).toBe(false);
    await vi.advanceTimersByTimeAsync(2);
    expect(fired).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('of a job of years times it out then', async () => {
    vi.useFakeTimers();
    const off = {
      heartbeatTimeoutMs: Infinity,
      progressTimeoutMs: Infinity,
      queueDueAt: null,
      deadlineAt: null,
    };
    const actor = createActor(jobMachine, {
      input: { ...input, ...off, jobTimeoutMs: years },
      clock: systemClock,
    }).start();
    actor.send({ type: 'job.start', attempt: 1, at: 0 });
    await vi.advanceTimersByTimeAsync(years - 1);
    expect(actor.getSnapshot().matches('running')).toBe(true);
    await vi.advanceTimersByTimeAsync(2);
    expect(actor.getSnapshot().matches('stopping')).toBe(true);
    actor.stop();
  });

  test('that is cleared, or infinite, never fires', async () => {
    vi.useFakeTimers();
    let fired = 0;
    systemClock.clearTimeout(systemClock.setTimeout(() => fired++, 10));
    systemClock.setTimeout(() => fired++, Infinity);
    await vi.advanceTimersByTimeAsync(years);
    expect(fired).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  // Real time: the subject is Node's own timers, which fire early.
  test('never fires early', async () => {
    const early = await Promise.all(
      Array.from({ length: 300 }, (_, index) => {
        const ms = 1 + (index % 30) + index / 300;
        const start = performance.now();
        return new Promise<number>((resolve) =>
          systemClock.setTimeout(() => resolve(performance.now() - start - ms), ms),
        );
      }),
    );
    expect(Math.min(...early)).toBeGreaterThanOrEqual(0);
  });

  // Real time: the subject is an event loop that is blocked.
  test('that fires late is judged after the messages that waited', async () => {
    const { port1, port2 } = new MessageChannel();
    const order: string[] = [];
    port1.on('message', () => order.push('message'));
    const fired = new Promise<void>((resolve) => {
      systemClock.setTimeout(() => {
        order.push('timer');
        resolve();
      }, 5);
    });
    port2.postMessage('alive');
    const until = performance.now() + 30;
    while (performance.now() < until);
    await fired;
    expect(order).toEqual(['message', 'timer']);
    port1.close();
  });
});
