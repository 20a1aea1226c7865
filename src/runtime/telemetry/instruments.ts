// The instruments, as data: what the metrics are called, what they count in, and which attributes they have. The names are those
// of OpenTelemetry's semantic conventions for messaging where it has one. docs/metrics.md is made from this.

/** Names of attributes. */
export const attribute = {
  system: 'messaging.system.name',
  operation: 'messaging.operation.name',
  operationType: 'messaging.operation.type',
  job: 'messaging.destination.name',
  error: 'error.type',
  state: 'unstuck.job.state',
  outcome: 'unstuck.attempt.outcome',
  timeout: 'unstuck.timeout.kind',
  foundBy: 'unstuck.timeout.found_by',
  rung: 'unstuck.stop.rung',
  isConfirmed: 'unstuck.stop.confirmed',
  slot: 'unstuck.slot.state',
  node: 'unstuck.node.state',
} as const;

/** What stands for the names and types that are not told apart. */
export const other = '_OTHER';

type AttributeName = keyof typeof attribute;

export interface InstrumentDefinition {
  readonly name: string;
  readonly kind: 'counter' | 'histogram' | 'gauge';
  /** UCUM. */
  readonly unit: string;
  readonly about: string;
  readonly attributes: readonly AttributeName[];
  /** Of a histogram: the upper bounds of its buckets, in its unit. */
  readonly boundaries?: readonly number[];
  /** Of a gauge. `engine`: the same in all processes on it. */
  readonly of?: 'processor' | 'engine';
}

/** From what an inline job takes to what runs over night. */
const runSeconds = [0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14_400];
/** The ladder's own delays are of 1 and 5 s. */
const stopSeconds = [0.01, 0.05, 0.25, 1, 2, 5, 10, 30, 60, 300];
const sweepSeconds = [0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 15];

const messaging = ['system', 'operation', 'operationType', 'job'] as const;

export const instruments = {
  sent: {
    name: 'messaging.client.sent.messages',
    kind: 'counter',
    unit: '{message}',
    about: 'Jobs that were submitted here, by calls and by schedules.',
    attributes: messaging,
  },
  run: {
    name: 'messaging.process.duration',
    kind: 'histogram',
    unit: 's',
    about: 'Run time of attempts that ended here; its count is the attempts.',
    attributes: [...messaging, 'outcome', 'error'],
    boundaries: runSeconds,
  },
  jobs: {
    name: 'unstuck.job.count',
    kind: 'gauge',
    unit: '{job}',
    about: 'Jobs that are not over.',
    attributes: ['job', 'state'],
    of: 'engine',
  },
  queueAge: {
    name: 'unstuck.queue.age',
    kind: 'gauge',
    unit: 's',
    about: 'How long the job has waited that could have started first; 0: none waits.',
    attributes: ['job'],
    of: 'engine',
  },
  engineUp: {
    name: 'unstuck.engine.up',
    kind: 'gauge',
    unit: '1',
    about: 'Whether the engine answered, 1 or 0; if it did not, what is told of its jobs is that of before.',
    attributes: [],
    of: 'processor',
  },
  nodes: {
    name: 'unstuck.node.count',
    kind: 'gauge',
    unit: '{node}',
    about: 'Processors at work on the engine; those that are gone without a word, for a day.',
    attributes: ['node'],
    of: 'engine',
  },
  ended: {
    name: 'unstuck.job.ended',
    kind: 'counter',
    unit: '{job}',
    about: 'Jobs that came to a final state here.',
    attributes: ['job', 'state'],
  },
  timeouts: {
    name: 'unstuck.timeout.found',
    kind: 'counter',
    unit: '{timeout}',
    about: 'Jobs and attempts that were found past a timeout here.',
    attributes: ['job', 'timeout', 'foundBy'],
  },
  stop: {
    name: 'unstuck.stop.duration',
    kind: 'histogram',
    unit: 's',
    about:
      'From the request to stop to the proof that nothing of the attempt runs; unconfirmed: to giving up on it.',
    attributes: ['job', 'rung', 'isConfirmed'],
    boundaries: stopSeconds,
  },
  unconfirmed: {
    name: 'unstuck.attempt.unconfirmed',
    kind: 'gauge',
    unit: '{attempt}',
    about: 'Attempts here that could not be proven stopped and hold their slots.',
    attributes: ['job'],
    of: 'processor',
  },
  heartbeatAge: {
    name: 'unstuck.heartbeat.age',
    kind: 'gauge',
    unit: 's',
    about:
      'Since the last sign of life, of the attempt here with a heartbeat timeout that has been silent longest; 0: none.',
    attributes: ['job'],
    of: 'processor',
  },
  progressAge: {
    name: 'unstuck.progress.age',
    kind: 'gauge',
    unit: 's',
    about:
      'Since the last finished chunk, of the attempt here with a progress timeout that has stood longest; 0: none.',
    attributes: ['job'],
    of: 'processor',
  },
  slots: {
    name: 'unstuck.slot.count',
    kind: 'gauge',
    unit: '{slot}',
    about: 'Slots here.',
    attributes: ['slot'],
    of: 'processor',
  },
  sweep: {
    name: 'unstuck.sweep.duration',
    kind: 'histogram',
    unit: 's',
    about: "The monitor's sweeps; its count is the sweeps.",
    attributes: [],
    boundaries: sweepSeconds,
  },
  sweepFound: {
    name: 'unstuck.sweep.found',
    kind: 'counter',
    unit: '{job}',
    about: "Jobs that the monitor's sweeps found to be ended.",
    attributes: [],
  },
} as const satisfies Record<string, InstrumentDefinition>;
