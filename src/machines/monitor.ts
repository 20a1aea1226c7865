// The second line of defence: every interval, one sweep finds what the charts' own timers missed (a lost
// timer, a dead owner, a job at rest past its time) and ends it. A sweep that fails is tried at the next
// interval; two never overlap.

import { emit, fromPromise, setup } from 'xstate';

export const monitorMachine = setup({
  types: {
    context: {} as { intervalMs: number },
    input: {} as { intervalMs: number },
    emitted: {} as { type: 'sweep.failed'; error: unknown },
  },
  actors: { sweep: fromPromise<void>(async () => {}) },
  actions: {
    announceFailure: emit(({ event }) => ({
      type: 'sweep.failed',
      error: (event as unknown as { error: unknown }).error,
    })),
  },
  delays: { interval: ({ context }) => context.intervalMs },
}).createMachine({
  id: 'monitor',
  context: ({ input }) => input,
  initial: 'waiting',
  states: {
    waiting: { after: { interval: 'sweeping' } },
    sweeping: {
      invoke: {
        src: 'sweep',
        onDone: 'waiting',
        onError: { target: 'waiting', actions: 'announceFailure' },
      },
    },
  },
});
