/**
 * Matchers for vitest: import this file once, in a test or a setup file.
 *
 * @module unstuck/testing/vitest
 */

import { expect } from 'vitest';
import type { StopRecord } from '../machines/ladder.ts';
import type { JobState } from '../machines/states.ts';
import {
  type Check,
  checkEnd,
  checkGone,
  checkProvenStopped,
  type ExpectedEnd,
  type PathStep,
  type PathText,
  type Subject,
} from './assertions.ts';

/** What they add to `expect`. A job is asked for its status, so they are awaited. */
export interface JobMatchers {
  /** Went through these states and no others, so far: `await expect(job).toHaveGone('queued → running → completed')`, or each as an argument of its own. */
  toHaveGone(...steps: (PathStep | PathText)[]): Promise<void>;
  /** Is in this final state: `await expect(job).toEndAs('timedOut', { timeout: 'job' })`. */
  toEndAs(state: JobState, expected?: ExpectedEnd): Promise<void>;
  /** An attempt had to be stopped, and nothing of any runs any more. */
  toHaveBeenProvenStopped(expected?: { rung?: StopRecord['rung'] }): Promise<void>;
}

declare module 'vitest' {
  // As vitest declares it.
  interface Matchers<R extends void | Promise<void> = void | Promise<void>, T = unknown>
    extends JobMatchers {}
}

async function answer(this: { isNot: boolean }, checking: Promise<Check>) {
  const { pass, message, actual, expected } = await checking;
  return {
    pass,
    actual,
    expected,
    message: () => (this.isNot ? `expected otherwise, but it is so` : message()),
  };
}

expect.extend({
  toHaveGone(job: Subject, ...steps: (PathStep | PathText)[]) {
    return answer.call(this, checkGone(job, steps));
  },
  toEndAs(job: Subject, state: JobState, expected: ExpectedEnd = {}) {
    return answer.call(this, checkEnd(job, state, expected));
  },
  toHaveBeenProvenStopped(job: Subject, expected: { rung?: StopRecord['rung'] } = {}) {
    return answer.call(this, checkProvenStopped(job, expected));
  },
});
