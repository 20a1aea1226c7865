// The real clock keeps what Node's timers do not: never early, of any length, judged after waiting messages.

import { MessageChannel } from 'node:worker_threads';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createActor } from 'xstate';
import { patientClock } from '../../src/actors/patientClock.ts';
import { systemClock } from '../../src/actors/systemClock.ts';
import type { Absence } from '../../src/engines/clock.ts';
import { jobMachine } from '../../src/machines/job.ts';
import { SimulatedClock } from '../../src/testing/simulatedClock.ts';
import { input } from '../machines/explore.ts';

/** A simulated clock on which this process was not there when `missing` says so. */
class ClockWithAbsence extends SimulatedClock {
  missing: () => { endedAt: number; totalMs: number } = () => ({ endedAt: -Infinity, totalMs: 0 });
  watches = 0;

  watchAbsence(): Absence {
    this.watches += 1;
    return {
      look: () => (this.monotonic() === 0 ? { endedAt: -Infinity, totalMs: 0 } : this.missing()),
      stop: () => {
        this.watches -= 1;
      },
    };
  }
}

describe('a patient clock', () => {
  const firesAt = async (clock: ClockWithAbsence): Promise<number> => {
    let firedAt = 0;
    patientClock(clock).setTimeout(() => {
      firedAt = clock.monotonic() / 1000;
    }, 5000);
    await clock.advance(100);
    expect(clock.watches).toBe(0);
    return firedAt;
  };

  test.each([
    ['nothing was missed', -Infinity, 0, 5],
    ['an absence ended more than a beat ago', 3900, 3000, 5],
    ['one ended within the last beat', 4600, 3000, 5.6],
    ['one ended just now', 5000, 2000, 6],
  ])('where %s', async (_, endedAt, totalMs, seconds) => {
    const clock = new ClockWithAbsence();
    clock.missing = () => ({ endedAt, totalMs });
    expect(await firesAt(clock)).toBe(seconds);
  });

  test('gives a second absence its beat too', async () => {
    const clock = new ClockWithAbsence();
    clock.missing = () =>
      clock.monotonic() < 5500 ? { endedAt: 4800, totalMs: 2000 } : { endedAt: 5500, totalMs: 4000 };
    expect(await firesAt(clock)).toBe(6.5);
  });

  test('fires at last where absences never end', async () => {
    const clock = new ClockWithAbsence();
    // 300 ms of each 900.
    clock.missing = () => {
      const gaps = Math.floor(clock.monotonic() / 900);
      return { endedAt: gaps * 900, totalMs: gaps * 300 };
    };
    const seconds = await firesAt(clock);
    expect(seconds).toBeGreaterThan(5);
    expect(seconds).toBeLessThan(10);
  });

  test('can be told to forget a timer while it is patient', async () => {
    const clock = new ClockWithAbsence();
    clock.missing = () => ({ endedAt: 5000, totalMs: 2000 });
    const patient = patientClock(clock);
    const timer = patient.setTimeout(() => expect.unreachable(), 5000);
    await clock.advance(5.5);
    patient.clearTimeout(timer);
    await clock.advance(10);
    expect(clock.pending).toBe(0);
    expect(clock.watches).toBe(0);
  });

  // Real time: the subject is a loop that is blocked.
  test('knows of a loop that was blocked, even before its own ticker does', () => {
    const absence = systemClock.watchAbsence?.() as Absence;
    const before = absence.look();
    const until = performance.now() + 600;
    while (performance.now() < until);
    const after = absence.look();
    absence.stop();
    expect(after.totalMs).toBeGreaterThan(before.totalMs + 250);
    expect(after.endedAt).toBeGreaterThan(systemClock.monotonic() - 100);
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
