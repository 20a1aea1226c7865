// Every path that the job's chart allows when one thing happens to a job in its first attempt, found by xstate/graph on the
// chart itself: where it goes, and what is stored of it on the way.

import type { AnyActorLogic } from 'xstate';
import { getShortestPaths } from 'xstate/graph';
import { jobMachine } from '../../machines/job.ts';
import type { JobChartInput } from '../../machines/jobMessages.ts';
import type { Rung } from '../../machines/ladder.ts';
import type { JobState, TimeoutKind } from '../../machines/states.ts';
import {
  type ChartSnapshot,
  dueAt,
  type Move,
  movesAt,
  type Situation,
  type Stage,
  type Subject,
  walkedAt,
} from './moves.ts';

/** One entry of a job's history, as the chart foretells it. */
export interface Foretold {
  readonly state: JobState;
  readonly timeout: TimeoutKind | null;
  /** How the attempt was stopped, where it was; said when it is settled. */
  readonly stop: { readonly rung: Rung; readonly confirmed: boolean } | null;
}

export interface WalkedPath {
  readonly moves: readonly Move[];
  readonly maxAttempts: number;
  /** Where the first attempt was when something happened to it; null: nothing did. */
  readonly stage: Stage | null;
  readonly history: readonly Foretold[];
  /** Of its last attempt. */
  readonly attempt: number;
}

interface Journey extends Situation {
  /** What led here, in one word: each way to an end is a path. */
  readonly key: string;
  readonly maxAttempts: number;
  readonly struckAt: Stage | null;
  readonly history: readonly Foretold[];
  readonly moves: readonly Move[];
}

const stages: readonly Stage[] = ['start', 'middle', 'last', 'result'];

function chartInput(attempt: number, maxAttempts: number, { isolation }: Subject): JobChartInput {
  return {
    ...{ jobId: 'job', token: 'token', attempt, maxAttempts },
    retryOn: ['failed', 'timedOut'],
    backoff: { kind: 'fixed', ms: 1000, maxMs: Infinity, jitter: 0 },
    ...{ chance: 0, jobTimeoutMs: 1000, heartbeatTimeoutMs: 1000, progressTimeoutMs: 1000, graceMs: 1000 },
    isKillable: isolation !== 'inline',
    ...{ queueDueAt: dueAt, deadlineAt: dueAt, now: walkedAt },
  };
}

/** The chart, and around it how far the job's code is and what was done to it. */
function journeyOf(subject: Subject): AnyActorLogic {
  const queued = (scope: unknown, attempt: number, maxAttempts: number) =>
    jobMachine.getInitialSnapshot(scope as never, chartInput(attempt, maxAttempts, subject));
  const nextStage = (stage: Stage): Stage =>
    subject.isChunked ? (stages[stages.indexOf(stage) + 1] as Stage) : 'result';
  return {
    getInitialSnapshot: (scope: unknown, maxAttempts: number) => ({
      ...({ status: 'active', output: undefined, error: undefined } as const),
      ...{ chart: queued(scope, 0, maxAttempts), maxAttempts, stage: 'start', act: null, struckAt: null },
      ...{ isPastAct: false, hasAcknowledged: false, moves: [], key: '' },
      history: [{ state: 'queued', timeout: null, stop: null }],
    }),
    transition(journey: Journey, move: Move, scope: unknown): Journey {
      const { chart, stage, act, maxAttempts } = journey;
      const { kind, event } = move;
      const next =
        event === null
          ? queued(scope, chart.context.attempt - 1, maxAttempts)
          : (jobMachine.transition(chart, event, scope as never) as ChartSnapshot);
      const isAct = typeof kind === 'object';
      return {
        ...journey,
        chart: next,
        stage: kind === 'chunk' ? nextStage(stage) : stage,
        act: isAct && 'act' in kind ? kind.act : act,
        struckAt: isAct && 'act' in kind ? stage : journey.struckAt,
        isPastAct: journey.isPastAct || kind === 'wait' || kind === 'cancel too' || (isAct && 'rest' in kind),
        hasAcknowledged: journey.hasAcknowledged || kind === 'acknowledge',
        history: [...journey.history, ...storedBetween(chart, next)],
        moves: [...journey.moves, move],
        key: `${journey.key}|${move.type}`,
      };
    },
    getPersistedSnapshot: (journey: Journey) => journey,
  } as never;
}

/** What is stored when the chart goes from one state to the next. */
function storedBetween(before: ChartSnapshot, after: ChartSnapshot): Foretold[] {
  const state = topOf(after);
  if (state === topOf(before) || state === 'superseded') return [];
  const { intent, verdict } = after.context;
  // Whoever lost its lease stores nothing.
  if (state === 'stopping' && intent?.kind === 'leaseLost') return [];
  // A pause that is over is not an entry of its own.
  if (state === 'queued' && topOf(before) === 'retrying') return [];
  const isLive = state === 'running' || state === 'stopping' || state === 'queued';
  const timeout = intent?.kind === 'timeout' && state !== 'running' ? intent.timeout : null;
  const stop = verdict?.stop ?? null;
  return [
    {
      state,
      timeout: isLive
        ? state === 'stopping'
          ? timeout
          : null
        : (verdict?.timeout ?? (isAtRest(before) ? timeout : null)),
      stop:
        state === 'running' || state === 'stopping' || stop === null
          ? null
          : { rung: stop.rung, confirmed: stop.confirmed },
    },
  ];
}

function isAtRest(chart: ChartSnapshot): boolean {
  return chart.value === 'queued' || chart.value === 'retrying';
}

function topOf({ value }: ChartSnapshot): JobState | 'superseded' {
  return typeof value === 'string' ? value : (Object.keys(value)[0] as JobState);
}

/** In words, as a test is named. */
export function describePath({ moves, history, attempt }: WalkedPath): string {
  const said = moves.flatMap(({ says }) => (says === null ? [] : [says]));
  const end = history.at(-1)?.state;
  const retried = attempt > 1 ? ` at attempt ${attempt}` : '';
  return `${said.length === 0 ? 'undisturbed' : said.join(', ')}: ${end}${retried}`;
}

function isDisturbed({ moves }: WalkedPath): boolean {
  return moves.some(({ says }) => says !== null);
}

const known = new Map<string, readonly WalkedPath[]>();

/** Of a job of this kind, those without a retry first; none twice. */
export function walk(subject: Subject): readonly WalkedPath[] {
  const key = `${subject.isolation} ${subject.isChunked}`;
  const paths = known.get(key) ?? [...walkWith(1, subject), ...walkWith(2, subject)];
  const byName = new Map(paths.toReversed().map((path) => [describePath(path), path]));
  const unique = [...byName.values()].toReversed();
  // Where it fails undisturbed nothing else says more.
  unique.sort((a, b) => Number(isDisturbed(a)) - Number(isDisturbed(b)));
  known.set(key, unique);
  return unique;
}

function walkWith(maxAttempts: number, subject: Subject): WalkedPath[] {
  const logic = journeyOf(subject);
  const isOver = (journey: Journey) => movesAt(journey, subject).length === 0;
  const found = getShortestPaths(logic, {
    input: maxAttempts,
    events: (journey: Journey) => movesAt(journey, subject),
    serializeState: ({ key }: Journey) => key,
    serializeEvent: ({ type }: Move) => type,
    toState: isOver,
    limit: 100_000,
  } as never) as unknown as { state: Journey }[];
  return found.map(({ state: { moves, struckAt, history, chart } }) => ({
    ...{ moves, maxAttempts, stage: struckAt, history, attempt: chart.context.attempt },
  }));
}
