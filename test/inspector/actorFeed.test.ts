// What is attached to the charts, and when. The wires have tests of their own, with the genuine receivers.

import { pino } from 'pino';
import { expect, test, vi } from 'vitest';
import { createActor } from 'xstate';
import { ActorFeed, type ActorWatcher } from '../../src/inspector/actorFeed.ts';
import { supervisorMachine } from '../../src/machines/supervisor.ts';
import type { Inspection, RootActor } from '../../src/runtime/inspection.ts';

function observable() {
  const actor = createActor(supervisorMachine, { input: { limit: 1 } });
  const attached = { now: 0 };
  const { inspect } = actor.system;
  actor.system.inspect = (observer) => {
    const { unsubscribe } = inspect.call(actor.system, observer);
    attached.now += 1;
    return {
      unsubscribe() {
        attached.now -= 1;
        unsubscribe();
      },
    };
  };
  const root: RootActor = { ref: actor, name: 'supervisor', parent: null, isJob: false };
  const watchRoots = vi.fn(() => unwatch);
  const unwatch = vi.fn();
  const inspection = { roots: () => [root], watchRoots } as unknown as Inspection;
  return { actor, attached, inspection, watchRoots, unwatch };
}

const deaf = (): ActorWatcher => ({ registered() {}, received() {}, moved() {}, stopped() {} });

test('an observer is attached with the first watcher, is one for all, and goes with the last', () => {
  const { attached, inspection, watchRoots, unwatch } = observable();
  const feed = new ActorFeed(inspection, pino({ level: 'silent' }));
  expect(attached.now).toBe(0);
  expect(watchRoots).not.toHaveBeenCalled();
  const [first, second] = [feed.add(deaf()), feed.add(deaf())];
  expect(attached.now).toBe(1);
  first();
  expect(attached.now).toBe(1);
  second();
  expect(attached.now).toBe(0);
  expect(unwatch).toHaveBeenCalledOnce();
});

test('an actor that has stopped is let go of', () => {
  const { actor, attached, inspection } = observable();
  actor.start();
  const stopped = vi.fn();
  new ActorFeed(inspection, pino({ level: 'silent' })).add({ ...deaf(), stopped });
  actor.stop();
  expect(stopped).toHaveBeenCalledOnce();
  expect(attached.now).toBe(0);
});

test('a watcher that throws is a line of the log, and nothing to the chart', () => {
  const lines: string[] = [];
  const { actor, inspection } = observable();
  actor.start();
  new ActorFeed(inspection, pino({}, { write: (line) => lines.push(line) })).add({
    ...deaf(),
    moved() {
      throw new Error('no room');
    },
  });
  actor.send({ type: 'processor.drain' });
  expect(actor.getSnapshot().value).toBe('drained');
  expect(lines.join()).toContain('inspect: no room');
});
