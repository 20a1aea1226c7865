// The wire of `@xstate/inspect`, which speaks of machines and states as XState 4 has them: `service.register`, `service.event`,
// `service.state`, `service.stop`. What it has no word for, actors without a chart, is left out.

import type { AnyEventObject, AnyMachineSnapshot, AnyStateMachine, Snapshot } from 'xstate';
import type { ActorWatcher, WatchedActor } from './actorFeed.ts';
import type { Redaction } from './redaction.ts';

export function xstate4Watcher(send: (message: object) => void, redaction: Redaction): ActorWatcher {
  const eventOf = (event: AnyEventObject) => scxml(redaction.shownOfChart(event) as AnyEventObject);
  const stateOf = (actor: WatchedActor, snapshot: Snapshot<unknown>, event: AnyEventObject) => {
    const { value, context, status, tags } = snapshot as AnyMachineSnapshot;
    const _event = eventOf(event);
    return JSON.stringify({
      value,
      context: redaction.shownOfChart(context),
      _event,
      event: _event.data,
      _sessionid: actor.sessionId,
      changed: true,
      done: status === 'done',
      tags: [...tags],
      ...{
        actions: [],
        activities: {},
        meta: {},
        events: [],
        children: {},
        transitions: [],
        historyValue: {},
      },
    });
  };
  return {
    registered(actor, snapshot) {
      if (actor.machine === null) return;
      const { sessionId, name, parent } = actor;
      send({
        type: 'service.register',
        machine: definitionOf(actor.machine),
        state: stateOf(actor, snapshot, { type: 'xstate.init' }),
        sessionId,
        id: name,
        ...(parent === null ? {} : { parent: parent.sessionId }),
      });
    },
    received({ machine, sessionId }, event, source) {
      if (machine === null) return;
      const origin = source === null ? {} : { origin: source.sessionId };
      send({ type: 'service.event', event: JSON.stringify({ ...eventOf(event), ...origin }), sessionId });
    },
    moved(actor, snapshot, event) {
      if (actor.machine === null) return;
      send({
        type: 'service.state',
        state: stateOf(actor, snapshot, event),
        sessionId: actor.sessionId,
      });
    },
    stopped({ machine, sessionId }) {
      if (machine !== null) send({ type: 'service.stop', sessionId });
    },
  };
}

/** As XState 4 wraps an event (SCXML). */
function scxml(data: AnyEventObject) {
  return { name: data.type, data, $$type: 'scxml', type: 'external' } as const;
}

const definitions = new WeakMap<AnyStateMachine, string>();

/** The machine's own configuration, in the words of XState 4. */
function definitionOf(machine: AnyStateMachine): string {
  const known = definitions.get(machine);
  if (known !== undefined) return known;
  const text = JSON.stringify(inWordsOf4(machine.config));
  definitions.set(machine, text);
  return text;
}

function inWordsOf4(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(inWordsOf4);
  // What is no plain JSON (a function in place of a name) is shown by its kind.
  if (typeof part === 'function') return { type: part.name || 'inline' };
  if (typeof part !== 'object' || part === null) return part;
  const words = Object.entries(part).map(([key, value]) => {
    if (key === 'guard') return ['cond', typeof value === 'string' ? value : inWordsOf4(value)];
    // A transition of 4 leaves and enters its state again unless it is told not to.
    if (key === 'reenter') return ['internal', value !== true];
    // Of the machine, not of a state: it is made from an input here, and given with each state.
    if (key === 'context') return [key, {}];
    return [key, inWordsOf4(value)];
  });
  return Object.fromEntries(words);
}
