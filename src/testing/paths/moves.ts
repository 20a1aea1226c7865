// The moves of a job's life as the chart takes them: what happens to it where it runs, how it reacts to being stopped, what
// becomes of it at rest. Each is an event of the chart, or one of the two that end a chart from outside: its host is killed,
// its lease went to another.

import { getNextTransitions, type SnapshotFrom } from 'xstate';
import type { Isolation } from '../../actors/attempt.ts';
import type { jobMachine } from '../../machines/job.ts';
import type { JobEvent } from '../../machines/jobMessages.ts';
import type { TimeoutKind } from '../../machines/states.ts';
import type { AttemptOutcome } from '../../machines/verdict.ts';

export type ChartSnapshot = SnapshotFrom<typeof jobMachine>;

/** How far the first attempt has come: before anything; after a checkpoint; in its last chunk; its result is there. */
export type Stage = 'start' | 'middle' | 'last' | 'result';

/** What is done to a job: the way it is disturbed. */
export type Act =
  | `timeout ${'job' | 'heartbeat' | 'progress' | 'deadline'}`
  | 'cancel'
  | 'timeout by hand'
  | 'hand back'
  | 'watchdog'
  | 'lose lease'
  | 'host crash'
  | 'throw'
  | 'crash'
  | 'engine silent'
  | 'refused';

/** The same, to one that waits. */
export type RestAct = 'queue timeout' | 'deadline' | 'cancel' | 'timeout by hand';

export type MoveKind =
  | 'start'
  | 'chunk'
  | 'complete'
  | 'store'
  | 'acknowledge'
  | 'ignore'
  | 'leave'
  | 'complete late'
  | 'stay'
  | 'die'
  | 'outlive'
  | 'gone late'
  | 'cancel too'
  | 'taken back'
  | 'wait'
  | { act: Act }
  | { rest: RestAct };

export interface Move {
  readonly type: string;
  readonly kind: MoveKind;
  /** For the chart; null: it has no event for this. */
  readonly event: JobEvent | null;
  /** For the description of a path. */
  readonly says: string | null;
}

export interface Situation {
  readonly chart: ChartSnapshot;
  readonly stage: Stage;
  /** What was done to it; one thing, and one more where it is at rest or being stopped. */
  readonly act: Act | null;
  readonly isPastAct: boolean;
  readonly hasAcknowledged: boolean;
}

export interface Subject {
  readonly isChunked: boolean;
  readonly isolation: Isolation;
}

/** Wall ms at which the walk takes place, and the due times of the job that is walked. */
export const walkedAt = 1_000_000;
export const dueAt = walkedAt + 3_600_000;

const wordsOf: Record<Stage, string> = {
  start: 'before it begins',
  middle: 'after a checkpoint',
  last: 'in its last chunk',
  result: 'with its result at hand',
};

const move = (kind: MoveKind, event: JobEvent | null, says: string | null): Move => ({
  type: typeof kind === 'string' ? kind : JSON.stringify(kind),
  kind,
  event,
  says,
});

const ended = (outcome: AttemptOutcome): JobEvent => ({
  ...{ type: 'attempt.ended', outcome, at: walkedAt, stopSeconds: 0 },
});
const stopped = ended({ kind: 'stopped' });
const completed = ended({ kind: 'completed', result: 'null' });
const failed = ended({ kind: 'failed', failure: { name: 'Error', message: '' } });

/** What can come next. Empty: it is over. */
export function movesAt(situation: Situation, subject: Subject): Move[] {
  const { chart, act } = situation;
  const { value } = chart;
  if (value === 'queued') return movesInQueue(situation);
  if (value === 'retrying') return movesInPause(situation);
  if (value === 'superseded') return [move('taken back', null, 'taken back')];
  if (typeof value === 'string') return [];
  const inner = Object.values(value)[0];
  if (inner === 'settling') return movesAtSettlement(situation, 'running' in value && act === null);
  if (inner === 'pausing') return [move('wait', delayOf(chart), null)];
  return 'running' in value
    ? movesOfAttempt(situation, subject)
    : movesOfStop(situation, subject, inner as string);
}

function movesInQueue({ chart, act }: Situation): Move[] {
  const { attempt, verdict } = chart.context;
  // Handed back, it has its number again.
  const next = attempt === 0 || verdict?.state === 'retrying' ? attempt + 1 : attempt;
  const start = move('start', { type: 'job.start', attempt: next, at: walkedAt }, null);
  if (act !== null || attempt > 0) return [start];
  const before = 'before it starts';
  return [
    start,
    move({ rest: 'queue timeout' }, { type: 'timeout.due', kind: 'queue' }, `queue timeout ${before}`),
    move({ rest: 'deadline' }, { type: 'timeout.due', kind: 'deadline' }, `deadline ${before}`),
    move({ rest: 'cancel' }, { type: 'job.cancel', reason: null }, `cancel ${before}`),
    move(
      { rest: 'timeout by hand' },
      { type: 'job.timeOut', kind: 'queue', by: 'hand' },
      `timeout by hand ${before}`,
    ),
  ];
}

