// What the job's chart does on its way: each step with all of its effects, and what it then knows. Pure: no clock, no actors.

import { describe, expect, test } from 'vitest';
import { initialTransition, transition } from 'xstate';
import { claimedJobMachine, jobMachine } from '../../src/machines/job.ts';
import type { JobChartInput, JobEvent } from '../../src/machines/jobMessages.ts';
import { ended, input, type JobSnapshot, now } from './explore.ts';

type Step = [event: JobEvent, state: string, effects: string[]];

const start: JobEvent = { type: 'job.start', attempt: 1, at: now };
const cancel: JobEvent = { type: 'job.cancel', reason: 'not needed' };
const stored: JobEvent = { type: 'verdict.stored' };
const ack: JobEvent = { type: 'attempt.acknowledged' };
const handBack: JobEvent = { type: 'job.handBack' };
const leaseLost: JobEvent = { type: 'lease.lost' };
const timeOut = (kind: 'job' | 'heartbeat' | 'deadline', by: 'hand' | 'monitor' | 'watchdog'): JobEvent => ({
  ...{ type: 'job.timeOut', kind, by },
});
const due = (kind: 'job' | 'queue' | 'deadline'): JobEvent => ({ type: 'timeout.due', kind });
const after = (delay: string, state: string) =>
  ({ type: `xstate.after.${delay}.job.${state}` }) as unknown as JobEvent;
const [askOver, graceOver, terminateOver, killOver] = (['ask', 'grace', 'terminate', 'kill'] as const).map(
  (rung) => after(`${rung}Delay`, `stopping.${rung}`),
) as [JobEvent, JobEvent, JobEvent, JobEvent];
const changed: JobEvent = {
  type: 'timeouts.changed',
  timeouts: { jobTimeoutMs: 1, heartbeatTimeoutMs: 2, progressTimeoutMs: Infinity, deadlineAt: now + 70 },
  left: { job: 0, heartbeat: 500, progress: Infinity },
  at: now + 20,
};

const armed = ['arm job 7200000', 'arm heartbeat 60000', 'arm progress 600000', 'arm deadline 9000000'];
const disarmed = ['disarm job', 'disarm heartbeat', 'disarm progress', 'disarm deadline'];
const begun = [
  'disarm queue',
  'disarm deadline',
  'spawn processChunks as attempt {"token":"token-1"}',
  ...armed,
];
const started: Step = [start, 'running.processing', begun];
const stored1 = (intent: string) =>
  `spawn storeIntent {"jobId":"job-1","token":"token-1","intent":${intent}}`;
const byCancel = '{"kind":"cancel","reason":"not needed"}';
const byJobTimeout = '{"kind":"timeout","timeout":"job","by":"timer"}';
const askedFor = (intent: string) => [
  stored1(intent),
  `tell {"type":"stop.ask","intent":${intent}}`,
  'wait askDelay 1000',
];
const cancelled: Step = [cancel, 'stopping.ask', [...disarmed, ...askedFor(byCancel)]];
const timedOut: Step = [
  due('job'),
  'stopping.ask',
  [...disarmed, 'emit {"type":"timeout.found","kind":"job","by":"timer"}', ...askedFor(byJobTimeout)],
];
const silent: Step[] = [
  [askOver, 'stopping.terminate', ['tell {"type":"stop.terminate"}', 'wait terminateDelay 1000']],
  [terminateOver, 'stopping.kill', ['tell {"type":"stop.kill"}', 'wait killDelay 5000']],
];
const unproven = (intent: string) => [
  'tell {"type":"stop.refuse"}',
  `emit {"type":"stop.unconfirmed","stop":{"confirmed":false,"rung":"kill","tookSeconds":null},"intent":${intent}}`,
];
const proven = (rung: string, intent: string) =>
  `emit {"type":"stop.proven","stop":{"confirmed":true,"rung":"${rung}","tookSeconds":0.5},"intent":${intent}}`;

