// What people ask a processor's list for, checked.

import type { JobQuery } from '../engines/engine.ts';
import { type JobState, jobStates } from '../machines/states.ts';
import { ConfigurationError, describeValue } from './errors.ts';
import { checkNumber } from './settings.ts';

/** Of `JobProcessor.list`. All fields together. */
export interface ListQuery<N extends string> {
  state?: JobState;
  name?: N;
  /** The idempotency key it was submitted with: at most one job of each name. */
  key?: string;
  /** Submitted at this time or later. */
  from?: Date;
  /** Submitted before this time. */
  before?: Date;
  /** The id of a job: the list goes on behind it, for the next page. */
  after?: string;
  /** Default 100. */
  limit?: number;
}

const fields = ['state', 'name', 'key', 'from', 'before', 'after', 'limit'];

export function checkQuery(query: ListQuery<string>): JobQuery {
  for (const field of Object.keys(query)) {
    if (!fields.includes(field))
      throw new ConfigurationError(field, `one of ${fields.join(', ')}`, 'an unknown field');
  }
  const { state, name, key, from, before, after, limit = 100 } = query;
  if (state !== undefined && !jobStates.includes(state))
    throw new ConfigurationError('state', `one of ${jobStates.join(', ')}`, describeValue(state));
  checkNumber(
    'limit',
    limit,
    'a whole number, 1 or more, or Infinity',
    (n) => n >= 1 && (n === Infinity || Number.isInteger(n)),
  );
  for (const [field, date] of Object.entries({ from, before })) {
    if (date !== undefined && !(date instanceof Date && !Number.isNaN(date.getTime())))
      throw new ConfigurationError(field, 'a valid Date', describeValue(date));
  }
  for (const [field, text] of Object.entries({ name, key, after })) {
    if (text !== undefined && typeof text !== 'string')
      throw new ConfigurationError(field, 'a string', describeValue(text));
  }
  return {
    limit,
    ...(state === undefined ? {} : { states: [state] }),
    ...(name === undefined ? {} : { name }),
    ...(key === undefined ? {} : { key }),
    ...(from === undefined ? {} : { from: from.getTime() }),
    ...(before === undefined ? {} : { before: before.getTime() }),
    ...(after === undefined ? {} : { after }),
  };
}
