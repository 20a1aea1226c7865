// From what a caller submits to the row that is stored: everything that can be wrong with it is found here,
// before anything is kept.

import { v7 as uuid } from 'uuid';
import { toJsonText } from '../actors/jsonText.ts';
import type { NewJob } from '../engines/engine.ts';
import { checkMemoryLimit, isolationOf } from './definitions.ts';
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

export async function prepareJob(
  options: ResolvedOptions,
  name: string,
  input: unknown,
  submit: SubmitOptions = {},
): Promise<NewJob> {
  const definition = options.jobs.get(name);
  if (definition === undefined) {
    const names = [...options.jobs.keys()].join(', ') || 'none';
    throw new ConfigurationError('name', `a job of the registry (${names})`, describeValue(name));
  }
  const { priority = 0, startAfter, idempotencyKey, ...settings } = submit;
  checkKnown(submit, ['priority', 'startAfter', 'idempotencyKey']);
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
  let value = input;
  if (definition.input !== undefined) {
    const checked = await definition.input['~standard'].validate(input);
    if (checked.issues !== undefined) throw new InputError(checked.issues.map(describeIssue).join(' '));
    value = checked.value;
  }
  return {
    id: uuid(),
    name,
    input: toJsonText(value, 'input'),
    settings: settingsFor(options, definition, settings),
    priority,
    notBefore: startAfter?.getTime() ?? null,
    idempotencyKey: idempotencyKey ?? null,
    retryOf: null,
  };
}

function describeIssue({ message, path = [] }: StandardIssue): string {
  const at = path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
  return `input${at === '' ? '' : `.${at}`}: ${message}`;
}