function effectOf({ type, params }: { type: string; params?: unknown }): string[] {
  const { id, delay, sendId, src, input, event } = (params ?? {}) as Record<string, string | object>;
  const waits = /^xstate\.after\.(\w+)\./.exec(String(id ?? sendId))?.[1];
  switch (type) {
    case 'xstate.raise':
      if (waits !== undefined) return [`wait ${waits} ${delay}`];
      expect(event).toEqual({ type: 'timeout.due', kind: id });
      return [`arm ${id} ${delay}`];
    case 'xstate.cancel':
      // Its own delays XState ends by itself.
      return waits === undefined ? [`disarm ${sendId}`] : [];
    case 'xstate.stopChild':
      return [];
    case 'xstate.spawnChild':
      return [`spawn ${src}${id === undefined ? '' : ` as ${id}`} ${JSON.stringify(input)}`];
    case 'xstate.sendTo':
      return [`tell ${JSON.stringify(event)}`];
    case 'xstate.emit':
      return [`emit ${JSON.stringify(event)}`];
    default:
      return [type];
  }
}

const stateOf = ({ value }: JobSnapshot): string =>
  typeof value === 'string' ? value : Object.entries(value).flat().join('.');

function walk(steps: Step[], given: Partial<JobChartInput> = {}): JobSnapshot['context'] {
  let [snapshot] = initialTransition(jobMachine, { ...input, ...given });
  for (const [index, [event, state, effects]] of steps.entries()) {
    const [next, actions] = transition(jobMachine, snapshot, event);
    snapshot = next;
    const seen = actions.flatMap((action) => effectOf(action as { type: string }));
    expect({ index, state: stateOf(snapshot), effects: seen }).toEqual({ index, state, effects });
  }
  return snapshot.context;
}

describe('an attempt that ends by itself', () => {
  test('is stored with its result before the job is completed', () => {
    const { verdict, intent, stop } = walk([
      started,
      [ended('completed'), 'running.settling', [...disarmed, 'storeVerdict']],
      [stored, 'completed', []],
    ]);
    expect(verdict).toMatchObject({ state: 'completed', result: '1' });
    expect({ intent, stop }).toEqual({ intent: null, stop: null });
  });

  test('and has failed waits out its pause, and begins anew with nothing of the last attempt', () => {
    const {
      attempt,
      verdict,
      now: at,
    } = walk([
      started,
      [ended('failed'), 'running.settling', [...disarmed, 'storeVerdict']],
      [stored, 'retrying', ['arm deadline 9000000', 'wait backoff 1000']],
      [
        after('backoff', 'retrying'),
        'queued',
        ['disarm deadline', 'arm queue 50000', 'arm deadline 9000000'],
      ],
      [
        { type: 'job.start', attempt: 2, at: now + 60 },
        'running.processing',
        begun.with(-1, 'arm deadline 8999940'),
      ],
    ]);
    expect({ attempt, verdict, at }).toEqual({ attempt: 2, verdict: null, at: now + 60 });
  });

  test('is started in its pause too, by who claims it', () => {
    walk([
      started,
      [ended('failed'), 'running.settling', [...disarmed, 'storeVerdict']],
      [stored, 'retrying', ['arm deadline 9000000', 'wait backoff 1000']],
      [start, 'running.processing', begun.slice(1)],
    ]);
  });
});

