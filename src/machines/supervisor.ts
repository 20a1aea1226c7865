// The parent of all jobs of a processor: it owns the slots and decides when work is claimed and when the
// processor is drained. It restarts nothing by itself, the job's chart decides that.
//
// Invariant: `held` counts every attempt that may be alive, those claimed but not started and those that could
// not be proven dead included, and never exceeds `limit`: slots are taken before the claim, and what the claim
// did not fill is given back after it. It keeps counts, not jobs: an event costs the same at any load.

import { assign, fromPromise, setup, stateIn } from 'xstate';

export interface SupervisorContext {
  limit: number;
  held: number;
  /** Slots taken by the claim that is under way. */
  claiming: number;
  /** False once a claim came back with less than it asked for, until work is announced again. */
  mayHaveWork: boolean;
}

export type SupervisorEvent =
  /** A job may be claimable. */
  | { type: 'work.available' }
  /** An attempt is proven over. */
  | { type: 'slot.freed' }
  /** Claim nothing more; `drained` when the last slot is free. */
  | { type: 'processor.drain' };

/** Of the claim that just came back. */
const claimed = (event: unknown) => (event as { output: number }).output;

export const supervisorMachine = setup({
  types: {
    context: {} as SupervisorContext,
    input: {} as { limit: number },
    events: {} as SupervisorEvent,
  },
  actors: {
    /** Claims up to `slots` jobs and starts them; says how many. */
    claimJobs: fromPromise<number, { slots: number }>(async () => 0),
  },
  guards: {
    hasFreeSlot: ({ context }) => context.held < context.limit,
    mayHaveWork: ({ context }) => context.mayHaveWork,
    isIdle: ({ context }) => context.held === 0,
    canClaimMore: ({ context, event }) =>
      (context.mayHaveWork || claimed(event) === context.claiming) &&
      context.held - context.claiming + claimed(event) < context.limit,
  },
  actions: {
    takeSlots: assign(({ context }) => ({
      claiming: context.limit - context.held,
      held: context.limit,
      mayHaveWork: false,
    })),
    returnUnfilled: assign(({ context, event }) => ({
      held: context.held - context.claiming + claimed(event),
      mayHaveWork: context.mayHaveWork || claimed(event) === context.claiming,
      claiming: 0,
    })),
    returnAll: assign(({ context }) => ({ held: context.held - context.claiming, claiming: 0 })),
    freeSlot: assign({ held: ({ context }) => context.held - 1 }),
    noteWork: assign({ mayHaveWork: true }),
  },
  delays: { claimPause: 1000 },
}).createMachine({
  id: 'supervisor',
  context: ({ input }) => ({ limit: input.limit, held: 0, claiming: 0, mayHaveWork: false }),
  initial: 'waiting',
  on: {
    'slot.freed': { actions: 'freeSlot' },
    'work.available': { actions: 'noteWork' },
  },
  states: {
    /** Nothing to claim, or no slot for it. */
    waiting: {
      on: {
        // Else as in every state.
        'work.available': { guard: 'hasFreeSlot', target: 'claiming' },
        'slot.freed': { guard: 'mayHaveWork', target: 'claiming', actions: 'freeSlot' },
        'processor.drain': 'draining',
      },
    },
    claiming: {
      entry: 'takeSlots',
      invoke: {
        src: 'claimJobs',
        input: ({ context }) => ({ slots: context.claiming }),
        onDone: [
          { guard: stateIn({ claiming: 'closing' }), target: 'draining', actions: 'returnUnfilled' },
          { guard: 'canClaimMore', target: 'claiming', reenter: true, actions: 'returnUnfilled' },
          { target: 'waiting', actions: 'returnUnfilled' },
        ],
        onError: [
          { guard: stateIn({ claiming: 'closing' }), target: 'draining', actions: 'returnAll' },
          { target: 'pausing', actions: 'returnAll' },
        ],
      },
      initial: 'open',
      states: {
        open: { on: { 'processor.drain': 'closing' } },
        /** Draining began in the middle of a claim: what it brings still runs and counts. */
        closing: {},
      },
    },
    /** The engine does not answer: ask again until it does. */
    pausing: { after: { claimPause: 'claiming' }, on: { 'processor.drain': 'draining' } },
    draining: { always: { guard: 'isIdle', target: 'drained' } },
    drained: { type: 'final' },
  },
});
