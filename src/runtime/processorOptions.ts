// The options of a processor: checked and completed once, at construction.

import type { MeterProvider, TracerProvider } from '@opentelemetry/api';
import { type Logger, pino } from 'pino';
import type { Places } from '../actors/attempt.ts';
import { isChunked } from '../actors/jobCode.ts';
import { type LeaseTimes, leaseTimes } from '../actors/leaseTimes.ts';
import { systemClock } from '../actors/systemClock.ts';
import type { Clock } from '../engines/clock.ts';
import type { Engine } from '../engines/engine.ts';
import { lateEngine } from '../engines/lateEngine.ts';
import { MemoryEngine } from '../engines/memory.ts';
import { SqliteEngine } from '../engines/sqlite/sqlite.ts';
import { type AnyDefinition, checkMemoryLimit, isolationOf, type Jobs } from './definitions.ts';
import { ConfigurationError, describeValue } from './errors.ts';
import { checkLimits } from './limits.ts';
import { defaultNodeName, isNodeName, nodeNameExpected } from './nodes.ts';
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
import { checkTargets, type WebhookOptions } from './webhooks/targets.ts';
import { ownPrefix, Webhooks } from './webhooks/webhooks.ts';

/** OpenTelemetry's providers, each by default the one that is registered globally: it does nothing until an SDK is. */
export interface TelemetryOptions {
  meterProvider?: MeterProvider;
  tracerProvider?: TracerProvider;
}

/** Of `unstuck/testing`: what attempts run in, in place of processes and threads. */
export const placesOption = Symbol('unstuck.places');

/** As libpq reads it. */
export type PostgresUrl = `postgres://${string}` | `postgresql://${string}`;

/** Of `new JobProcessor`. The settings are the defaults of its jobs. */
export interface ProcessorOptions<J extends Jobs> extends JobSettings {
  /**
   * Where jobs are kept. `'memory'`: in this process, and gone with it. `'sqlite:jobs.db'`: in that file (of a folder
   * that exists), for all processes of this machine. `'postgres://user@host/database'`: in that database, for any number
   * of machines; needs the package `pg`. No default: nothing is created unasked.
   */
  engine: 'memory' | `sqlite:${string}` | PostgresUrl | Engine;
  /**
   * Of `sqlite` and `postgres`. `full`: what was acknowledged survives the loss of power. `normal`: the end of every process; the loss
   * of power may take back the last moments. Default `full`: on PostgreSQL, as its server is set.
   */
  durability?: 'full' | 'normal';
  /** The jobs this processor knows, by name. */
  jobs: J;
  /** What this processor is called among those on its engine: 1 to 100 characters, none of them a control character. Default: host name and process id. */
  nodeName?: string;
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
  /**
   * How long a processor that is gone, or cannot reach the engine, keeps its jobs: then others go on with them. On PostgreSQL its
   * attempts have ended by then, so this is also how long the database may be away before they do (a quarter less). 3 to 3600, default 12.
   */
  leaseSeconds?: number;
  /** When a job has waited so long for a slot, `queueTooOld` is told: an event, a line of the log, webhooks. Default 3600; Infinity: never. */
  queueTooOldSeconds?: number;
  /**
   * Who else is told of failures and timeouts, by names of yours: `{ ops: { url, secret } }`. Sent by the processors that
   * have the target, stored with what they tell of, tried again for three days.
   */
  webhooks?: Readonly<Record<string, WebhookOptions>>;
  /** Completed jobs are removed, with their rows, so long after their end. Default 7 days; Infinity: never. */
  keepCompletedSeconds?: number;
  /** The same for those that failed, timed out or were cancelled. Default 30 days. */
  keepFailedSeconds?: number;
  /** A pino logger. Default: JSON lines on standard output, level `info`. */
  logger?: Logger;
  /** Where metrics and traces go. `false`: nowhere. Default: OpenTelemetry's global providers. */
  telemetry?: TelemetryOptions | false;
  /** For tests: the time to live on. */
  clock?: Clock;
  /** For tests: what the jitter of retries is drawn from, 0 to 1. Default Math.random. */
  random?: () => number;
  /** @internal */
  [placesOption]?: Places;
}