describe('at rest', () => {
  const found = (kind: string, by = 'timer') => `emit {"type":"timeout.found","kind":"${kind}","by":"${by}"}`;
  const off = ['disarm queue', 'disarm deadline'];
  const paused: Step[] = [
    started,
    [ended('failed'), 'running.settling', [...disarmed, 'storeVerdict']],
    [stored, 'retrying', ['arm deadline 9000000', 'wait backoff 1000']],
  ];

  test('the chart waits for its queue timeout and its deadline', () => {
    const [, actions] = initialTransition(jobMachine, input);
    expect(actions.flatMap((action) => effectOf(action as { type: string }))).toEqual([
      'arm queue 50000',
      'arm deadline 9000000',
    ]);
  });

  test('what is due already is due at once, and what is off never', () => {
    const [, actions] = initialTransition(jobMachine, { ...input, queueDueAt: now - 5, deadlineAt: null });
    expect(actions.flatMap((action) => effectOf(action as { type: string }))).toEqual(['arm queue 0']);
  });

  test.each<[string, Step[], Step, object]>([
    ['its queue timeout', [], [due('queue'), 'timedOut', [...off, found('queue')]], { timeout: 'queue' }],
    [
      'a timeout',
      [],
      [timeOut('deadline', 'monitor'), 'timedOut', [...off, found('deadline', 'monitor')]],
      { by: 'monitor' },
    ],
    ['a cancel', [], [cancel, 'cancelled', off], { reason: 'not needed' }],
    [
      'its deadline, in a pause',
      paused,
      [due('deadline'), 'timedOut', ['disarm deadline', found('deadline')]],
      { by: 'timer' },
    ],
    [
      'a timeout, in a pause',
      paused,
      [timeOut('job', 'hand'), 'timedOut', ['disarm deadline', found('job', 'hand')]],
      { by: 'hand' },
    ],
    ['a cancel, in a pause', paused, [cancel, 'cancelled', ['disarm deadline']], { kind: 'cancel' }],
  ])('it is ended by %s', (_, before, last, intent) => {
    expect(walk([...before, last]).intent).toMatchObject(intent);
  });
});

describe('the deadline of an attempt', () => {
  const found = 'emit {"type":"timeout.found","kind":"deadline","by":"timer"}';
  const looked: Step = [due('deadline'), 'running.processing', ['readWallClock']];
  const intent = '{"kind":"timeout","timeout":"deadline","by":"timer"}';

  test('is counted anew from where the wall clock stands', () => {
    const early: Step = [
      { type: 'wallClock.read', at: now + 8_999_999 },
      'running.processing',
      ['disarm deadline', 'arm deadline 1'],
    ];
    expect(walk([started, looked, early]).intent).toBeNull();
  });

  test('ends it once the wall clock has come to it', () => {
    const late: Step = [
      { type: 'wallClock.read', at: now + 9_000_000 },
      'stopping.ask',
      [...disarmed, found, ...askedFor(intent)],
    ];
    expect(walk([started, looked, late]).intent).toEqual(JSON.parse(intent));
  });

  test('that there is none is no time either', () => {
    walk(
      [
        [start, 'running.processing', ['disarm queue', begun[2] as string, ...armed.slice(0, 3)]],
        [{ type: 'wallClock.read', at: now + 9_000_000 }, 'running.processing', []],
      ],
      { deadlineAt: null },
    );
  });
});

