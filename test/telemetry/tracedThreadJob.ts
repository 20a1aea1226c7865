// The same in a thread.

import { defineJob } from '../../src/index.ts';
import { type TracedInput, traced } from './tracedJob.ts';

export default defineJob({
  module: import.meta.url,
  isolation: 'thread',
  run: (input: TracedInput, { attempt }) => traced(input, attempt),
});
