// The promise of the product, checked on every state and every step of the job's chart.

import { describe, expect, test } from 'vitest';
import { isFinal, type JobState } from '../../src/machines/states.ts';
import { allPaths, allSteps, type JobSnapshot, keyOf, type Step, top } from './explore.ts';

const variants = {
  'an isolated job': {},
  'an isolated job without retries': { maxAttempts: 1 },
  'inline code': { isKillable: false },
  'inline code without retries': { isKillable: false, maxAttempts: 1 },
};

const over = (snapshot: JobSnapshot) => isFinal(top(snapshot) as JobState) || top(snapshot) === 'superseded';

describe.each(Object.entries(variants))('%s', (_, given) => {
  const steps = allSteps(given);
  const moves = steps.filter(({ from, to }) => keyOf(from) !== keyOf(to));

  test('reaches every state, and the chart is explored whole', () => {
    const reached = new Set(steps.map(({ to }) => top(to)));
    const expected = [
      'queued',
      'running',
      'stopping',
      'completed',
      'failed',
      'timedOut',
      'cancelled',
      'superseded',
    ];
    for (const state of expected) expect(reached).toContain(state);
    expect(steps.length).toBeGreaterThan(200);
    expect(steps.length).toBeLessThan(99_000);
  });

  test('a final state never changes', () => {
    expect(moves.filter(({ from }) => over(from))).toEqual([]);
  });

  test('from every state an end can be reached', () => {
    const before = new Map<string, Set<string>>();
    for (const { from, to } of moves) {
      const sources = before.get(keyOf(to)) ?? new Set();
      before.set(keyOf(to), sources.add(keyOf(from)));
    }
    const ending = new Set(steps.filter(({ to }) => over(to)).map(({ to }) => keyOf(to)));
    for (const state of ending) for (const source of before.get(state) ?? []) ending.add(source);
    expect(steps.filter(({ from }) => !over(from) && !ending.has(keyOf(from)))).toEqual([]);
  });

  test('silence is not waited for: delays alone bring a running job out of running, and off every rung', () => {
    const waiting = (snapshot: JobSnapshot) =>
      snapshot.matches({ running: 'processing' }) ||
      (top(snapshot) === 'stopping' &&
        !snapshot.matches({ stopping: 'settling' }) &&
        !snapshot.matches({ stopping: 'pausing' }) &&
        !snapshot.matches({ stopping: 'unconfirmed' }));
    const delayed = steps.filter(
      ({ from, event }) =>
        waiting(from) && (event.type.startsWith('xstate.after') || event.type === 'timeout.due'),
    );
    for (const from of new Set(steps.filter((step) => waiting(step.from)).map((step) => keyOf(step.from)))) {
      expect(
        delayed.some((step) => keyOf(step.from) === from && !step.to.matches({ running: 'processing' })),
      ).toBe(true);
    }
  });

  test('a state that ends or rests a live job is entered only when it is stored, and as its verdict says', () => {
    const live = (snapshot: JobSnapshot) => top(snapshot) === 'running' || top(snapshot) === 'stopping';
    const exits = moves.filter(({ from, to }) => live(from) && !live(to) && top(to) !== 'superseded');
    expect(exits.length).toBeGreaterThan(0);
    for (const { from, event, to } of exits) {
      expect(event.type).toBe('verdict.stored');
      expect(top(to)).toBe(from.context.verdict?.state);
    }
  });

  test('no next attempt before the last is proven over', () => {
    // Every verdict that lets the job run again was made by the end of the attempt.
    const again = moves.filter(
      ({ from, to }) =>
        from.context.verdict !== to.context.verdict &&
        (to.context.verdict?.state === 'retrying' || to.context.verdict?.state === 'queued'),
    );
    for (const { event, to } of again) {
      expect(event.type).toBe('attempt.ended');
      if (to.context.verdict?.stop) expect(to.context.verdict.stop.confirmed).toBe(true);
    }
  });

  test('a stop is called confirmed only by proof', () => {
    const confirmations = moves.filter(
      ({ from, to }) => to.context.stop?.confirmed === true && from.context.stop?.confirmed !== true,
    );
    expect(confirmations.length).toBeGreaterThan(0);
    for (const { event } of confirmations) expect(event.type).toBe('attempt.ended');
  });

  test('on no path do two attempts live at once', () => {
    const paths = allPaths(given);
    expect(paths.length).toBeGreaterThan(50);
    for (const { steps: path } of paths) {
      let alive = false;
      for (const { event } of path) {
        if (event.type === 'attempt.ended') alive = false;
        if (event.type !== 'job.start') continue;
        expect(alive).toBe(false);
        alive = true;
      }
    }
  });

  test('a cancel is followed by nothing but its end, or by an end that came first', () => {
    const stopped = moves.filter(
      ({ to }) => to.context.intent?.kind === 'cancel' && to.matches({ stopping: 'settling' }),
    );
    for (const { to } of stopped) expect(['cancelled', 'completed']).toContain(to.context.verdict?.state);
  });

  test('other timeouts move no job by themselves', () => {
    const changes = steps.filter(({ event }) => event.type === 'timeouts.changed');
    expect(changes.length).toBeGreaterThan(10);
    for (const { from, to } of changes) {
      expect(to.value).toEqual(from.value);
      expect(to.context.verdict).toEqual(from.context.verdict);
    }
  });

  test('heartbeats and chunks change nothing but their own timers', () => {
    const beats: Step[] = steps.filter(
      ({ event }) => event.type === 'chunk.heartbeat' || event.type === 'chunk.completed',
    );
    for (const { from, to } of beats) expect(to.value).toEqual(from.value);
  });
});

test('a retry that is left holds an unproven stop; none left ends it, and the record says so', () => {
  const unconfirmed = (steps: Step[]) => steps.filter(({ to }) => to.matches({ stopping: 'unconfirmed' }));
  expect(unconfirmed(allSteps()).length).toBeGreaterThan(0);
  const last = allSteps({ maxAttempts: 1 }).filter(
    ({ from, to }) =>
      from.matches({ stopping: 'kill' }) &&
      to.context.verdict !== null &&
      to.context.stop?.confirmed === false,
  );
  expect(last.length).toBeGreaterThan(0);
  for (const { to } of last) expect(['timedOut', 'cancelled']).toContain(to.context.verdict?.state);
});
