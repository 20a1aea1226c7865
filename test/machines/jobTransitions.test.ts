// The job's chart as a table: in a state, on an event, to a state with effects. Pure: no clock, no actors.

import { describe, expect, test } from 'vitest';
import { initialTransition, transition } from 'xstate';
import { jobMachine } from '../../src/machines/job.ts';
import type { AttemptTimeouts, JobChartInput, JobEvent } from '../../src/machines/jobMessages.ts';
import type { TimeoutKind } from '../../src/machines/states.ts';
import { ended, input, type JobSnapshot, now } from './explore.ts';

const start: JobEvent = { type: 'job.start', attempt: 1, at: now };
const timeOut = (kind: TimeoutKind, by: 'timer' | 'hand' | 'watchdog' = 'timer'): JobEvent => ({
  type: 'job.timeOut',
  kind,
  by,
});
const delayed = (delay: string, state: string) =>
  ({ type: `xstate.after.${delay}.job.${state}` }) as unknown as JobEvent;
const stored: JobEvent = { type: 'verdict.stored' };
const due = (kind: TimeoutKind): JobEvent => ({ type: 'timeout.due', kind });
const read = (at: number): JobEvent => ({ type: 'wallClock.read', at });
const ack: JobEvent = { type: 'attempt.acknowledged' };
const changed = (given: Partial<AttemptTimeouts> = {}): JobEvent => {
  const { jobTimeoutMs, heartbeatTimeoutMs, progressTimeoutMs, deadlineAt } = { ...input, ...given };
  return {
    type: 'timeouts.changed',
    timeouts: { jobTimeoutMs, heartbeatTimeoutMs, progressTimeoutMs, deadlineAt },
    left: { job: 0, heartbeat: 20, progress: Infinity },
    at: now,
  };
};
const cancel: JobEvent = { type: 'job.cancel', reason: null };

function run(
  events: JobEvent[],
  given: Partial<JobChartInput> = {},
): { end: JobSnapshot; effects: string[] } {
  let [snapshot] = initialTransition(jobMachine, { ...input, ...given });
  let effects: string[] = [];
  for (const event of events) {
    const [next, actions] = transition(jobMachine, snapshot, event);
    snapshot = next;
    effects = actions.map(({ type, params }: { type: string; params: unknown }) => {
      const {
        event: sent,
        id,
        sendId,
      } = (params ?? {}) as { event?: { type: string }; id?: string; sendId?: string };
      return [type, sendId ?? (type === 'xstate.raise' ? id : sent?.type)].filter(Boolean).join(' ');
    });
  }
  return { end: snapshot, effects };
}

const processing = { running: 'processing' };

