// The life of a job, from queued to a state that is final and true. Read this file first.
//
// One actor of this chart drives one live attempt; a job at rest (queued, retrying) is the same chart in its
// stored row. The chart decides, others act: the attempt's code, the engine's writes and the wall clock are
// actors it starts. It holds no clock, no I/O and no ids: times come in with events, and its delays count on
// the clock of the actor system, which is monotonic.
//
// Invariants: every way out of `running` ends in a final state or at rest; nothing leaves `stopping` before
// the attempt is proven over, unless no retry is left and the record says `confirmed: false`; a state is
// entered only after it is stored (`settling` is the write).

import {
  assertEvent,
  assign,
  emit,
  enqueueActions,
  fromCallback,
  fromPromise,
  sendTo,
  setup,
  spawnChild,
} from 'xstate';
import {
  type AttemptCommand,
  intentOf,
  type JobChartContext,
  type JobChartInput,
  type JobEmitted,
  type JobEvent,
} from './jobMessages.ts';
import { ladderDelays, type Rung, type StopRecord } from './ladder.ts';
import type { TimeoutKind } from './states.ts';
import {
  backoffMs,
  isRetried,
  mayRetry,
  type StopIntent,
  type Verdict,
  verdictOfEnd,
  verdictOfStop,
} from './verdict.ts';

/** Wall ms of a due time, as a delay from `now`; off where there is none. */
function until(dueAt: number | null, now: number): number {
  return dueAt === null ? Infinity : Math.max(0, dueAt - now);
}

/** Another attempt may follow, so this one must be proven dead first. */
function mayRunAgain(context: JobChartContext): boolean {
  const { intent } = context;
  if (intent === null || intent.kind === 'cancel') return false;
  return intent.kind !== 'timeout' || (isRetried(intent) && mayRetry(context, 'timedOut', -Infinity));
}

/** What is left until a timeout, ms; Infinity where it is off. */
function delayOf(context: JobChartContext, kind: TimeoutKind): number {
  switch (kind) {
    case 'job':
      return context.jobTimeoutMs;
    case 'heartbeat':
      return context.heartbeatTimeoutMs;
    case 'progress':
      return context.progressTimeoutMs;
    case 'queue':
      return until(context.queueDueAt, context.now);
    case 'deadline':
      return until(context.deadlineAt, context.now);
  }
}

interface Timeouts {
  kinds: readonly TimeoutKind[];
}

const attemptTimeouts: Timeouts = { kinds: ['job', 'heartbeat', 'progress', 'deadline'] };

/** Counts anew from now. */
function rearm(kinds: TimeoutKind[]) {
  return [
    { type: 'disarm', params: { kinds } },
    { type: 'arm', params: { kinds } },
  ] as const;
}

/** What is being written stays: whoever asks now is answered with it. */
const unmoved = { 'attempt.ended': {}, 'job.cancel': {}, 'job.timeOut': {}, 'lease.lost': {} } as const;

/** The end of an attempt, written before it is believed. Shared by `running` and `stopping`. */
const settling = {
  settling: {
    entry: 'storeVerdict',
    on: {
      ...unmoved,
      'verdict.stored': [
        { guard: { type: 'isVerdict', params: { state: 'completed' } }, target: '#job.completed' },
        { guard: { type: 'isVerdict', params: { state: 'failed' } }, target: '#job.failed' },
        { guard: { type: 'isVerdict', params: { state: 'timedOut' } }, target: '#job.timedOut' },
        { guard: { type: 'isVerdict', params: { state: 'cancelled' } }, target: '#job.cancelled' },
        { guard: { type: 'isVerdict', params: { state: 'retrying' } }, target: '#job.retrying' },
        { target: '#job.queued' },
      ],
      'verdict.overruled': { target: 'settling', reenter: true, actions: 'recordOverruling' },
      'verdict.refused': '#job.superseded',
      'verdict.unanswered': 'pausing',
    },
  },
  /** The engine does not answer: try again until it does. */
  pausing: { after: { settlePause: 'settling' }, on: unmoved },
} as const;

