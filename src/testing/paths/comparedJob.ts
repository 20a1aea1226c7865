// What a test says of a job whose runs are compared with each other: checked where it is given.

import type { AnyDefinition, InputOf, Jobs } from '../../runtime/definitions.ts';
import { ConfigurationError, describeValue } from '../../runtime/errors.ts';
import type { SubmitOptions } from '../../runtime/submission.ts';
import type { TestProcessorOptions } from '../testProcessor.ts';
import type { ComparedJob } from './undisturbed.ts';

/** How runs of one job are made, and compared. */
export interface ComparedOptions extends Pick<TestProcessorOptions<Jobs>, 'patienceSeconds' | 'unwind'> {
  /** Of each run, such as `chunkSize`. Timeouts and retries are those of the run. */
  submit?: Pick<SubmitOptions, 'chunkSize' | 'concurrencyKey'>;
  /** The part of a row that is the same in every run: `({ attempt, ...row }) => row`. Default: the whole row. */
  // biome-ignore lint/suspicious/noExplicitAny: rows are whatever the job appends.
  row?: (row: any) => unknown;
  /** The same of the result. */
  // biome-ignore lint/suspicious/noExplicitAny: the result is the job's own.
  result?: (result: any) => unknown;
  /** As of TestProcessorOptions. Default false. */
  freshModules?: boolean;
}

/** The input of a definition, which may be left out where there is none; and options. */
export type InputAndOptions<D, O> =
  undefined extends InputOf<D> ? [input?: InputOf<D>, options?: O] : [input: InputOf<D>, options?: O];

const known = ['submit', 'row', 'result', 'patienceSeconds', 'freshModules', 'unwind'];

export function comparedJob(definition: unknown, input: unknown, options: ComparedOptions): ComparedJob {
  if (
    typeof definition !== 'object' ||
    definition === null ||
    !('run' in definition || 'chunks' in definition)
  )
    throw new ConfigurationError(
      'definition',
      'a job of defineJob or defineChunkedJob',
      describeValue(definition),
    );
  for (const field of Object.keys(options))
    if (!known.includes(field))
      throw new ConfigurationError(`options.${field}`, `one of ${known.join(', ')}`, 'an unknown one');
  const { submit = {}, row = (value: unknown) => value, result = (value: unknown) => value } = options;
  const { patienceSeconds, freshModules, unwind } = options;
  for (const [field, value] of Object.entries({ row, result }))
    if (typeof value !== 'function') throw new ConfigurationError(field, 'a function', describeValue(value));
  return {
    definition: alone(definition as AnyDefinition),
    ...{ input, submit },
    machine: {
      ...(patienceSeconds === undefined ? {} : { patienceSeconds }),
      ...(freshModules === undefined ? {} : { freshModules }),
      ...(unwind === undefined ? {} : { unwind }),
    },
    row: row as (row: unknown) => unknown,
    result: result as (result: unknown) => unknown,
  };
}

/** The same job without its limits: its runs follow each other as quickly as they can. */
function alone(definition: AnyDefinition): AnyDefinition {
  return Object.create(definition, { limits: { value: undefined } });
}
