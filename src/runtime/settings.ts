// The settings of a job: their names, defaults, environment variables, checks, and who wins. This is the only
// place that knows; the settings table of docs/options.md is checked against it by a test.

import type { Isolation } from '../actors/attempt.ts';
import type { FrozenSettings, Timeouts } from '../engines/engine.ts';
import { ConfigurationError, describeValue } from './errors.ts';

/** An outcome that a retry may follow. */
export type RetryOutcome = 'failed' | 'timedOut';

/** Whether and when a job is tried again, from its checkpoint. */
export interface RetrySettings {
  /** Attempts in all, at least 1. Default 1: no retry. */
  maxAttempts?: number;
  /** Which outcomes are tried again. Default: both. A cancel or a timeout by hand never is. */
  on?: RetryOutcome[];
  /**
   * The pause before the next attempt; it never passes the deadline. Default: fixed, 0 s. `exponential` doubles it each
   * time, up to `maxSeconds`. `jitter`: the part of it that is left to chance, so that what failed together is not tried
   * again together; 0 to 1, default 0.5 for exponential, 0 for fixed.
   */
  backoff?: { kind: 'fixed' | 'exponential'; seconds: number; maxSeconds?: number; jitter?: number };
}

/** Seconds everywhere, fractions allowed; Infinity = off. The nearest wins: submit, definition, processor, environment, default. */
export interface JobSettings {
  /** From the start of an attempt to its end. Default 7200. */
  jobTimeoutSeconds?: number;
  /** From the last sign of life. Default 60; inline code beats only by hand, so there it is off unless set. */
  heartbeatTimeoutSeconds?: number;
  /** From the last finished chunk. Default 600 for chunked jobs, off for others. */
  progressTimeoutSeconds?: number;
  /** From submit to the first start. Default off. */
  queueTimeoutSeconds?: number;
  /** From submit to the final state, all attempts together. Default off. */
  deadlineSeconds?: number;
  /** Between the signal and the kill. Default 5. 0 skips straight to the kill. */
  graceSeconds?: number;
  /**
   * Resident memory of the attempt's process, in MB of 2^20 bytes; a bare one takes some 80. Above it the attempt
   * fails with ERR_UNSTUCK_MEMORY_LIMIT. For `process` isolation. Default off.
   */
  memoryLimitMb?: number;
  /**
   * How often its host may end while the job runs inside it (inline or in a thread) with no checkpoint between, before it
   * is failed rather than tried for ever. At least 1. Default 3.
   */
  maxCrashes?: number;
  /** Items a chunk should hold, at least 1. Default 1000. */
  chunkSize?: number;
  retry?: RetrySettings;
}

export const timeoutNames = [
  'jobTimeoutSeconds',
  'heartbeatTimeoutSeconds',
  'progressTimeoutSeconds',
  'queueTimeoutSeconds',
  'deadlineSeconds',
] as const;

/** Timeouts of a job that was submitted already. What is not named stays. */
export type TimeoutSettings = Pick<JobSettings, (typeof timeoutNames)[number]>;

/** Throws ConfigurationError for what is none, or nothing. */
export function checkTimeouts(given: TimeoutSettings): Partial<Timeouts> {
  const expected = `an object of ${timeoutNames.join(', ')}`;
  checkFields('timeouts', given, timeoutNames);
  const named = Object.fromEntries(Object.entries(given).filter(([, seconds]) => seconds !== undefined));
  if (Object.keys(named).length === 0) throw new ConfigurationError('timeouts', expected, 'an empty one');
  checkSettings(named);
  return named;
}

/** Every number of a job with its default and variable, in the order of the options table. */
export const numberSettings = [
  { name: 'jobTimeoutSeconds', fallback: 7200, variable: 'RECONCILIATION_JOB_TIMEOUT_SECONDS' },
  { name: 'heartbeatTimeoutSeconds', fallback: 60, variable: 'RECONCILIATION_HEARTBEAT_TIMEOUT_SECONDS' },
  { name: 'progressTimeoutSeconds', fallback: 600, variable: 'RECONCILIATION_PROGRESS_TIMEOUT_SECONDS' },
  { name: 'queueTimeoutSeconds', fallback: Infinity, variable: 'RECONCILIATION_QUEUE_TIMEOUT_SECONDS' },
  { name: 'deadlineSeconds', fallback: Infinity, variable: 'RECONCILIATION_DEADLINE_SECONDS' },
  { name: 'graceSeconds', fallback: 5, variable: 'RECONCILIATION_GRACE_SECONDS' },
  { name: 'memoryLimitMb', fallback: Infinity, variable: 'RECONCILIATION_MEMORY_LIMIT_MB' },
  { name: 'maxCrashes', fallback: 3, variable: 'RECONCILIATION_MAX_CRASHES' },
  { name: 'chunkSize', fallback: 1000, variable: 'RECONCILIATION_CHUNK_SIZE' },
] as const;