const chart = setup({
  types: {
    context: {} as JobChartContext,
    input: {} as JobChartInput,
    events: {} as JobEvent,
    emitted: {} as JobEmitted,
  },
  actors: {
    /** Runs the attempt in its isolation until it is proven over. Spawned: it outlives `running`. */
    processChunks: fromCallback<AttemptCommand, { token: string }>(() => {}),
    /** Stores why the attempt is being stopped, so that a crash in the grace does not undo it. Never rejects. */
    storeIntent: fromPromise<void, { jobId: string; token: string; intent: StopIntent }>(async () => {}),
  },
  guards: {
    isVerdict: ({ context }, params: { state: Verdict['state'] }) => context.verdict?.state === params.state,
    isDeadlinePassed: ({ context, event }) =>
      context.deadlineAt !== null && event.type === 'wallClock.read' && event.at >= context.deadlineAt,
    isKillable: ({ context }) => context.isKillable,
    isLeaseLost: ({ context }) => context.intent?.kind === 'leaseLost',
    isLastAttempt: ({ context }) => !mayRunAgain(context),
    isKilledByWatchdog: ({ event }) => event.type === 'job.timeOut' && event.by === 'watchdog',
    isDeadline: ({ event }) => event.type === 'timeout.due' && event.kind === 'deadline',
    isUrgent: ({ context, event }) =>
      context.intent?.kind !== 'cancel' &&
      event.type === 'job.timeOut' &&
      (event.by === 'hand' || event.kind === 'deadline'),
  },
  actions: {
    recordStart: assign(({ event }) => {
      assertEvent(event, 'job.start');
      return { attempt: event.attempt, now: event.at, intent: null, stop: null, verdict: null };
    }),
    startAttempt: spawnChild('processChunks', {
      id: 'attempt',
      input: ({ context }) => ({ token: context.token }),
    }),
    recordOutcome: assign(({ context, event }) => {
      assertEvent(event, 'attempt.ended');
      return { verdict: verdictOfEnd(context, event.outcome, event.at) };
    }),
    recordIntent: assign(({ event }) => ({ intent: intentOf(event) })),
    /** A deadline counts on the wall clock, which may have been set. Answered with `wallClock.read`. */
    readWallClock: (_, _params: unknown) => {},
    /** Makes the verdict durable. Answered with `verdict.stored`, `verdict.refused` or `verdict.unanswered`. */
    storeVerdict: (_, _params: unknown) => {},
    /** Spawned and not waited for: the ladder must not depend on an engine. The verdict says it again. */
    storeIntent: spawnChild('storeIntent', {
      input: ({ context }) => ({
        jobId: context.jobId,
        token: context.token,
        intent: context.intent as StopIntent,
      }),
    }),
    recordRung: assign({
      stop: (_, params: { rung: Rung }) => ({ confirmed: false, rung: params.rung, tookSeconds: null }),
    }),
    recordProof: assign(({ context, event }) => {
      assertEvent(event, 'attempt.ended');
      const stop: StopRecord = {
        confirmed: true,
        rung: (context.stop as StopRecord).rung,
        tookSeconds: event.stopSeconds,
        ...(event.exitCode === undefined ? {} : { exitCode: event.exitCode }),
        ...(event.signal === undefined ? {} : { signal: event.signal }),
      };
      return {
        stop,
        verdict: verdictOfStop(context, stop, context.intent as StopIntent, event.outcome, event.at),
      };
    }),
    recordLateProof: assign(({ context, event }) => {
      assertEvent(event, 'attempt.ended');
      const stop: StopRecord = {
        ...(context.stop as StopRecord),
        confirmed: true,
        tookSeconds: event.stopSeconds,
      };
      // What it says now comes too late to count: the limit on it has passed.
      return {
        stop,
        verdict: verdictOfStop(context, stop, context.intent as StopIntent, { kind: 'stopped' }, event.at),
      };
    }),
    giveUpProof: assign(({ context }) => ({
      verdict: verdictOfStop(
        context,
        context.stop as StopRecord,
        context.intent as StopIntent,
        { kind: 'stopped' },
        Infinity,
      ),
    })),
    askAttempt: sendTo('attempt', ({ context }) => ({
      type: 'stop.ask',
      intent: context.intent as StopIntent,
    })),
    terminateAttempt: sendTo('attempt', { type: 'stop.terminate' }),
    killAttempt: sendTo('attempt', { type: 'stop.kill' }),
    refuseAttempt: sendTo('attempt', { type: 'stop.refuse' }),
    announceTimeout: emit(({ context }) => {
      const { timeout, by } = context.intent as Extract<StopIntent, { kind: 'timeout' }>;
      return { type: 'timeout.found', kind: timeout, by };
    }),
    announceProof: emit(({ context }) => ({
      type: 'stop.proven',
      stop: context.stop as StopRecord,
      intent: context.intent as StopIntent,
    })),
    announceUnconfirmed: emit(({ context }) => ({
      type: 'stop.unconfirmed',
      stop: context.stop as StopRecord,
      intent: context.intent as StopIntent,
    })),
    refreshNow: assign(({ event }) => {
      assertEvent(event, 'wallClock.read');
      return { now: event.at };
    }),
    /** Each timeout that is on, as an event that comes after its delay. One that is off costs nothing. */
    arm: enqueueActions(({ context, event, enqueue }, { kinds }: Timeouts) => {
      const left: Partial<Record<TimeoutKind, number>> = event.type === 'timeouts.changed' ? event.left : {};
      for (const kind of kinds) {
        const delay = left[kind] ?? delayOf(context, kind);
        if (delay !== Infinity) enqueue.raise({ type: 'timeout.due', kind }, { id: kind, delay });
      }
    }),
    disarm: enqueueActions(({ context, enqueue }, { kinds }: Timeouts) => {
      for (const kind of kinds) if (delayOf(context, kind) !== Infinity) enqueue.cancel(kind);
    }),
    recordTimeouts: assign(({ event }) => {
      assertEvent(event, 'timeouts.changed');
      return { ...event.timeouts, now: event.at };
    }),
    recordOverruling: assign(({ context, event }) => {
      assertEvent(event, 'verdict.overruled');
      const { intent } = event;
      const verdict = verdictOfStop(context, context.stop, intent, { kind: 'stopped' }, context.now);
      return { intent, verdict };
    }),
    recordDeadline: assign({ intent: { kind: 'timeout', timeout: 'deadline', by: 'timer' } }),
  },
  delays: {
    backoff: ({ context }) => backoffMs(context),
    askDelay: ({ context }) => ladderDelays(context.graceMs).ask,
    graceDelay: ({ context }) => ladderDelays(context.graceMs).grace,
    terminateDelay: ({ context }) => ladderDelays(context.graceMs).terminate,
    killDelay: ({ context }) => ladderDelays(context.graceMs).kill,
    settlePause: 1000,
  },
});

