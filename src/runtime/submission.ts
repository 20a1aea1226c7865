// From what a caller submits to the row that is stored: everything that can be wrong with it is found here,
// before anything is kept.

import { v7 as uuid } from 'uuid';
import { toJsonText } from '../actors/jsonText.ts';
import type { NewJob } from '../engines/engine.ts';
import { type AnyDefinition, checkMemoryLimit, isolationOf } from './definitions.ts';
import { ConfigurationError, describeValue, InputError } from './errors.ts';
import { type ResolvedOptions, settingsFor } from './processorOptions.ts';
import { checkKnown, checkNumber, checkSettings, type JobSettings } from './settings.ts';
import type { StandardIssue } from './standardSchema.ts';

export interface SubmitOptions extends JobSettings {
  /** Higher starts first, equal ones in the order of submission. Default 0. */
  priority?: number;
  /** No attempt starts before. */
  startAfter?: Date;
  /** Submitting again with the same key and name gives the same job, as long as its row is kept. */
  idempotencyKey?: string;
}

/** Beside the settings. */
export const submitFields = ['priority', 'startAfter', 'idempotencyKey'];

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
  const { priority = 0, startAfter, idempotencyKey, ...settings } = submit;
  checkKnown(submit, submitFields);
  checkSettings(settings);
  checkMemoryLimit('memoryLimitMb', settings, isolationOf(definition));
  checkNumber('priority', priority, 'a finite number', Number.isFinite);
  if (startAfter !== undefined && !(startAfter instanceof Date && !Number.isNaN(startAfter.getTime()))) {
    throw new ConfigurationError('startAfter', 'a valid Date', describeValue(startAfter));
  }
  if (
    idempotencyKey !== undefined &&
    (typeof idempotencyKey !== 'string' || idempotencyKey === '' || !idempotencyKey.isWellFormed())
  ) {
    throw new ConfigurationError(
      'idempotencyKey',
      'a string that is not empty',
      describeValue(idempotencyKey),
    );
  }
  const common = {
    name,
    settings: settingsFor(options, definition, settings),
    priority,
    notBefore: startAfter?.getTime() ?? null,
    idempotencyKey: idempotencyKey ?? null,
    retryOf: null,
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

function describeIssue(field: string, { message, path = [] }: StandardIssue): string {
  const at = path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
  return `${field}${at === '' ? '' : `.${at}`}: ${message}`;
}
