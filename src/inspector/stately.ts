// The wire of `@statelyai/inspect`, written by that package itself: it is given XState's own inspection events, with the names
// and the parents that our actors have here.

import type { AnyEventObject, InspectionEvent, Snapshot } from 'xstate';
import { ConfigurationError } from '../runtime/errors.ts';
import type { ActorWatcher, WatchedActor } from './actorFeed.ts';
import type { Redaction } from './redaction.ts';

export type StatelyWire = (send: (message: object) => void, redaction: Redaction) => ActorWatcher;

/** Throws ConfigurationError where the package is not installed. */
export async function statelyWire(): Promise<StatelyWire> {
  const { createInspector } = await import('@statelyai/inspect').catch((error) => {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new ConfigurationError(
      'stately',
      'the package @statelyai/inspect to be installed',
      'none',
      'Run: npm install @statelyai/inspect',
    );
  });
  return (send, redaction) => {
    const { inspect } = createInspector({ send });
    const tell = (event: object) => inspect.next?.(event as InspectionEvent);
    const eventOf = (event: AnyEventObject) => redaction.shownOfChart(event);
    const stateOf = (snapshot: Snapshot<unknown>) => shownState(snapshot, redaction);
    return {
      registered: (actor, snapshot) => tell({ type: '@xstate.actor', ...refsOf(actor, stateOf(snapshot)) }),
      received: (actor, event, source) =>
        tell({
          type: '@xstate.event',
          ...refsOf(actor),
          event: eventOf(event),
          ...(source === null ? {} : { sourceRef: { sessionId: source.sessionId } }),
        }),
      moved: (actor, snapshot, event) =>
        tell({
          type: '@xstate.snapshot',
          ...refsOf(actor),
          snapshot: stateOf(snapshot),
          event: eventOf(event),
        }),
      // Its last snapshot has said so.
      stopped: () => {},
    };
  };
}

/** What of an actor the package looks at. It asks for the snapshot later, and is to get that of now. */
function refsOf(actor: WatchedActor, snapshot?: object) {
  const { sessionId, name, parent, machine } = actor;
  return {
    rootId: rootOf(actor).sessionId,
    actorRef: {
      id: name,
      sessionId,
      _parent: parent === null ? undefined : { sessionId: parent.sessionId },
      logic: { config: machine?.config },
      getSnapshot: () => snapshot,
    },
  };
}

function rootOf(actor: WatchedActor): WatchedActor {
  return actor.parent === null ? actor : rootOf(actor.parent);
}

/** Without the machine and the actors that XState keeps in it. */
function shownState(snapshot: Snapshot<unknown>, redaction: Redaction): object {
  const { status, value, context, output, error } = snapshot as Snapshot<unknown> & {
    value?: unknown;
    context?: unknown;
  };
  return {
    status,
    ...(value === undefined ? {} : { value }),
    ...(context === undefined ? {} : { context: redaction.shownOfChart(context) }),
    ...(output === undefined ? {} : { output: redaction.shownOfChart(output) }),
    ...(error === undefined ? {} : { error: String(error) }),
  };
}
