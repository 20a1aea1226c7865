/**
 * For the tests of apps that embed the runtime: jobs on simulated time, faults by name, every path of a job. The guide is
 * docs/testing.md. It needs no test framework; the matchers for vitest are `unstuck/testing/vitest`.
 *
 * @module unstuck/testing
 */

// First the check that this Node can run them.
import '../runtime/checkNode.ts';

export {
  assertEnd,
  assertGone,
  assertProvenStopped,
  type ExpectedEnd,
  type PathStep,
  type PathText,
  pathOf,
  type Subject,
} from './assertions.ts';
export { checkResumes, type ResumeReport } from './checkResumes.ts';
export type { Duration } from './duration.ts';
export type { Fault, FaultName, FaultOptions, FaultPlace } from './faults.ts';
export type { ComparedOptions, InputAndOptions } from './paths/comparedJob.ts';
export { type JobPath, jobPaths } from './paths/jobPaths.ts';
export type { JobRecord, RecordedChunk } from './records.ts';
export type { Hang, Point } from './simulatedAttempt.ts';
export type { Step, Steps } from './steps.ts';
export { type TestProcessor, type TestProcessorOptions, testProcessor } from './testProcessor.ts';
