// From what a caller submits to the row that is stored: everything that can be wrong with it is found here,
// before anything is kept.

import { v7 as uuid } from 'uuid';
import { toJsonText } from '../actors/jsonText.ts';
import type { Engine, NewJob, SqlTransaction, StoredJob } from '../engines/engine.ts';
import { type AnyDefinition, checkMemoryLimit, isolationOf } from './definitions.ts';
import { ConfigurationError, describeValue, InputError } from './errors.ts';
import { type ResolvedOptions, settingsFor } from './processorOptions.ts';
import { checkKnown, checkNumber, checkSettings, type JobSettings } from './settings.ts';
import type { StandardIssue } from './standardSchema.ts';

/** Of `submit`, for this one job. */
export interface SubmitOptions extends JobSettings {
  /**
   * Higher starts first, equal ones in the order of submission: a point lets a job pass up to 1000 that came before it, so that
   * none waits for ever. Default 0.
   */
  priority?: number;
  /** No attempt starts before. */
  startAfter?: Date;
  /** Of the jobs of this name with the same key, one is alive at a time, or as many as the definition's `limits` say. */
  concurrencyKey?: string;
  /** Submitting again with the same key and name gives the same job, as long as its row is kept. */
  idempotencyKey?: string;
  /**
   * With an engine on PostgreSQL: a client of `pg` with a transaction open on the same database. The job is there if and only if
   * that commits; until then nobody finds it.
   */
  transaction?: SqlTransaction;
}

/** Beside the settings. */
export const submitFields = ['priority', 'startAfter', 'concurrencyKey', 'idempotencyKey', 'transaction'];

/** Throws ConfigurationError where the registry has none of this name. */
export function definitionNamed({ jobs }: Pick<ResolvedOptions, 'jobs'>, name: string): AnyDefinition {
  const definition = jobs.get(name);
  if (definition !== undefined) return definition;
  const names = [...jobs.keys()].join(', ') || 'none';
  throw new ConfigurationError('name', `a job of the registry (${names})`, describeValue(name));
}

/** Each input of `inputs` as a job of its own, all with the same options; `field` names an input in errors. */
export async function prepareJobs(
  options: ResolvedOptions,
  name: string,
  inputs: readonly unknown[],
  submit: SubmitOptions = {},
  field: (index: number) => string = () => 'input',
): Promise<NewJob[]> {
  const definition = definitionNamed(options, name);
  const { priority = 0, startAfter, concurrencyKey, idempotencyKey, transaction, ...settings } = submit;
  checkKnown(submit, submitFields);
  checkSettings(settings);
  checkMemoryLimit('memoryLimitMb', settings, isolationOf(definition));
  checkNumber('priority', priority, 'a number between -1e9 and 1e9', (n) => Math.abs(n) <= 1e9);
  if (startAfter !== undefined && !(startAfter instanceof Date && !Number.isNaN(startAfter.getTime()))) {
    throw new ConfigurationError('startAfter', 'a valid Date', describeValue(startAfter));
  }
  checkKey('concurrencyKey', concurrencyKey);
  const { concurrencyPerKey, inOrder } = definition.limits ?? {};
  if (concurrencyKey === undefined && (concurrencyPerKey !== undefined || inOrder === true))
    throw new ConfigurationError(
      'concurrencyKey',
      'a string, for the definition limits these jobs by key',
      'none',
      'Give one at the submit, or take concurrencyPerKey and inOrder out of the definition.',
    );
  checkKey('idempotencyKey', idempotencyKey);
  if (transaction !== undefined && typeof transaction?.query !== 'function')
    throw new ConfigurationError(
      'transaction',
      'a client of pg with a transaction open',
      describeValue(transaction),
    );
  const common = {
    name,
    settings: settingsFor(options, definition, settings),
    priority,
    notBefore: startAfter?.getTime() ?? null,
    idempotencyKey: idempotencyKey ?? null,
    concurrencyKey: concurrencyKey ?? null,
    keyLimit: definition.limits?.concurrencyPerKey ?? 1,
    inOrder: definition.limits?.inOrder ?? false,
    retryOf: null,
    trace: null,
  };
  const jobs: NewJob[] = [];
  for (const [index, input] of inputs.entries()) {
    // However many they are, the host's loop turns.
    if (index % 1000 === 999) await new Promise(setImmediate);
    let value = input;
    if (definition.input !== undefined) {
      const checked = await definition.input['~standard'].validate(input);
      if (checked.issues !== undefined) {
        throw new InputError(checked.issues.map((issue) => describeIssue(field(index), issue)).join(' '));
      }
      value = checked.value;
    }
    jobs.push({ ...common, id: uuid(), input: toJsonText(value, field(index)) });
  }
  return jobs;
}

/** How prepared jobs are stored: by the engine, or by it in the caller's transaction. */
export function storing(
  engine: Engine,
  transaction: SqlTransaction | undefined,
): (jobs: readonly NewJob[]) => Promise<StoredJob[]> {
  if (transaction === undefined) return (jobs) => engine.submit(jobs);
  if (engine.submitWithin === undefined)
    throw new ConfigurationError(
      'transaction',
      'an engine on PostgreSQL, for the job is stored in its database',
      `the engine ${engine.name}`,
      'Submit after your transaction has committed, with an idempotencyKey.',
    );
  return (jobs) => (engine as Required<Engine>).submitWithin(transaction, jobs);
}

function checkKey(field: string, key: unknown): void {
  if (key !== undefined && (typeof key !== 'string' || key === '' || !key.isWellFormed()))
    throw new ConfigurationError(field, 'a string that is not empty', describeValue(key));
}

function describeIssue(field: string, { message, path = [] }: StandardIssue): string {
  const at = path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
  return `${field}${at === '' ? '' : `.${at}`}: ${message}`;
}
