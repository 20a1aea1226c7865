// `unstuck reconcile`: one job in a processor of its own, from the check of its input to what became of it. The
// staging in the out folder keeps what is done, so whatever ends this run, the same command goes on from there.

import { basename } from 'node:path';
import {
  ConfigurationError,
  type Inspector,
  type Job,
  JobProcessor,
  type JobSettings,
  type JobStatus,
} from '../index.ts';
import {
  checkReconciliationInput,
  type ReconciliationInput,
  ReconciliationInputError,
  type ReconciliationSummary,
  reconciliation,
  startReconciliationJob,
} from '../reconciliation/index.ts';
import { followAttempts } from './attemptStory.ts';
import { outcomeOf } from './ending.ts';
import type { Interruption } from './interruption.ts';
import { livePage } from './livePage.ts';
import { createLogger, noLogger } from './logger.ts';
import { badInput, type Outcome } from './outcome.ts';
import { printable } from './printable.ts';
import { createProgress, noProgress } from './progress.ts';
import type { Screen } from './screen.ts';

type TimeoutSettings = Pick<
  JobSettings,
  'jobTimeoutSeconds' | 'heartbeatTimeoutSeconds' | 'progressTimeoutSeconds'
>;

export interface ReconcileRequest {
  readonly input: ReconciliationInput;
  /** What is not set here comes from the environment, else the defaults. */
  readonly timeouts: TimeoutSettings;
  readonly isQuiet: boolean;
  /** Of the live page, 0 for a free one; null: no page. */
  readonly inspectPort: number | null;
}

/** A pause before each further attempt: a machine in trouble gets some air. */
const retry = {
  maxAttempts: 5,
  backoff: { kind: 'exponential', seconds: 1, maxSeconds: 30 },
} as const;

export async function reconcile(
  request: ReconcileRequest,
  screen: Screen,
  interruption: Interruption,
): Promise<Outcome> {
  try {
    checkDuckDB();
    await checkReconciliationInput(request.input);
    return await runJob(request, screen, interruption);
  } catch (error) {
    if (error instanceof ReconciliationInputError) return badInput(asOption(error));
    if (error instanceof ConfigurationError) return badInput(error.message);
    throw error;
  }
}

async function runJob(
  { input, timeouts, isQuiet, inspectPort }: ReconcileRequest,
  screen: Screen,
  interruption: Interruption,
): Promise<Outcome> {
  const say = (text: string) => {
    if (!isQuiet) screen.write(text);
  };
  const processor = new JobProcessor({
    engine: 'memory',
    jobs: { reconciliation },
    maxConcurrentJobs: 1,
    spares: 0,
    logger: isQuiet ? noLogger : createLogger(screen),
  });
  const startedAt = performance.now();
  const progress = isQuiet ? noProgress : createProgress(screen);
  processor.on('progress', progress.update);
  // More than one chunk at a time: those were done before, and only counted now.
  processor.once('progress', ({ attempt, progress: { items, total } }) => {
    if (attempt === 1 && items > 1)
      say(`Going on where an earlier run stopped: ${items} of ${total} chunks are done.`);
  });
  const story = followAttempts(processor);
  const warn = (line: string) => say(screen.paint('yellow', line));
  processor.on('unconfirmed', ({ attempt }) => {
    warn(`Attempt ${attempt} was killed, but is not proven to be gone: waiting for the proof.`);
  });
  let inspector: Inspector | null = null;
  try {
    if (inspectPort !== null) {
      inspector = await livePage(processor, inspectPort, '--inspect');
      screen.write(`Live page: ${inspector.url}#token=${inspector.token}`);
    }
    // The job timeout is one attempt's. Who gives it on the command line means the whole run, so it is the
    // deadline too, unless the environment sets another.
    const deadlineSeconds = timeouts.jobTimeoutSeconds ?? processor.jobTimeoutSeconds;
    const job: Job<ReconciliationSummary> = await startReconciliationJob(processor, input, {
      ...timeouts,
      ...(process.env.RECONCILIATION_DEADLINE_SECONDS ? {} : { deadlineSeconds }),
      retry,
    });
    processor.on('retrying', (status) => {
      if (isWorthAnotherAttempt(status)) warn(story.retried(status));
      else job.cancel();
    });
    const interrupt = () => {
      say('Stopping. Once more to stop at once.');
      job.cancel('interrupted');
    };
    interruption.signal.addEventListener('abort', interrupt);
    if (interruption.signal.aborted) interrupt();
    progress.begin(`reading ${printable(basename(input.left))} and ${printable(basename(input.right))}`);
    await processor.start();
    return await outcomeOf({ job, story, interruption, startedAt, input });
  } finally {
    progress.end();
    await inspector?.close();
    await processor.stop();
  }
}

/** A process that was killed or hung did not fail by itself. An error that the code threw it would throw again. */
function isWorthAnotherAttempt({ failure }: JobStatus): boolean {
  return failure === null || failure.code === 'ERR_UNSTUCK_JOB_EXIT';
}

/** What the input calls `tolerance.amount` was typed as `--tolerance amount=…`. */
function asOption({ message, subject }: ReconciliationInputError): string {
  const isOption =
    /^(key|compare|ignore|memory|out|sample|tolerance(\..*)?)$/s.test(subject) && message.startsWith(subject);
  return isOption ? `--${message.replace(/^tolerance\./, 'tolerance ')}` : message;
}

/** Asked before anything is made; the job itself would only find out in its process. */
function checkDuckDB(): void {
  try {
    import.meta.resolve('@duckdb/node-api');
  } catch {
    const advice = 'Install it: npm install @duckdb/node-api';
    throw new ReconciliationInputError('@duckdb/node-api', 'the package', 'none installed', advice);
  }
}
