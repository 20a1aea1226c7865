/**
 * The public names, nothing else.
 *
 * @module unstuck
 */

// First the check that this Node can run them.
import './runtime/checkNode.ts';

export type { ChunkContext, JobContext } from './actors/jobCode.ts';
export type { SqlTransaction } from './engines/engine.ts';
export type { InspectOptions, Inspector } from './inspector/inspector.ts';
export type { StopRecord } from './machines/ladder.ts';
export type { JobState, TimeoutKind } from './machines/states.ts';
export {
  type ChunkedJob,
  defineChunkedJob,
  defineJob,
  type InputOf,
  type JobDefinition,
  type Jobs,
  type OneJob,
  type ResultOf,
} from './runtime/definitions.ts';
export {
  ConfigurationError,
  EngineError,
  InputError,
  JobCancelledError,
  JobFailedError,
  JobNotFoundError,
  JobTimedOutError,
  NonRetryableError,
  StaleAttemptError,
} from './runtime/errors.ts';
export type { Job, Jsonified } from './runtime/job.ts';
export type { ListQuery } from './runtime/jobQuery.ts';
export type { Limits } from './runtime/limits.ts';
export type { NodeStatus } from './runtime/nodes.ts';
export { type Health, JobProcessor } from './runtime/processor.ts';
export type { ProcessorOptions, TelemetryOptions } from './runtime/processorOptions.ts';
export type { ScheduleOptions, ScheduleStatus } from './runtime/schedules.ts';
export type { JobSettings, RetrySettings, TimeoutSettings } from './runtime/settings.ts';
export type { Stats } from './runtime/stats.ts';
export type { JobEvents, JobStatus, JobTransition } from './runtime/status.ts';
export type { StuckJob } from './runtime/stuckJobs.ts';
export type { SubmitOptions } from './runtime/submission.ts';
export type { Notification, NotificationEvent, QueueAge } from './runtime/webhooks/notification.ts';
export type { WebhookOptions } from './runtime/webhooks/targets.ts';