function movesInPause({ chart, act, isPastAct }: Situation): Move[] {
  const wait = move('wait', delayOf(chart), 'tried again');
  // The same whatever led there: once is enough.
  if (act !== 'throw' || isPastAct) return [wait];
  const pause = 'in the pause before its retry';
  return [
    wait,
    move({ rest: 'deadline' }, { type: 'timeout.due', kind: 'deadline' }, `deadline ${pause}`),
    move({ rest: 'cancel' }, { type: 'job.cancel', reason: null }, `cancel ${pause}`),
    move(
      { rest: 'timeout by hand' },
      { type: 'job.timeOut', kind: 'queue', by: 'hand' },
      `timeout by hand ${pause}`,
    ),
  ];
}

function movesAtSettlement(_: Situation, isUndisturbed: boolean): Move[] {
  const store = move('store', { type: 'verdict.stored' }, null);
  if (!isUndisturbed) return [store];
  return [
    store,
    move(
      { act: 'engine silent' },
      { type: 'verdict.unanswered' },
      'the engine does not answer its settlement',
    ),
    move({ act: 'refused' }, { type: 'verdict.refused' }, 'lease lost before its settlement'),
  ];
}

function movesOfAttempt(situation: Situation, subject: Subject): Move[] {
  const { stage, act } = situation;
  const next =
    stage === 'result'
      ? move('complete', completed, null)
      : move('chunk', subject.isChunked ? { type: 'chunk.completed' } : { type: 'chunk.heartbeat' }, null);
  return act === null ? [next, ...disturbances(stage, subject)] : [next];
}

function disturbances(stage: Stage, { isChunked, isolation }: Subject): Move[] {
  const where = wordsOf[stage];
  const timeout = (kind: TimeoutKind & ('job' | 'heartbeat' | 'progress')): Move =>
    move({ act: `timeout ${kind}` }, { type: 'timeout.due', kind }, `${kind} timeout ${where}`);
  const acts = [
    timeout('job'),
    timeout('heartbeat'),
    ...(isChunked ? [timeout('progress')] : []),
    move({ act: 'timeout deadline' }, { type: 'wallClock.read', at: dueAt }, `deadline ${where}`),
    move({ act: 'cancel' }, { type: 'job.cancel', reason: null }, `cancel ${where}`),
    move(
      { act: 'timeout by hand' },
      { type: 'job.timeOut', kind: 'job', by: 'hand' },
      `timeout by hand ${where}`,
    ),
    move({ act: 'hand back' }, { type: 'job.handBack' }, `processor stopped ${where}`),
    move({ act: 'lose lease' }, { type: 'lease.lost' }, `lease lost ${where}`),
    move({ act: 'host crash' }, null, `kill -9 of the processor ${where}`),
    move({ act: 'throw' }, failed, `throws ${where}`),
  ];
  if (isolation !== 'inline') acts.push(move({ act: 'crash' }, failed, `crashes ${where}`));
  if (isolation === 'process')
    acts.push(
      move(
        { act: 'watchdog' },
        { type: 'job.timeOut', kind: 'job', by: 'watchdog' },
        `ended by its watchdog ${where}`,
      ),
    );
  return acts;
}

/** What nobody sees to when a host is killed again and again is left out: a stopped processor waits for what leaves or dies. */
function movesOfStop(situation: Situation, { isolation }: Subject, rung: string): Move[] {
  const { chart, stage, act, isPastAct, hasAcknowledged } = situation;
  const delay = () => delayOf(chart);
  const canOutlive = act !== 'hand back';
  switch (rung) {
    case 'ask':
      return [
        move('acknowledge', { type: 'attempt.acknowledged' }, null),
        ...(isolation === 'inline' ? [] : [move('ignore', delay(), 'its loop does not turn')]),
      ];
    case 'grace':
      return [
        move('leave', stopped, 'leaves when asked'),
        ...(stage === 'result' ? [move('complete late', completed, 'completes all the same')] : []),
        ...(isolation === 'inline' && !canOutlive ? [] : [move('stay', delay(), 'does not leave')]),
        ...(act === 'timeout job' && !isPastAct
          ? [move('cancel too', { type: 'job.cancel', reason: null }, 'cancelled while it is stopped')]
          : []),
      ];
    case 'terminate':
      return [
        move('die', stopped, 'terminated'),
        ...(hasAcknowledged || !canOutlive ? [] : [move('outlive', delay(), null)]),
      ];
    case 'kill': {
      const isFirst = act === 'lose lease' || act === 'watchdog';
      if (isFirst) return [move('die', stopped, isolation === 'inline' ? 'leaves when asked' : 'killed')];
      return [
        // What the end of a thread does not reach once it does not reach twice.
        ...(isolation === 'thread' ? [] : [move('die', stopped, 'killed')]),
        move('outlive', delay(), 'could not be ended'),
      ];
    }
    default:
      return [move('gone late', stopped, 'gone after all')];
  }
}

/** The delay that is under way, as it fires. */
function delayOf(chart: ChartSnapshot): JobEvent {
  const type = getNextTransitions(chart).find(({ eventType }) =>
    eventType.startsWith('xstate.after'),
  )?.eventType;
  return { type } as unknown as JobEvent;
}