const table: [string, JobEvent[], unknown, Partial<JobChartInput>?][] = [
  ['waits', [], 'queued'],
  ['starts', [start], processing],
  ['is cancelled at rest', [cancel], 'cancelled'],
  ['times out in the queue', [due('queue')], 'timedOut'],
  ['times out at rest by its deadline', [due('deadline')], 'timedOut'],
  ['cannot complete before it starts', [ended('completed')], 'queued'],
  ['goes on with a heartbeat', [start, { type: 'chunk.heartbeat' }], processing],
  ['goes on with a chunk', [start, { type: 'chunk.completed' }], processing],
  ['stores its completion first', [start, ended('completed')], { running: 'settling' }],
  ['is completed once stored', [start, ended('completed'), stored], 'completed'],
  ['retries a failure', [start, ended('failed'), stored], 'retrying'],
  ['fails without a retry', [start, ended('failed'), stored], 'failed', { maxAttempts: 1 }],
  [
    'fails where failures are not retried',
    [start, ended('failed'), stored],
    'failed',
    { retryOn: ['timedOut'] },
  ],
  [
    'fails where the pause would pass the deadline',
    [start, ended('failed'), stored],
    'failed',
    { deadlineAt: now + 500 },
  ],
  [
    'fails at once where the error says that it is not to be retried',
    [
      start,
      {
        type: 'attempt.ended',
        outcome: { kind: 'failed', failure: { name: 'Error', message: 'no', retryable: false } },
        at: now,
        stopSeconds: null,
      },
      stored,
    ],
    'failed',
  ],
  [
    'is not retried after a timeout where it says so on its way out',
    [
      start,
      timeOut('job'),
      {
        type: 'attempt.ended',
        outcome: { kind: 'failed', failure: { name: 'Error', message: 'no', retryable: false } },
        at: now,
        stopSeconds: 0.1,
      },
      stored,
    ],
    'timedOut',
  ],
  ['waits out the pause', [start, ended('failed'), stored, delayed('backoff', 'retrying')], 'queued'],
  ['is asked at the job timeout', [start, due('job')], { stopping: 'ask' }],
  ['is asked at the heartbeat timeout', [start, due('heartbeat')], { stopping: 'ask' }],
  ['is asked at the progress timeout', [start, due('progress')], { stopping: 'ask' }],
  [
    'looks at the wall clock first when the delay of its deadline is over',
    [start, due('deadline')],
    processing,
  ],
  ['is asked once that says so', [start, due('deadline'), read(now + 9_000_000)], { stopping: 'ask' }],
  ['goes on where the clock was set back', [start, due('deadline'), read(now + 8_000_000)], processing],
  ['gets its grace when it answers', [start, cancel, ack], { stopping: 'grace' }],
  [
    'gets none when it is silent',
    [start, cancel, delayed('askDelay', 'stopping.ask')],
    { stopping: 'terminate' },
  ],
  [
    'inline gets it anyway',
    [start, cancel, delayed('askDelay', 'stopping.ask')],
    { stopping: 'grace' },
    { isKillable: false },
  ],
  [
    'is terminated after the grace',
    [start, cancel, ack, delayed('graceDelay', 'stopping.grace')],
    { stopping: 'terminate' },
  ],
  [
    'is killed after that',
    [
      start,
      cancel,
      ack,
      delayed('graceDelay', 'stopping.grace'),
      delayed('terminateDelay', 'stopping.terminate'),
    ],
    { stopping: 'kill' },
  ],
  ['is killed at once when the lease is lost', [start, { type: 'lease.lost' }], { stopping: 'kill' }],
  [
    'is proven dead next when its watchdog killed it',
    [start, timeOut('heartbeat', 'watchdog')],
    { stopping: 'kill' },
  ],
  [
    'is retried like any timeout when its watchdog killed it',
    [start, timeOut('heartbeat', 'watchdog'), ended('failed'), stored],
    'retrying',
  ],
  [
    'stays on its rung when its watchdog is quicker than the ladder',
    [start, timeOut('heartbeat'), ack, timeOut('heartbeat', 'watchdog')],
    { stopping: 'grace' },
  ],
  ['leaves the rest to its new owner', [start, { type: 'lease.lost' }, ended('stopped')], 'superseded'],
  ['is cancelled once dead and stored', [start, cancel, ended('failed'), stored], 'cancelled'],
  ['retries a timeout once dead', [start, timeOut('heartbeat'), ended('stopped'), stored], 'retrying'],
  ['does not retry a timeout by hand', [start, timeOut('job', 'hand'), ended('stopped'), stored], 'timedOut'],
  ['does not retry a deadline', [start, timeOut('deadline'), ended('stopped'), stored], 'timedOut'],
  ['accepts a completion before the kill', [start, timeOut('job'), ended('completed'), stored], 'completed'],
  ['goes back to the queue', [start, { type: 'job.handBack' }, ended('stopped'), stored], 'queued'],
  [
    'obeys a cancel while it is stopped for a retry',
    [start, timeOut('job'), cancel, ended('stopped'), stored],
    'cancelled',
  ],
  [
    'waits for an engine that does not answer',
    [start, ended('completed'), { type: 'verdict.unanswered' }],
    { running: 'pausing' },
  ],
  [
    'ends instead of being retried where it was told to elsewhere',
    [
      start,
      ended('failed'),
      { type: 'verdict.overruled', intent: { kind: 'cancel', reason: 'elsewhere' } },
      stored,
    ],
    'cancelled',
  ],
  ['goes on with other timeouts', [start, changed()], processing],
  ['times out where what is left of one is nothing', [start, changed(), due('job')], { stopping: 'ask' }],
  [
    'goes by its new deadline',
    [start, changed({ deadlineAt: now + 10 }), due('deadline'), read(now + 10)],
    { stopping: 'ask' },
  ],
  [
    'and not by its old one',
    [start, changed({ deadlineAt: null }), due('deadline'), read(now + 9_000_000)],
    processing,
  ],
  ['is not taken back from a stop by other timeouts', [start, due('job'), changed()], { stopping: 'ask' }],
  [
    'is retried, or not, by the deadline that there is when it has been stopped',
    [start, due('job'), changed({ deadlineAt: now + 500 }), ended('stopped'), stored],
    'timedOut',
  ],
  ['yields to a newer attempt', [start, ended('completed'), { type: 'verdict.refused' }], 'superseded'],
];