/** The one number of `retry` that a variable can set; the others belong together. */
export const attemptsSetting = { fallback: 1, variable: 'RECONCILIATION_MAX_ATTEMPTS' };

const seconds = { expected: 'seconds above 0, or Infinity for off', fits: (n: number) => n > 0 };
const whole = (least: number) => ({
  expected: `a whole number, ${least} or more`,
  fits: (n: number) => n >= least && Number.isInteger(n),
});
/** s */
const day = 86_400;

/** Every number of a processor alone, in the order of the options table. */
export const processorNumbers = [
  {
    name: 'maxConcurrentJobs',
    fallback: 10,
    variable: 'RECONCILIATION_MAX_CONCURRENT_JOBS',
    ...whole(1),
  },
  { name: 'spares', fallback: 1, variable: 'RECONCILIATION_SPARES', ...whole(0) },
  {
    name: 'monitorIntervalSeconds',
    fallback: 60,
    variable: 'RECONCILIATION_MONITOR_INTERVAL_SECONDS',
    ...seconds,
  },
  {
    name: 'leaseSeconds',
    fallback: 12,
    variable: 'RECONCILIATION_LEASE_SECONDS',
    expected: 'seconds, 3 to 3600',
    fits: (n: number) => n >= 3 && n <= 3600,
  },
  {
    name: 'queueTooOldSeconds',
    fallback: 3600,
    variable: 'RECONCILIATION_QUEUE_TOO_OLD_SECONDS',
    ...seconds,
  },
  {
    name: 'keepCompletedSeconds',
    fallback: 7 * day,
    variable: 'RECONCILIATION_KEEP_COMPLETED_SECONDS',
    ...seconds,
  },
  {
    name: 'keepFailedSeconds',
    fallback: 30 * day,
    variable: 'RECONCILIATION_KEEP_FAILED_SECONDS',
    ...seconds,
  },
] as const;

export type ProcessorNumbers = Record<(typeof processorNumbers)[number]['name'], number>;

/** The option, else its variable, else the default. */
export function resolveProcessorNumbers(
  options: Partial<ProcessorNumbers>,
  environment: NodeJS.ProcessEnv,
): ProcessorNumbers {
  const resolved = processorNumbers.map(({ name, fallback, variable, expected, fits }) => {
    checkNumber(name, options[name], expected, fits);
    const fromVariable = readVariable(variable, environment);
    checkNumber(variable, fromVariable, expected, fits);
    return [name, options[name] ?? fromVariable ?? fallback];
  });
  return Object.fromEntries(resolved);
}

/** Refuses what is neither a setting nor one of `others`: a misspelt option must not be silently without effect. */
export function checkKnown(options: object, others: readonly string[]): void {
  const known = [...others, ...numberSettings.map(({ name }) => name), 'retry'];
  for (const field of Object.keys(options)) {
    if (known.includes(field)) continue;
    throw new ConfigurationError(field, 'a known option', 'an unknown one', `Known: ${known.join(', ')}.`);
  }
}

/** Throws ConfigurationError at the first field that cannot be used. `prefix` says whose field it is. */
export function checkSettings(settings: JobSettings, prefix = ''): void {
  for (const name of timeoutNames) checkDuration(prefix + name, settings[name]);
  checkNumber(
    `${prefix}graceSeconds`,
    settings.graceSeconds,
    'seconds, 0 or more',
    (n) => n >= 0 && n < Infinity,
  );
  checkNumber(
    `${prefix}memoryLimitMb`,
    settings.memoryLimitMb,
    'megabytes above 0, or Infinity for off',
    (n) => n > 0,
  );
  checkNumber(
    `${prefix}maxCrashes`,
    settings.maxCrashes,
    'a whole number, 1 or more, or Infinity',
    (n) => n >= 1 && (n === Infinity || Number.isInteger(n)),
  );
  checkNumber(
    `${prefix}chunkSize`,
    settings.chunkSize,
    'a whole number, 1 or more',
    (n) => n >= 1 && Number.isInteger(n),
  );
  const { retry } = settings;
  if (retry === undefined) return;
  checkFields(`${prefix}retry`, retry, ['maxAttempts', 'on', 'backoff']);
  checkNumber(
    `${prefix}retry.maxAttempts`,
    retry.maxAttempts,
    'a whole number, 1 or more',
    (n) => n >= 1 && Number.isInteger(n),
  );
  for (const outcome of retry.on ?? []) {
    if (outcome !== 'failed' && outcome !== 'timedOut') {
      throw new ConfigurationError(`${prefix}retry.on`, "'failed' or 'timedOut'", describeValue(outcome));
    }
  }
  if (retry.backoff === undefined) return;
  checkFields(`${prefix}retry.backoff`, retry.backoff, ['kind', 'seconds', 'maxSeconds', 'jitter']);
  if (retry.backoff.kind !== 'fixed' && retry.backoff.kind !== 'exponential') {
    throw new ConfigurationError(
      `${prefix}retry.backoff.kind`,
      "'fixed' or 'exponential'",
      describeValue(retry.backoff.kind),
    );
  }
  checkNumber(
    `${prefix}retry.backoff.seconds`,
    retry.backoff.seconds ?? null,
    'seconds, 0 or more',
    (n) => n >= 0 && n < Infinity,
  );
  checkDuration(`${prefix}retry.backoff.maxSeconds`, retry.backoff.maxSeconds);
  checkNumber(
    `${prefix}retry.backoff.jitter`,
    retry.backoff.jitter,
    'a part of the pause, 0 to 1',
    (n) => n >= 0 && n <= 1,
  );
}

