// The supervisor's invariant under any order of events: attempts that may be alive never exceed the limit, and
// work that was announced is claimed as soon as a slot is free.

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createActor, fromPromise } from 'xstate';
import { type SupervisorEvent, supervisorMachine } from '../../src/machines/supervisor.ts';
import { SimulatedClock, settle } from '../../src/testing/simulatedClock.ts';

type Move = 'submit' | 'end' | 'answer' | 'fail' | 'drain';

/** An engine of numbers: how many jobs wait, and a claim that answers when the test says so. */
function world(limit: number) {
  let waiting = 0;
  let alive = 0;
  /** A claim sees what waits when it is made, and not what comes until it is answered. */
  let pending: { slots: number; found: number; answer: PromiseWithResolvers<number> } | null = null;
  const claimJobs = fromPromise<number, { slots: number }>(({ input: { slots } }) => {
    pending = { slots, found: Math.min(slots, waiting), answer: Promise.withResolvers<number>() };
    return pending.answer.promise;
  });
  const clock = new SimulatedClock();
  const actor = createActor(supervisorMachine.provide({ actors: { claimJobs } }), {
    input: { limit },
    clock,
  });
  actor.start();
  const send = (event: SupervisorEvent) => {
    if (actor.getSnapshot().status === 'active') actor.send(event);
  };
  return {
    actor,
    get alive() {
      return alive;
    },
    get waiting() {
      return waiting;
    },
    /** Of the claim that is under way. */
    get slots() {
      return pending?.slots ?? null;
    },
    async move(move: Move) {
      if (move === 'submit') {
        waiting += 1;
        send({ type: 'work.available' });
      } else if (move === 'end' && alive > 0) {
        alive -= 1;
        send({ type: 'slot.freed' });
      } else if (move === 'answer' && pending !== null) {
        const { answer, found } = pending;
        waiting -= found;
        alive += found;
        pending = null;
        answer.resolve(found);
      } else if (move === 'fail' && pending !== null) {
        const { answer } = pending;
        pending = null;
        answer.reject(new Error('no answer'));
      } else if (move === 'drain') send({ type: 'processor.drain' });
      await settle();
    },
    advance: (seconds: number) => clock.advance(seconds),
    async rest() {
      for (let round = 0; round < 20; round += 1) {
        await this.move('answer');
        await clock.advance(1);
      }
    },
  };
}

const moves = fc.array(fc.constantFrom<Move>('submit', 'submit', 'end', 'answer', 'answer', 'fail'), {
  maxLength: 40,
});

test('never more attempts than slots, and no slot idle while work waits', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), moves, async (limit, script) => {
      const at = world(limit);
      for (const move of script) {
        await at.move(move);
        expect(at.alive).toBeLessThanOrEqual(limit);
        expect(at.actor.getSnapshot().context.held).toBeGreaterThanOrEqual(at.alive);
        expect(at.actor.getSnapshot().context.held).toBeLessThanOrEqual(limit);
      }
      await at.rest();
      expect(at.alive === limit || at.waiting === 0).toBe(true);
      expect(at.actor.getSnapshot().context.held).toBe(at.alive);
    }),
    { numRuns: 60 },
  );
});

test('drained means nothing alive, whatever was under way', async () => {
  await fc.assert(
    fc.asyncProperty(moves, moves, async (before, later) => {
      const at = world(2);
      for (const move of before) await at.move(move);
      await at.move('drain');
      for (const move of later) {
        await at.move(move);
        if (at.actor.getSnapshot().status === 'done') expect(at.alive).toBe(0);
      }
      await at.rest();
      const alive = at.alive;
      for (let index = 0; index < alive; index += 1) await at.move('end');
      expect(at.actor.getSnapshot().status).toBe('done');
    }),
    { numRuns: 60 },
  );
});

/** After each move the slots of the claim that is under way, if one is, and how many are held. */
const scripts: [string, number, [Move, number | null, number][]][] = [
  [
    'claims for all that are free, and for what came meanwhile',
    3,
    [
      ['submit', 3, 3],
      ['submit', 3, 3],
      ['answer', 2, 3],
      ['answer', null, 2],
    ],
  ],
  [
    'claims nothing where none is free, and what waits when one is',
    2,
    [
      ['submit', 2, 2],
      ['submit', 2, 2],
      ['submit', 2, 2],
      ['answer', 1, 2],
      ['answer', null, 2],
      ['submit', null, 2],
      ['end', 1, 2],
      ['answer', null, 2],
      ['end', 1, 2],
      ['answer', null, 2],
    ],
  ],
  [
    'does not claim again when a slot comes free and nothing was left',
    2,
    [
      ['submit', 2, 2],
      ['answer', null, 1],
      ['end', null, 0],
      ['submit', 2, 2],
    ],
  ],
  [
    'counts what ends while a claim is under way',
    2,
    [
      ['submit', 2, 2],
      ['answer', null, 1],
      ['submit', 1, 2],
      ['end', 1, 1],
      ['answer', 1, 2],
      ['answer', null, 1],
    ],
  ],
  [
    'gives back what a claim that failed was for, and asks for it again',
    2,
    [
      ['submit', 2, 2],
      ['fail', null, 0],
    ],
  ],
];

test.each(scripts)('the supervisor %s', async (_, limit, moves) => {
  const at = world(limit);
  for (const [index, [move, slots, held]] of moves.entries()) {
    await at.move(move);
    const seen = { index, slots: at.slots, held: at.actor.getSnapshot().context.held };
    expect(seen).toEqual({ index, slots, held });
  }
});

test('a claim that failed is made again after a second, and no sooner', async () => {
  const at = world(2);
  await at.move('submit');
  await at.move('fail');
  await at.advance(0.9);
  expect(at.slots).toBeNull();
  await at.advance(0.1);
  expect(at.slots).toBe(2);
});

test('drained in the middle of a claim: what it did not bring is not waited for', async () => {
  const at = world(2);
  await at.move('submit');
  await at.move('drain');
  await at.move('answer');
  expect(at.actor.getSnapshot()).toMatchObject({ status: 'active', context: { held: 1 } });
  await at.move('end');
  expect(at.actor.getSnapshot().status).toBe('done');
});

test('drained in the middle of a claim that fails, or after it: at once', async () => {
  for (const moves of [
    ['drain', 'fail'],
    ['fail', 'drain'],
  ] as const) {
    const at = world(2);
    await at.move('submit');
    for (const move of moves) await at.move(move);
    expect(at.actor.getSnapshot().status).toBe('done');
  }
});
