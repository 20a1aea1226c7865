// The options of a processor: checked and completed once, at construction.

import { type Logger, pino } from 'pino';
import { isChunked } from '../actors/jobCode.ts';
import { systemClock } from '../actors/systemClock.ts';
import type { Clock } from '../engines/clock.ts';
import type { Engine } from '../engines/engine.ts';
import { MemoryEngine } from '../engines/memory.ts';
import { SqliteEngine } from '../engines/sqlite/sqlite.ts';
import { type AnyDefinition, checkMemoryLimit, isolationOf, type Jobs } from './definitions.ts';
import { ConfigurationError, describeValue } from './errors.ts';
import { checkLimits } from './limits.ts';
import {
  checkKnown,
  checkSettings,
  environmentSettings,
  type JobSettings,
  type ProcessorNumbers,
  processorNumbers,
  resolveProcessorNumbers,
  resolveSettings,
} from './settings.ts';

/** Of `new JobProcessor`. The settings are the defaults of its jobs. */
export interface ProcessorOptions<J extends Jobs> extends JobSettings {
  /**
   * Where jobs are kept. `'memory'`: in this process, and gone with it. `'sqlite:jobs.db'`: in that file (of a folder
   * that exists), for all processes of this machine. No default: nothing is created unasked.
   */
  engine: 'memory' | `sqlite:${string}` | Engine;
  /**
   * Of `sqlite`. `full`: what was acknowledged survives the loss of power. `normal`: the end of every process; the loss
   * of power may take back the last moments. Default `full`.
   */
  durability?: 'full' | 'normal';
  /** The jobs this processor knows, by name. */
  jobs: J;
  /** Attempts alive at once, at least 1. Default 10. */
  maxConcurrentJobs?: number;
  /**
   * Processes kept started ahead, and as many threads, where the registry has jobs for them: a job then starts
   * in milliseconds. 0 or more. Default 1. Each runs one attempt.
   */
  spares?: number;
  /**
   * When every slot is held by an attempt that could not be proven stopped, `exit` ends this process (SIGKILL: a
   * thread in a native call would hold up any other exit), for an orchestrator to start it anew. Default `stay`.
   */
  onSlotsLost?: 'stay' | 'exit';
  /** Pause between two sweeps of the monitor. Default 60. */
  monitorIntervalSeconds?: number;
  /** Completed jobs are removed, with their rows, so long after their end. Default 7 days; Infinity: never. */
  keepCompletedSeconds?: number;
  /** The same for those that failed, timed out or were cancelled. Default 30 days. */
  keepFailedSeconds?: number;
  /** A pino logger. Default: JSON lines on standard output, level `info`. */
  logger?: Logger;
  /** For tests: the time to live on. */
  clock?: Clock;
  /** For tests: what the jitter of retries is drawn from, 0 to 1. Default Math.random. */
  random?: () => number;
}

export interface ResolvedOptions extends Readonly<ProcessorNumbers> {
  readonly engine: Engine;
  readonly jobs: ReadonlyMap<string, AnyDefinition>;
  readonly onSlotsLost: 'stay' | 'exit';
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  readonly settings: JobSettings;
  readonly environment: JobSettings;
}

export function resolveOptions(
  options: ProcessorOptions<Jobs>,
  environment: NodeJS.ProcessEnv,
): ResolvedOptions {
  const {
    engine,
    durability,
    jobs,
    maxConcurrentJobs,
    spares,
    onSlotsLost = 'stay',
    monitorIntervalSeconds,
    keepCompletedSeconds,
    keepFailedSeconds,
    logger,
    clock,
    random,
    ...settings
  } = options;
  checkKnown(options, [
    'engine',
    'durability',
    'jobs',
    ...processorNumbers.map(({ name }) => name),
    'onSlotsLost',
    'logger',
    'clock',
    'random',
  ]);
  const numbers = resolveProcessorNumbers(
    { maxConcurrentJobs, spares, monitorIntervalSeconds, keepCompletedSeconds, keepFailedSeconds },
    environment,
  );
  if (onSlotsLost !== 'stay' && onSlotsLost !== 'exit') {
    throw new ConfigurationError('onSlotsLost', "'stay' or 'exit'", describeValue(onSlotsLost));
  }
  checkSettings(settings);
  if (logger !== undefined && typeof logger.child !== 'function') {
    throw new ConfigurationError('logger', 'a pino logger', describeValue(logger));
  }
  return Object.freeze({
    engine: openable(engine, durability),
    jobs: new Map(Object.entries(jobs ?? {}).map(([name, job]) => [name, checkJob(name, job)])),
    ...numbers,
    onSlotsLost,
    logger: logger ?? pino({ name: 'unstuck' }),
    clock: clock ?? systemClock,
    random: random ?? Math.random,
    settings,
    environment: environmentSettings(environment),
  });
}

/** The settings that a job submitted now would run with. */
export function settingsFor(options: ResolvedOptions, definition: AnyDefinition, submit?: JobSettings) {
  return resolveSettings([submit, definition, options.settings, options.environment], {
    chunked: isChunked(definition),
    isolation: isolationOf(definition),
  });
}

function openable(engine: unknown, durability: unknown): Engine {
  if (durability !== undefined && durability !== 'full' && durability !== 'normal') {
    throw new ConfigurationError('durability', "'full' or 'normal'", describeValue(durability));
  }
  if (engine === 'memory') return new MemoryEngine();
  const path = typeof engine === 'string' ? /^sqlite:(.+)$/.exec(engine)?.[1] : undefined;
  if (path !== undefined) return new SqliteEngine({ path, durability });
  if (typeof engine === 'object' && engine !== null && 'claim' in engine) return engine as Engine;
  throw new ConfigurationError(
    'engine',
    "'memory' or 'sqlite:FILE'",
    describeValue(engine),
    'It has no default: say where jobs are kept.',
  );
}

function checkJob(name: string, job: unknown): AnyDefinition {
  const field = `jobs.${name}`;
  if (name === '') throw new ConfigurationError('jobs', 'names that are not empty', 'an empty one');
  if (typeof job !== 'object' || job === null || !('run' in job || 'chunks' in job)) {
    throw new ConfigurationError(field, 'a job of defineJob or defineChunkedJob', describeValue(job));
  }
  checkSettings(job as JobSettings, `${field}.`);
  checkLimits(`${field}.limits`, (job as AnyDefinition).limits);
  checkMemoryLimit(`${field}.memoryLimitMb`, job as JobSettings, isolationOf(job as AnyDefinition));
  return job as AnyDefinition;
}
