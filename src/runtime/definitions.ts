// How a job is declared. A definition is a plain object: spread it to make a variation of it. `defineJob` and
// `defineChunkedJob` fix its types and check its fields when it is written, not when it first runs.

import { pathToFileURL } from 'node:url';
import type { Isolation } from '../actors/attempt.ts';
import type { ChunkedJobCode, JobCode, OneJobCode } from '../actors/jobCode.ts';
import { ConfigurationError, describeValue } from './errors.ts';
import { checkLimits, type Limits } from './limits.ts';
import { checkSettings, type JobSettings } from './settings.ts';
import type { StandardSchema } from './standardSchema.ts';

/** What both kinds of job have. */
export interface Definition<In, I> extends JobSettings {
  /**
   * The file whose default export this definition is: `import.meta.url`, or `__filename` in CommonJS.
   * With it the job runs isolated; without it, inline.
   */
  module?: string | URL;
  /** Default: `process` with a module, `inline` without. */
  isolation?: Isolation;
  /**
   * An attempt that ended by itself leaves its process or thread to the next of the same job, which saves the
   * start and the imports. What one leaves in memory the next one sees. Default false: a new one each time.
   */
  reuse?: boolean;
  /** Over all processors of the engine. */
  limits?: Limits;
  /** Any Standard Schema (zod, valibot, arktype, …). Checked at submit, before anything is stored. */
  input?: StandardSchema<In, I>;
}

/** What `defineJob` takes: one function, and settings. */
export interface OneJob<In, I, R> extends Definition<In, I>, OneJobCode<I, R> {}
/** What `defineChunkedJob` takes: a fold over chunks, and settings. */
export interface ChunkedJob<In, I, C, T, R> extends Definition<In, I>, ChunkedJobCode<I, C, T, R> {}

declare const types: unique symbol;
/** A checked definition; `In` is what submit takes, `R` what the job gives back. */
export interface JobDefinition<In = unknown, R = unknown> {
  readonly [types]?: { input: In; result: R };
}

/** A registry by name. No type parameters: they would flow back into a definition that is written in place. */
export type Jobs = Record<string, { readonly [types]?: object }>;
/** What `submit` takes for a definition. */
export type InputOf<D> = D extends JobDefinition<infer In, unknown> ? In : never;
/** What a job of a definition gives back, before its journey through JSON. */
// biome-ignore lint/suspicious/noExplicitAny: `never` would not match a phantom input.
export type ResultOf<D> = D extends JobDefinition<any, infer R> ? R : never;

/** One function is the job: `defineJob({ run: (input: { to: string }) => send(input.to) })`. */
export function defineJob<I, R, In = I>(job: OneJob<In, I, R>): OneJob<In, I, R> & JobDefinition<In, R> {
  checkDefinition(job, ['run']);
  return job as OneJob<In, I, R> & JobDefinition<In, R>;
}

/** A fold over chunks, resumable after each: see {@link ChunkedJob}. */
export function defineChunkedJob<I, T, C, R = C, In = I>(
  job: ChunkedJob<In, I, C, T, R>,
): ChunkedJob<In, I, C, T, R> & JobDefinition<In, R> {
  checkDefinition(job, ['chunks', 'process']);
  if (job.start === undefined) {
    throw new ConfigurationError(
      'start',
      'the first checkpoint',
      'nothing',
      'Give null where there is none.',
    );
  }
  return job as ChunkedJob<In, I, C, T, R> & JobDefinition<In, R>;
}

function checkDefinition(job: object, functions: string[]): void {
  const fields = job as Record<string, unknown>;
  for (const name of functions) {
    if (typeof fields[name] !== 'function') {
      throw new ConfigurationError(name, 'a function', describeValue(fields[name]));
    }
  }
  const { isolation, reuse } = fields;
  if (isolation !== undefined && !isolations.includes(isolation as Isolation)) {
    throw new ConfigurationError('isolation', "'process', 'thread' or 'inline'", describeValue(isolation));
  }
  if (reuse !== undefined && typeof reuse !== 'boolean') {
    throw new ConfigurationError('reuse', 'true or false', describeValue(reuse));
  }
  if ((isolation === 'process' || isolation === 'thread') && fields.module === undefined) {
    throw new ConfigurationError(
      'module',
      'the file of an isolated job',
      'nothing',
      'Set module: import.meta.url and export the definition as default.',
    );
  }
  checkSettings(job as JobSettings);
  checkLimits('limits', (job as Definition<unknown, unknown>).limits);
  checkMemoryLimit('memoryLimitMb', job as JobSettings, isolationOf(job as AnyDefinition));
}

const isolations: readonly Isolation[] = ['process', 'thread', 'inline'];

/** A limit that nothing would keep is refused. `field` is its name for the error. */
export function checkMemoryLimit(field: string, { memoryLimitMb }: JobSettings, isolation: Isolation): void {
  if (memoryLimitMb === undefined || memoryLimitMb === Infinity || isolation === 'process') return;
  throw new ConfigurationError(
    field,
    "a job with isolation 'process'",
    `one with '${isolation}'`,
    'A thread shares the memory of its host.',
  );
}

/** A definition as the runtime uses it, its phantom types gone. */
// biome-ignore lint/suspicious/noExplicitAny: see Jobs.
export type AnyDefinition = Definition<any, any> &
  JobCode & {
    /** Of jobs of our own: see OwnContext. */
    readonly given?: unknown;
  };

export function isolationOf(definition: AnyDefinition): Isolation {
  return definition.isolation ?? (definition.module === undefined ? 'inline' : 'process');
}

/** A path or file URL as `import()` takes it on every system. */
export function moduleUrl(module: string | URL): string {
  const text = String(module);
  return text.startsWith('file:') ? text : pathToFileURL(text).href;
}