describe('the ladder', () => {
  test('is climbed rung by rung, and the end proven on each', () => {
    const ending: JobEvent = { ...(ended('stopped') as object), exitCode: 1, signal: 'SIGKILL' } as JobEvent;
    const { stop, verdict } = walk([
      started,
      cancelled,
      [ack, 'stopping.grace', ['wait graceDelay 5000']],
      [graceOver, 'stopping.terminate', ['tell {"type":"stop.terminate"}', 'wait terminateDelay 1000']],
      [terminateOver, 'stopping.kill', ['tell {"type":"stop.kill"}', 'wait killDelay 5000']],
      [
        ending,
        'stopping.settling',
        [
          `emit {"type":"stop.proven","stop":{"confirmed":true,"rung":"kill","tookSeconds":0.5,"exitCode":1,"signal":"SIGKILL"},"intent":${byCancel}}`,
          'storeVerdict',
        ],
      ],
      [stored, 'cancelled', []],
    ]);
    expect(stop).toEqual({ confirmed: true, rung: 'kill', tookSeconds: 0.5, exitCode: 1, signal: 'SIGKILL' });
    expect(verdict).toMatchObject({ state: 'cancelled', reason: 'not needed', stop });
  });

  test.each<[string, Step[], string]>([
    ['ask', [], 'ask'],
    ['grace', [[ack, 'stopping.grace', ['wait graceDelay 5000']]], 'grace'],
    ['terminate', silent.slice(0, 1), 'terminate'],
  ])('records an end on the rung %s', (_, climbed, rung) => {
    const { stop } = walk([
      started,
      cancelled,
      ...climbed,
      [ended('stopped'), 'stopping.settling', [proven(rung, byCancel), 'storeVerdict']],
    ]);
    // Nothing is said of an exit that was not seen: no field of it either.
    expect(stop).toStrictEqual({ confirmed: true, rung, tookSeconds: 0.5 });
  });

  test('says which rung it is on, and that nothing is proven yet', () => {
    expect(walk([started, cancelled]).stop).toEqual({ confirmed: false, rung: 'ask', tookSeconds: null });
    const { stop } = walk([started, cancelled, ...silent.slice(0, 1)]);
    expect(stop).toEqual({ confirmed: false, rung: 'terminate', tookSeconds: null });
  });

  test('is climbed for a timeout that somebody else found, which is told', () => {
    const intent = '{"kind":"timeout","timeout":"heartbeat","by":"monitor"}';
    const found = 'emit {"type":"timeout.found","kind":"heartbeat","by":"monitor"}';
    walk([
      started,
      [timeOut('heartbeat', 'monitor'), 'stopping.ask', [...disarmed, found, ...askedFor(intent)]],
    ]);
  });

  test('of inline code ends with its grace', () => {
    const { stop } = walk(
      [
        started,
        timedOut,
        [askOver, 'stopping.grace', ['wait graceDelay 5000']],
        [
          graceOver,
          'stopping.unconfirmed',
          unproven(byJobTimeout).map((effect) => effect.replace('kill', 'grace')),
        ],
      ],
      { isKillable: false },
    );
    expect(stop).toEqual({ confirmed: false, rung: 'grace', tookSeconds: null });
  });

  test('waits for nothing where there is no grace, but for the proof', () => {
    const at = (effects: string[]) => effects.map((effect) => effect.replace(' 1000', ' 0'));
    walk(
      [
        started,
        [cancel, 'stopping.ask', at([...disarmed, ...askedFor(byCancel)])],
        [ack, 'stopping.grace', ['wait graceDelay 0']],
        [graceOver, 'stopping.terminate', at(silent[0]?.[2] ?? [])],
        [terminateOver, 'stopping.kill', ['tell {"type":"stop.kill"}', 'wait killDelay 5000']],
      ],
      { graceMs: 0 },
    );
  });

  test('is left for the next attempt by a hand-back', () => {
    const intent = '{"kind":"handBack"}';
    const { verdict } = walk([
      started,
      [handBack, 'stopping.ask', [...disarmed, ...askedFor(intent)]],
      [ended('failed'), 'stopping.settling', [proven('ask', intent), 'storeVerdict']],
      [stored, 'queued', ['arm queue 50000', 'arm deadline 9000000']],
    ]);
    expect(verdict).toMatchObject({ state: 'queued', reason: 'handed back' });
  });

  test('begins with the kill where the watchdog has killed already', () => {
    const intent = '{"kind":"timeout","timeout":"heartbeat","by":"watchdog"}';
    walk([
      started,
      [
        timeOut('heartbeat', 'watchdog'),
        'stopping.kill',
        [
          ...disarmed,
          'emit {"type":"timeout.found","kind":"heartbeat","by":"watchdog"}',
          stored1(intent),
          'tell {"type":"stop.kill"}',
          'wait killDelay 5000',
        ],
      ],
    ]);
  });
});

