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
  let pending: { slots: number; answer: PromiseWithResolvers<number> } | null = null;
  const claimJobs = fromPromise<number, { slots: number }>(({ input }) => {
    pending = { slots: input.slots, answer: Promise.withResolvers<number>() };
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
    async move(move: Move) {
      if (move === 'submit') {
        waiting += 1;
        send({ type: 'work.available' });
      } else if (move === 'end' && alive > 0) {
        alive -= 1;
        send({ type: 'slot.freed' });
      } else if (move === 'answer' && pending !== null) {
        const count = Math.min(pending.slots, waiting);
        waiting -= count;
        alive += count;
        const { answer } = pending;
        pending = null;
        answer.resolve(count);
      } else if (move === 'fail' && pending !== null) {
        const { answer } = pending;
        pending = null;
        answer.reject(new Error('no answer'));
      } else if (move === 'drain') send({ type: 'processor.drain' });
      await settle();
    },
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