export interface ResolvedOptions extends Readonly<ProcessorNumbers> {
  readonly engine: Engine;
  readonly jobs: ReadonlyMap<string, AnyDefinition>;
  readonly webhooks: Webhooks;
  readonly nodeName: string;
  readonly lease: LeaseTimes;
  readonly onSlotsLost: 'stay' | 'exit';
  readonly logger: Logger;
  readonly telemetry: TelemetryOptions | false;
  readonly clock: Clock;
  readonly random: () => number;
  /** Null: processes, threads and this one. */
  readonly places: Places | null;
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
    nodeName = defaultNodeName,
    maxConcurrentJobs,
    spares,
    onSlotsLost = 'stay',
    monitorIntervalSeconds,
    leaseSeconds,
    queueTooOldSeconds,
    webhooks,
    keepCompletedSeconds,
    keepFailedSeconds,
    logger,
    telemetry,
    clock,
    random,
    [placesOption]: places = null,
    ...settings
  } = options;
  checkKnown(options, [
    'engine',
    'durability',
    'jobs',
    'nodeName',
    ...processorNumbers.map(({ name }) => name),
    'onSlotsLost',
    'webhooks',
    'logger',
    'telemetry',
    'clock',
    'random',
  ]);
  const numbers = resolveProcessorNumbers(
    {
      maxConcurrentJobs,
      spares,
      monitorIntervalSeconds,
      leaseSeconds,
      queueTooOldSeconds,
      keepCompletedSeconds,
      keepFailedSeconds,
    },
    environment,
  );
  if (onSlotsLost !== 'stay' && onSlotsLost !== 'exit') {
    throw new ConfigurationError('onSlotsLost', "'stay' or 'exit'", describeValue(onSlotsLost));
  }
  checkNodeName(nodeName);
  checkSettings(settings);
  if (logger !== undefined && typeof logger.child !== 'function') {
    throw new ConfigurationError('logger', 'a pino logger', describeValue(logger));
  }
  const registry = new Map(Object.entries(jobs ?? {}).map(([name, job]) => [name, checkJob(name, job)]));
  const time = clock ?? systemClock;
  return Object.freeze({
    engine: openable(engine, durability),
    jobs: registry,
    webhooks: new Webhooks(checkTargets(webhooks, [...registry.keys()]), time),
    nodeName,
    ...numbers,
    lease: leaseTimes(numbers.leaseSeconds),
    onSlotsLost,
    logger: logger ?? pino({ name: 'unstuck' }),
    telemetry: checkTelemetry(telemetry),
    clock: time,
    random: random ?? Math.random,
    places,
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

function checkNodeName(name: unknown): void {
  if (isNodeName(name)) return;
  throw new ConfigurationError('nodeName', nodeNameExpected, describeValue(name));
}

function checkTelemetry(telemetry: unknown = {}): TelemetryOptions | false {
  if (telemetry === false) return false;
  if (typeof telemetry !== 'object' || telemetry === null)
    throw new ConfigurationError(
      'telemetry',
      'an object with meterProvider and tracerProvider, or false',
      describeValue(telemetry),
    );
  const { meterProvider, tracerProvider, ...others } = telemetry as TelemetryOptions;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined)
    throw new ConfigurationError(`telemetry.${unknown}`, 'meterProvider or tracerProvider', 'an unknown one');
  if (meterProvider !== undefined && typeof meterProvider?.getMeter !== 'function')
    throw new ConfigurationError(
      'telemetry.meterProvider',
      'a meter provider of OpenTelemetry',
      describeValue(meterProvider),
    );
  if (tracerProvider !== undefined && typeof tracerProvider?.getTracer !== 'function')
    throw new ConfigurationError(
      'telemetry.tracerProvider',
      'a tracer provider of OpenTelemetry',
      describeValue(tracerProvider),
    );
  return { meterProvider, tracerProvider };
}

function openable(engine: unknown, durability: unknown): Engine {
  if (durability !== undefined && durability !== 'full' && durability !== 'normal') {
    throw new ConfigurationError('durability', "'full' or 'normal'", describeValue(durability));
  }
  if (engine === 'memory') return new MemoryEngine();
  const path = typeof engine === 'string' ? /^sqlite:(.+)$/.exec(engine)?.[1] : undefined;
  if (path !== undefined) return new SqliteEngine({ path, durability });
  if (typeof engine === 'string' && /^postgres(ql)?:\/\//.test(engine))
    return postgres(readable(engine), durability);
  if (typeof engine === 'object' && engine !== null && 'claim' in engine) return engine as Engine;
  throw new ConfigurationError(
    'engine',
    "'memory', 'sqlite:FILE' or 'postgres://HOST/DATABASE'",
    describeValue(engine),
    'It has no default: say where jobs are kept.',
  );
}

function postgres(url: string, durability: 'full' | 'normal' | undefined): Engine {
  return lateEngine({ name: 'postgres', spansMachines: true }, async () => {
    const { PostgresEngine } = await import('../engines/postgres/postgres.ts');
    return new PostgresEngine({ url, durability });
  });
}

/** Not repeated where it cannot be read: it may hold a password. */
function readable(url: string): string {
  if (URL.canParse(url)) return url;
  throw new ConfigurationError(
    'engine',
    'a URL such as postgres://user@host:5432/database',
    'one that cannot be read',
    'Characters such as @, / and # in a password are written as %40, %2F and %23.',
  );
}

function checkJob(name: string, job: unknown): AnyDefinition {
  const field = `jobs.${name}`;
  if (name.startsWith(ownPrefix))
    throw new ConfigurationError(field, `a name that does not begin with ${ownPrefix}`, describeValue(name));
  if (name === '') throw new ConfigurationError('jobs', 'names that are not empty', 'an empty one');
  if (typeof job !== 'object' || job === null || !('run' in job || 'chunks' in job)) {
    throw new ConfigurationError(field, 'a job of defineJob or defineChunkedJob', describeValue(job));
  }
  checkSettings(job as JobSettings, `${field}.`);
  checkLimits(`${field}.limits`, (job as AnyDefinition).limits);
  checkMemoryLimit(`${field}.memoryLimitMb`, job as JobSettings, isolationOf(job as AnyDefinition));
  return job as AnyDefinition;
}