describe('a job', () => {
  test.each(table)('%s', (_, events, state, given) => {
    expect(run(events, given).end.value).toEqual(state);
  });

  test('starts its attempt once, however often it beats', () => {
    expect(run([start]).effects).toContain('xstate.spawnChild');
    expect(run([start, { type: 'chunk.heartbeat' }]).effects).not.toContain('xstate.spawnChild');
    expect(run([start, { type: 'chunk.heartbeat' }]).effects).not.toContain('xstate.stopChild');
  });

  test('a heartbeat arms the heartbeat timer anew and leaves the others', () => {
    const timers = (events: JobEvent[]) =>
      run(events).effects.filter((effect) => /raise|cancel/.test(effect));
    expect(timers([start, { type: 'chunk.heartbeat' }])).toEqual([
      'xstate.cancel heartbeat',
      'xstate.raise heartbeat',
    ]);
    expect(timers([start, { type: 'chunk.completed' }])).toEqual([
      'xstate.cancel heartbeat',
      'xstate.cancel progress',
      'xstate.raise heartbeat',
      'xstate.raise progress',
    ]);
  });

  test('a timeout that is off arms nothing, and what was armed is disarmed at the end', () => {
    const inline = {
      heartbeatTimeoutMs: Infinity,
      progressTimeoutMs: Infinity,
      deadlineAt: null,
      queueDueAt: null,
    };
    const timers = (events: JobEvent[], given = {}) =>
      run(events, given).effects.filter((effect) => /raise|cancel/.test(effect));
    expect(timers([start], inline)).toEqual(['xstate.raise job']);
    expect(timers([start, ended('completed')], inline)).toEqual(['xstate.cancel job']);
    expect(timers([start])).toEqual([
      'xstate.cancel queue',
      'xstate.cancel deadline',
      'xstate.raise job',
      'xstate.raise heartbeat',
      'xstate.raise progress',
      'xstate.raise deadline',
    ]);
  });

  test('other timeouts arm what is left of them, and the next beat the whole', () => {
    let [snapshot] = initialTransition(jobMachine, input);
    const delays = [start, changed({ heartbeatTimeoutMs: 90 }), { type: 'chunk.heartbeat' } as const].map(
      (event) => {
        const [next, actions] = transition(jobMachine, snapshot, event);
        snapshot = next;
        return actions.flatMap(({ type, params }) =>
          type === 'xstate.raise' ? [[params.id, params.delay]] : [],
        );
      },
    );
    expect(delays.slice(1)).toEqual([
      [
        ['job', 0],
        ['heartbeat', 20],
        ['deadline', 9_000_000],
      ],
      [['heartbeat', 90]],
    ]);
  });

  test('the ladder tells the attempt each rung', () => {
    const silent = [start, cancel, delayed('askDelay', 'stopping.ask')];
    expect(run([start, cancel]).effects).toContain('xstate.sendTo stop.ask');
    expect(run(silent).effects).toContain('xstate.sendTo stop.terminate');
    expect(run([...silent, delayed('terminateDelay', 'stopping.terminate')]).effects).toContain(
      'xstate.sendTo stop.kill',
    );
  });

  test('an unproven stop is final at the last attempt, and the record says so', () => {
    const climbed = [
      start,
      cancel,
      delayed('askDelay', 'stopping.ask'),
      delayed('terminateDelay', 'stopping.terminate'),
    ];
    const { end } = run([...climbed, delayed('killDelay', 'stopping.kill'), stored]);
    expect(end.value).toBe('cancelled');
    expect(end.context.verdict?.stop).toEqual({ confirmed: false, rung: 'kill', tookSeconds: null });
  });

  test('of an unproven attempt nothing is taken any more', () => {
    const climbed = [start, timeOut('job'), delayed('askDelay', 'stopping.ask')];
    const given = { isKillable: false };
    const { end, effects } = run([...climbed, delayed('graceDelay', 'stopping.grace')], given);
    expect(end.value).toEqual({ stopping: 'unconfirmed' });
    expect(effects).toContain('xstate.sendTo stop.refuse');
  });
});