describe('what is asked while it is climbed', () => {
  const byHand = '{"kind":"timeout","timeout":"job","by":"hand"}';
  const byDeadline = '{"kind":"timeout","timeout":"deadline","by":"monitor"}';

  test.each<[string, Step, Step, string]>([
    ['a cancel counts', timedOut, [cancel, 'stopping.ask', [stored1(byCancel)]], byCancel],
    [
      'a timeout by hand counts',
      timedOut,
      [timeOut('job', 'hand'), 'stopping.ask', [stored1(byHand)]],
      byHand,
    ],
    [
      'a deadline counts',
      timedOut,
      [timeOut('deadline', 'monitor'), 'stopping.ask', [stored1(byDeadline)]],
      byDeadline,
    ],
    [
      'another timeout does not',
      timedOut,
      [timeOut('heartbeat', 'monitor'), 'stopping.ask', []],
      byJobTimeout,
    ],
    ['nothing undoes a cancel', cancelled, [timeOut('job', 'hand'), 'stopping.ask', []], byCancel],
    [
      'nothing undoes a cancel, a deadline neither',
      cancelled,
      [timeOut('deadline', 'monitor'), 'stopping.ask', []],
      byCancel,
    ],
  ])('%s', (_, before, asked, intent) => {
    expect(walk([started, before, asked]).intent).toEqual(JSON.parse(intent));
  });

  test('other timeouts are known to the next attempt, and arm nothing', () => {
    const {
      deadlineAt,
      jobTimeoutMs,
      heartbeatTimeoutMs,
      progressTimeoutMs,
      now: at,
    } = walk([started, timedOut, [changed, 'stopping.ask', []]]);
    expect({ deadlineAt, jobTimeoutMs, heartbeatTimeoutMs, progressTimeoutMs, at }).toEqual({
      ...(changed as { timeouts: object }).timeouts,
      at: now + 20,
    });
  });
});

test('other timeouts arm what is left of each, and of the deadline what there is from then on', () => {
  walk([
    started,
    [changed, 'running.processing', [...disarmed, 'arm job 0', 'arm heartbeat 500', 'arm deadline 50']],
    [{ type: 'chunk.completed' }, 'running.processing', ['disarm heartbeat', 'arm heartbeat 2']],
  ]);
});

describe('an attempt that could not be proven ended', () => {
  const climbed: Step[] = [
    started,
    timedOut,
    ...silent,
    [killOver, 'stopping.unconfirmed', unproven(byJobTimeout)],
  ];
  const late = { confirmed: true, rung: 'kill', tookSeconds: 0.5 };

  test('is held for a retry until it is, and what it says then comes too late', () => {
    const { verdict, stop } = walk([
      ...climbed,
      [ended('completed'), 'stopping.settling', [proven('kill', byJobTimeout), 'storeVerdict']],
      [stored, 'retrying', ['arm deadline 9000000', 'wait backoff 1000']],
    ]);
    expect(stop).toEqual(late);
    expect(verdict).toMatchObject({ state: 'retrying', timeout: 'job', result: undefined, stop: late });
  });

  test.each<[string, Step[], Partial<JobChartInput>, object]>([
    [
      'a cancel',
      [...climbed, [cancel, 'stopping.settling', [stored1(byCancel), 'storeVerdict']]],
      {},
      { state: 'cancelled', reason: 'not needed' },
    ],
    [
      'the lack of a retry',
      [
        started,
        timedOut,
        ...silent,
        [killOver, 'stopping.settling', [...unproven(byJobTimeout), 'storeVerdict']],
      ],
      { maxAttempts: 1 },
      { state: 'timedOut', timeout: 'job' },
    ],
    [
      'what is not retried',
      [
        started,
        timedOut,
        ...silent,
        [killOver, 'stopping.settling', [...unproven(byJobTimeout), 'storeVerdict']],
      ],
      { retryOn: ['failed'] },
      { state: 'timedOut', timeout: 'job' },
    ],
  ])('is final by %s, and the record says so', (_, steps, given, expected) => {
    expect(walk(steps, given).verdict).toMatchObject({
      ...expected,
      stop: { confirmed: false, rung: 'kill', tookSeconds: null },
    });
  });

  test('is held for a hand-back too', () => {
    const intent = '{"kind":"handBack"}';
    walk([
      started,
      [handBack, 'stopping.ask', [...disarmed, ...askedFor(intent)]],
      ...silent,
      [killOver, 'stopping.unconfirmed', unproven(intent)],
    ]);
  });
});

