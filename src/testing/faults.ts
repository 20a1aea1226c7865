// Faults by name, each at a point of one attempt, and once. A fault that never happened is remembered: a test that plants it
// tests nothing.

import { ConfigurationError, describeValue } from '../runtime/errors.ts';
import type { Job } from '../runtime/job.ts';
import { type Duration, toSeconds } from './duration.ts';
import type { Hang, Point, SimulatedAttempt } from './simulatedAttempt.ts';

/** Where a fault happens. */
export interface FaultPlace {
  /** The name of a job, or one job. Default: any. */
  job?: string | Job;
  /** Default 1. */
  attempt?: number;
  /** The number of the chunk in the job, from 1. Without it: as the attempt begins. */
  chunk?: number;
  /** Default: `chunk`, before it is processed; without a chunk `start`. */
  at?: Point;
}

/** The faults, and what each can be told beside its place. */
export interface FaultOptions {
  /** The code hangs. `as`, default `loop`: see {@link Hang}. It goes on with `release()`, if it was not ended before. */
  hang: FaultPlace & { as?: Hang };
  /**
   * The attempt's process ends: by a signal (default SIGSEGV) or with a code. `of: 'host'`: the processor does, as by `kill -9`;
   * another one takes its jobs over when the lease has lapsed. Inline code takes its host with it.
   */
  crash: FaultPlace & { of?: 'attempt' | 'host'; signal?: string; exitCode?: number };
  /** The code throws. */
  fail: FaultPlace & { error?: unknown };
  /** Another processor takes the job: this attempt's token is stale, and its late writes are refused. */
  loseLease: FaultPlace;
  /** It shows a sign of life only every so often: seconds, or a text with a unit. */
  slowHeartbeat: FaultPlace & { every: Duration };
  /** The wall clock is set, by so much: seconds, below 0 too, or a text with a unit. */
  clockJump: FaultPlace & { by: Duration };
}

/** Of `fault()`. */
export type FaultName = keyof FaultOptions;

/** A fault that was asked for. */
export interface Fault {
  readonly name: FaultName;
  readonly hasHappened: boolean;
  /** What hangs goes on. */
  release(): void;
}

/** What faults do it to. */
export interface FaultyWorld {
  /** The number in the job of the chunk that the attempt is at. */
  chunkOf(attempt: SimulatedAttempt): number;
  killHost(): void;
  takeLease(attempt: SimulatedAttempt): Promise<void>;
  jumpClock(seconds: number): void;
}

const names: readonly FaultName[] = ['hang', 'crash', 'fail', 'loseLease', 'slowHeartbeat', 'clockJump'];
const points: readonly Point[] = ['start', 'chunk', 'checkpoint', 'acknowledged', 'outcome'];
const hangs: readonly Hang[] = ['await', 'loop', 'deaf', 'unkillable'];

class PlannedFault implements Fault {
  readonly name: FaultName;
  readonly place: Required<Pick<FaultPlace, 'attempt' | 'at'>> & Pick<FaultPlace, 'job' | 'chunk'>;
  readonly act: (attempt: SimulatedAttempt) => void | Promise<void>;
  struck: SimulatedAttempt | null = null;

  constructor(
    name: FaultName,
    place: PlannedFault['place'],
    act: (attempt: SimulatedAttempt) => void | Promise<void>,
  ) {
    this.name = name;
    this.place = place;
    this.act = act;
  }

  get hasHappened(): boolean {
    return this.struck !== null;
  }

  release(): void {
    this.struck?.release();
  }

  toString(): string {
    const { job, attempt, chunk, at } = this.place;
    const where = chunk === undefined ? '' : `, chunk: ${chunk}`;
    const whose = job === undefined ? '' : `, job: '${typeof job === 'string' ? job : job.id}'`;
    return `${this.name} { attempt: ${attempt}${where}, at: '${at}'${whose} }`;
  }
}

export class Faults {
  readonly #world: FaultyWorld;
  readonly #planned: PlannedFault[] = [];

  constructor(world: FaultyWorld) {
    this.#world = world;
  }

  plan<N extends FaultName>(name: N, options: FaultOptions[N]): Fault {
    if (!names.includes(name))
      throw new ConfigurationError('fault', `one of ${names.join(', ')}`, describeValue(name));
    checkOptions(name, options);
    const planned = new PlannedFault(name, placeOf(options), this.#actOf(name, options));
    this.#planned.push(planned);
    return planned;
  }

  /** What is to happen here, where something is. */
  reached(attempt: SimulatedAttempt, point: Point): Promise<void> | undefined {
    const here = this.#planned.filter(
      ({ hasHappened, place }) => !hasHappened && this.#isAt(place, attempt, point),
    );
    return here.length === 0 ? undefined : this.#strike(attempt, here);
  }