const startingAs = (initial: 'queued' | 'running') =>
  chart.createMachine({
    id: 'job',
    context: ({ input }) => ({ ...input, intent: null, stop: null, verdict: null }),
    initial,
    states: {
      /** Waits for a slot. Left by the supervisor's claim, a command, or its own times. */
      queued: {
        entry: { type: 'arm', params: { kinds: ['queue', 'deadline'] } },
        exit: { type: 'disarm', params: { kinds: ['queue', 'deadline'] } },
        on: {
          'timeout.due': { target: 'timedOut', actions: ['recordIntent', 'announceTimeout'] },
          'job.start': { target: 'running', actions: 'recordStart' },
          'job.cancel': { target: 'cancelled', actions: 'recordIntent' },
          'job.timeOut': { target: 'timedOut', actions: ['recordIntent', 'announceTimeout'] },
        },
      },
      /** An attempt is alive in a slot. */
      running: {
        entry: 'startAttempt',
        initial: 'processing',
        states: {
          processing: {
            entry: { type: 'arm', params: attemptTimeouts },
            exit: { type: 'disarm', params: attemptTimeouts },
            on: {
              'chunk.heartbeat': { actions: rearm(['heartbeat']) },
              'chunk.completed': { actions: rearm(['heartbeat', 'progress']) },
              'timeouts.changed': {
                actions: [
                  { type: 'disarm', params: attemptTimeouts },
                  'recordTimeouts',
                  { type: 'arm', params: attemptTimeouts },
                ],
              },
              'attempt.ended': { target: 'settling', actions: 'recordOutcome' },
              'timeout.due': [
                // Its delay is over; the deadline is only if the wall clock says so too.
                { guard: 'isDeadline', actions: 'readWallClock' },
                { target: '#job.stopping', actions: ['recordIntent', 'announceTimeout'] },
              ],
              'wallClock.read': [
                {
                  guard: 'isDeadlinePassed',
                  target: '#job.stopping',
                  actions: ['recordDeadline', 'announceTimeout'],
                },
                { actions: ['refreshNow', ...rearm(['deadline'])] },
              ],
              'job.cancel': { target: '#job.stopping', actions: 'recordIntent' },
              'job.timeOut': [
                {
                  guard: 'isKilledByWatchdog',
                  target: '#job.stopping.kill',
                  actions: ['recordIntent', 'announceTimeout'],
                },
                { target: '#job.stopping', actions: ['recordIntent', 'announceTimeout'] },
              ],
              'job.handBack': { target: '#job.stopping', actions: 'recordIntent' },
              'lease.lost': { target: '#job.stopping.kill', actions: 'recordIntent' },
            },
          },
          ...settling,
        },
      },
      /** The attempt must end: the ladder. The slot is held, and so is the retry. */
      stopping: {
        initial: 'ask',
        entry: 'storeIntent',
        on: {
          'job.cancel': { actions: ['recordIntent', 'storeIntent'] },
          'job.timeOut': { guard: 'isUrgent', actions: ['recordIntent', 'storeIntent'] },
          // Told with each beat: said again it must not begin the last rung anew.
          'lease.lost': [{ guard: 'isLeaseLost' }, { target: '.kill', actions: 'recordIntent' }],
          // Too late for this attempt; its deadline decides about another.
          'timeouts.changed': { actions: 'recordTimeouts' },
          'attempt.ended': [
            { guard: 'isLeaseLost', target: 'superseded' },
            { target: '.settling', actions: ['recordProof', 'announceProof'] },
          ],
        },
        states: {
          /** The signal is aborted; a living event loop answers. */
          ask: {
            entry: [{ type: 'recordRung', params: { rung: 'ask' } }, 'askAttempt'],
            on: { 'attempt.acknowledged': 'grace' },
            after: { askDelay: [{ guard: 'isKillable', target: 'terminate' }, { target: 'grace' }] },
          },
          /** Time to leave by itself. */
          grace: {
            entry: { type: 'recordRung', params: { rung: 'grace' } },
            after: { graceDelay: [{ guard: 'isKillable', target: 'terminate' }, { target: 'unconfirmed' }] },
          },
          /** SIGTERM to the group. */
          terminate: {
            entry: [{ type: 'recordRung', params: { rung: 'terminate' } }, 'terminateAttempt'],
            after: { terminateDelay: 'kill' },
          },
          /** SIGKILL to the group, grandchildren included. */
          kill: {
            entry: [{ type: 'recordRung', params: { rung: 'kill' } }, 'killAttempt'],
            after: { killDelay: 'unconfirmed' },
          },
          /** It could not be proven dead. Held while a retry is left; final, and said, without one. */
          unconfirmed: {
            entry: ['refuseAttempt', 'announceUnconfirmed'],
            always: { guard: 'isLastAttempt', target: 'settling', actions: 'giveUpProof' },
            on: {
              'attempt.ended': [
                { guard: 'isLeaseLost', target: '#job.superseded' },
                { target: 'settling', actions: ['recordLateProof', 'announceProof'] },
              ],
            },
          },
          ...settling,
        },
      },
      /** At rest until the pause before the next attempt is over. */
      retrying: {
        entry: { type: 'arm', params: { kinds: ['deadline'] } },
        exit: { type: 'disarm', params: { kinds: ['deadline'] } },
        after: { backoff: 'queued' },
        on: {
          'timeout.due': { target: 'timedOut', actions: ['recordIntent', 'announceTimeout'] },
          'job.start': { target: 'running', actions: 'recordStart' },
          'job.cancel': { target: 'cancelled', actions: 'recordIntent' },
          'job.timeOut': { target: 'timedOut', actions: ['recordIntent', 'announceTimeout'] },
        },
      },
      completed: { type: 'final' },
      failed: { type: 'final' },
      timedOut: { type: 'final' },
      cancelled: { type: 'final' },
      /** Never stored: the token went stale, the job's truth lies with its new owner. */
      superseded: { type: 'final' },
    },
  });

export const jobMachine = startingAs('queued');

/** The same chart for a job that was just claimed: its actor begins where its row has come to. */
export const claimedJobMachine = startingAs('running');