describe('a lost lease', () => {
  const intent = '{"kind":"leaseLost"}';
  const killed = ['tell {"type":"stop.kill"}', 'wait killDelay 5000'];
  const lost: Step = [leaseLost, 'stopping.kill', [...disarmed, stored1(intent), ...killed]];

  test('kills at once, and once however often it is told; the rest is its new owner’s', () => {
    const { verdict } = walk([
      started,
      lost,
      [leaseLost, 'stopping.kill', []],
      [ended('completed'), 'superseded', []],
    ]);
    expect(verdict).toBeNull();
  });

  test('kills an attempt that is being asked', () => {
    walk([started, cancelled, [leaseLost, 'stopping.kill', killed], [ended('stopped'), 'superseded', []]]);
  });

  test('of what could not be proven ended waits for its end', () => {
    walk([
      started,
      lost,
      [killOver, 'stopping.unconfirmed', unproven(intent)],
      [ended('stopped'), 'superseded', []],
    ]);
  });
});

describe.each<[string, Step[]]>([
  ['running', [started, [ended('failed'), 'running.settling', [...disarmed, 'storeVerdict']]]],
  [
    'stopping',
    [
      started,
      timedOut,
      [ended('stopped'), 'stopping.settling', [proven('ask', byJobTimeout), 'storeVerdict']],
    ],
  ],
])('a verdict on what was %s', (room, settling) => {
  const again: Step[] = [
    [{ type: 'verdict.unanswered' }, `${room}.pausing`, ['wait settlePause 1000']],
    [after('settlePause', `${room}.pausing`), `${room}.settling`, ['storeVerdict']],
  ];

  test('is stored again each second until the engine answers', () => {
    walk([
      ...settling,
      ...again,
      ...again,
      [stored, 'retrying', ['arm deadline 9000000', 'wait backoff 1000']],
    ]);
  });

  test('stays as it is, whatever is asked meanwhile', () => {
    const asked: JobEvent[] = [cancel, timeOut('job', 'hand'), leaseLost, ended('completed')];
    const unmoved = asked.map((event): Step => [event, `${room}.settling`, []]);
    const paused = asked.map((event): Step => [event, `${room}.pausing`, []]);
    const before = walk(settling).verdict;
    const [unanswered, over] = again as [Step, Step];
    expect(walk([...settling, ...unmoved, unanswered, ...paused, over]).verdict).toEqual(before);
  });

  test('is left to the new owner where it is refused', () => {
    walk([...settling, [{ type: 'verdict.refused' }, 'superseded', []]]);
  });

  test('gives way to what was asked elsewhere', () => {
    const { intent, verdict } = walk([
      ...settling,
      [
        { type: 'verdict.overruled', intent: { kind: 'cancel', reason: 'elsewhere' } },
        `${room}.settling`,
        ['storeVerdict'],
      ],
      [stored, 'cancelled', []],
    ]);
    expect(intent).toEqual({ kind: 'cancel', reason: 'elsewhere' });
    expect(verdict).toMatchObject({ state: 'cancelled', reason: 'elsewhere' });
  });
});

test('the chart is over in each final state, and in no other', () => {
  const lost: JobEvent[] = [start, leaseLost, ended('stopped')];
  const ends: [string, JobEvent[], Partial<JobChartInput>?][] = [
    ['queued', []],
    ['running', [start]],
    ['retrying', [start, ended('failed'), stored]],
    ['completed', [start, ended('completed'), stored]],
    ['failed', [start, ended('failed'), stored], { maxAttempts: 1 }],
    ['timedOut', [due('queue')]],
    ['cancelled', [cancel]],
    ['superseded', lost],
  ];
  for (const [state, events, given] of ends) {
    let [snapshot] = initialTransition(jobMachine, { ...input, ...given });
    for (const event of events) [snapshot] = transition(jobMachine, snapshot, event);
    const isLive = ['queued', 'running', 'retrying'].includes(state);
    expect([stateOf(snapshot).split('.')[0], snapshot.status]).toEqual([state, isLive ? 'active' : 'done']);
  }
});

test('a job that was just claimed begins where its row has come to', () => {
  const [snapshot, actions] = initialTransition(claimedJobMachine, { ...input, attempt: 3 });
  expect(stateOf(snapshot)).toBe('running.processing');
  expect(snapshot.context).toEqual({ ...input, attempt: 3, intent: null, stop: null, verdict: null });
  expect(actions.flatMap((action) => effectOf(action as { type: string }))).toEqual([
    'spawn processChunks as attempt {"token":"token-1"}',
    ...armed,
  ]);
});