  async #strike(attempt: SimulatedAttempt, faults: PlannedFault[]): Promise<void> {
    for (const fault of faults) {
      fault.struck = attempt;
      await fault.act(attempt);
    }
  }

  /** In words, those that have not happened. */
  unused(): string[] {
    return this.#planned.filter(({ hasHappened }) => !hasHappened).map(String);
  }

  #isAt({ job, attempt, chunk, at }: PlannedFault['place'], by: SimulatedAttempt, point: Point): boolean {
    const { start } = by.spec;
    if (point !== at || start.attempt !== attempt) return false;
    if (typeof job === 'string' ? job !== start.name : job !== undefined && job.id !== start.jobId)
      return false;
    return chunk === undefined || this.#world.chunkOf(by) === chunk;
  }

  #actOf(name: FaultName, given: FaultOptions[FaultName]): PlannedFault['act'] {
    const world = this.#world;
    switch (name) {
      case 'hang': {
        const { as = 'loop' } = given as FaultOptions['hang'];
        if (!hangs.includes(as))
          throw new ConfigurationError('hang.as', `one of ${hangs.join(', ')}`, describeValue(as));
        return (attempt) => attempt.hang(as);
      }
      case 'crash': {
        const { of = 'attempt', signal, exitCode } = given as FaultOptions['crash'];
        if (of !== 'attempt' && of !== 'host')
          throw new ConfigurationError('crash.of', "'attempt' or 'host'", describeValue(of));
        const exit = exitCode === undefined ? { signal: signal ?? 'SIGSEGV' } : { exitCode };
        return (attempt) => {
          if (of === 'host' || attempt.isolation === 'inline') world.killHost();
          else attempt.end(attempt.isolation === 'thread' ? { exitCode: exitCode ?? 1 } : exit);
        };
      }
      case 'fail': {
        const { error = new Error('failed by a fault') } = given as FaultOptions['fail'];
        return () => {
          throw error;
        };
      }
      case 'loseLease':
        return (attempt) => world.takeLease(attempt);
      case 'slowHeartbeat': {
        const seconds = toSeconds('slowHeartbeat.every', (given as FaultOptions['slowHeartbeat']).every);
        return (attempt) => attempt.slowBeats(seconds);
      }
      case 'clockJump': {
        const { by } = given as FaultOptions['clockJump'];
        const seconds = toJump('clockJump.by', by);
        return () => world.jumpClock(seconds);
      }
    }
  }
}

/** Seconds, below 0 too. Throws ConfigurationError. */
export function toJump(field: string, by: Duration): number {
  if (typeof by === 'number' && by < 0) return -toSeconds(field, -by);
  return typeof by === 'string' && by.startsWith('-')
    ? -toSeconds(field, by.slice(1) as Duration)
    : toSeconds(field, by);
}

/** Of `steps()`. Throws ConfigurationError. */
export function checkPoints(at: readonly Point[]): void {
  if (Array.isArray(at) && at.length > 0 && at.every((point) => points.includes(point))) return;
  throw new ConfigurationError('at', `some of ${points.join(', ')}`, describeValue(at));
}

/** What a fault can be told beside its place. */
const options: Record<FaultName, readonly string[]> = {
  hang: ['as'],
  crash: ['of', 'signal', 'exitCode'],
  fail: ['error'],
  loseLease: [],
  slowHeartbeat: ['every'],
  clockJump: ['by'],
};

function checkOptions(name: FaultName, given: object): void {
  const known = ['job', 'attempt', 'chunk', 'at', ...options[name]];
  for (const field of Object.keys(given))
    if (!known.includes(field))
      throw new ConfigurationError(`${name}.${field}`, `one of ${known.join(', ')}`, 'an unknown one');
}

function placeOf({ job, attempt = 1, chunk, at }: FaultPlace): PlannedFault['place'] {
  const whole = (field: string, value: unknown) => {
    if (!Number.isInteger(value) || (value as number) < 1)
      throw new ConfigurationError(field, 'a whole number, 1 or more', describeValue(value));
  };
  whole('attempt', attempt);
  if (chunk !== undefined) whole('chunk', chunk);
  if (at !== undefined && !points.includes(at))
    throw new ConfigurationError('at', `one of ${points.join(', ')}`, describeValue(at));
  const isInChunk = at !== 'start' && at !== 'outcome';
  if (chunk !== undefined && !isInChunk)
    throw new ConfigurationError(
      'at',
      "'chunk', 'checkpoint' or 'acknowledged' with a chunk",
      describeValue(at),
    );
  if (chunk === undefined && at !== undefined && isInChunk)
    throw new ConfigurationError('chunk', `the number of a chunk with at: '${at}'`, 'nothing');
  if (job !== undefined && typeof job !== 'string' && typeof job?.id !== 'string')
    throw new ConfigurationError('job', 'the name of a job, or a job that was submitted', describeValue(job));
  return { job, attempt, chunk, at: at ?? (chunk === undefined ? 'start' : 'chunk') };
}