function checkFields(field: string, value: unknown, names: readonly string[]): void {
  const expected = `an object of ${names.join(', ')}`;
  if (typeof value !== 'object' || value === null)
    throw new ConfigurationError(field, expected, describeValue(value));
  for (const name of Object.keys(value)) {
    if (!names.includes(name)) throw new ConfigurationError(`${field}.${name}`, expected, 'an unknown field');
  }
}

export function checkDuration(field: string, value: unknown): void {
  checkNumber(field, value, 'seconds above 0, or Infinity for off', (n) => n > 0);
}

export function checkNumber(
  field: string,
  value: unknown,
  expected: string,
  fits: (n: number) => boolean,
): void {
  if (value === undefined) return;
  if (typeof value !== 'number' || !fits(value))
    throw new ConfigurationError(field, expected, describeValue(value));
}

/** A number from the environment, or undefined. `off` means Infinity; anything else unusable is an error. */
export function readVariable(variable: string, environment: NodeJS.ProcessEnv): number | undefined {
  const text = environment[variable]?.trim();
  if (text === undefined || text === '') return undefined;
  if (text === 'off') return Infinity;
  const value = Number(text);
  const unit = variable.endsWith('_SECONDS') ? ' of seconds' : '';
  if (Number.isNaN(value))
    throw new ConfigurationError(variable, `a number${unit}, or off`, describeValue(text));
  return value;
}

export function environmentSettings(environment: NodeJS.ProcessEnv): JobSettings {
  const found: JobSettings = {};
  const read = (variable: string, settingOf: (value: number) => JobSettings) => {
    const value = readVariable(variable, environment);
    if (value === undefined) return;
    const setting = settingOf(value);
    // Checked one by one, so that the error names the variable and not the option it stands for.
    try {
      checkSettings(setting);
    } catch (error) {
      if (error instanceof ConfigurationError)
        throw new ConfigurationError(variable, error.expected, error.got);
      throw error;
    }
    Object.assign(found, setting);
  };
  for (const { name, variable } of numberSettings) read(variable, (value) => ({ [name]: value }));
  read(attemptsSetting.variable, (maxAttempts) => ({ retry: { maxAttempts } }));
  return found;
}

/** The layers nearest first; what no layer sets takes the default for this kind of job. */
export function resolveSettings(
  layers: readonly (JobSettings | undefined)[],
  job: { chunked: boolean; isolation: Isolation },
): FrozenSettings {
  const nearest = <K extends keyof JobSettings>(name: K) =>
    layers.find((layer) => layer?.[name] !== undefined)?.[name];
  const numbers = Object.fromEntries(
    numberSettings.map(({ name, fallback }) => [name, nearest(name) ?? fallback]),
  ) as Record<(typeof numberSettings)[number]['name'], number>;
  // What a layer meant for all kinds of jobs must not time out one that cannot give the sign.
  if (
    job.isolation === 'inline' &&
    layers[0]?.heartbeatTimeoutSeconds === undefined &&
    layers[1]?.heartbeatTimeoutSeconds === undefined
  ) {
    numbers.heartbeatTimeoutSeconds = Infinity;
  }
  // Where it was meant for this very job it was refused before.
  if (job.isolation !== 'process') numbers.memoryLimitMb = Infinity;
  if (!job.chunked) numbers.progressTimeoutSeconds = Infinity;
  const nearestRetry = <K extends keyof RetrySettings>(name: K) =>
    layers.find((layer) => layer?.retry?.[name] !== undefined)?.retry?.[name];
  const backoff = nearestRetry('backoff');
  return Object.freeze({
    ...numbers,
    retry: Object.freeze({
      maxAttempts: nearestRetry('maxAttempts') ?? attemptsSetting.fallback,
      on: Object.freeze([...(nearestRetry('on') ?? (['failed', 'timedOut'] as const))]),
      backoff: Object.freeze({
        kind: backoff?.kind ?? 'fixed',
        seconds: backoff?.seconds ?? 0,
        maxSeconds: backoff?.maxSeconds ?? Infinity,
        jitter: backoff?.jitter ?? (backoff?.kind === 'exponential' ? 0.5 : 0),
      }),
    }),
  });
}
