// `unstuck reconcile`: one job in a processor of its own, from the check of its input to what became of it. The
// staging in the out folder keeps what is done, so whatever ends this run, the same command goes on from there.

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
  reconciliationProgress,
  startReconciliationJob,
} from '../reconciliation/index.ts';
import { followAttempts } from './attemptStory.ts';
import { outcomeOf } from './ending.ts';
import type { Interruption } from './interruption.ts';
import { livePage } from './livePage.ts';
import { createLogger, noLogger } from './logger.ts';
import { badInput, type Outcome } from './outcome.ts';
import { createProgress, noProgress } from './progress.ts';
import type { Screen } from './screen.ts';
import { nameOf, standardInput, withoutPasswords } from './sourceNames.ts';
import { type Spooled, spoolStandardInput } from './standardInput.ts';

type TimeoutSettings = Pick<
  JobSettings,
  'jobTimeoutSeconds' | 'heartbeatTimeoutSeconds' | 'progressTimeoutSeconds'
>;

export interface ReconcileRequest {
  readonly input: ReconciliationInput;
  /** What is not set here comes from the environment, else the defaults. */
  readonly timeouts: TimeoutSettings;
  /** Where `input.rules` was read, for messages. */
  readonly rulesFile: string | null;
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
  let spooled: Spooled | undefined;
  /** Standard input was never called by the name of the file it is in. */
  const asTyped = (message: string) =>
    spooled?.path == null ? message : message.replaceAll(spooled.path, standardInput);
  try {
    checkDuckDB();
    spooled = await spoolStandardInput(withoutPasswords(request.input), process.stdin, interruption.signal);
    await checkReconciliationInput(spooled.input);
    const outcome = await runJob(request, spooled.input, screen, interruption);
    return { ...outcome, error: outcome.error === null ? null : asTyped(outcome.error) };
  } catch (error) {
    if (error instanceof ReconciliationInputError)
      return badInput(asTyped(asOption(error, request.rulesFile)));
    if (error instanceof ConfigurationError) return badInput(error.message);
    if (interruption.signal.aborted && (error as Error).name === 'AbortError')
      return stoppedBefore(interruption);
    throw error;
  } finally {
    spooled?.remove();
  }
}

/** Interrupted while standard input was read. */
function stoppedBefore({ exitCode }: Interruption): Outcome {
  const error = 'Stopped. Nothing is done yet: the same command begins again.';
  return { state: 'cancelled', error, exitCode: exitCode ?? 130, summary: null, seconds: 0, attempts: 0 };
}

async function runJob(
  { input: typed, timeouts, isQuiet, inspectPort }: ReconcileRequest,
  input: ReconciliationInput,
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
  // Chunks in the very first: those were done before, and only counted now.
  processor.once('progress', ({ attempt, progress }) => {
    const { done, chunks } = reconciliationProgress(progress) ?? { done: 0, chunks: 0 };
    if (attempt === 1 && done > 1)
      say(`Going on where an earlier run stopped: ${done} of ${chunks} chunks are done.`);
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
    progress.begin(`reading ${nameOf(typed.left)} and ${nameOf(typed.right)}`, () => rowsOf(job));
    await processor.start();
    return await outcomeOf({ job, story, interruption, startedAt, input });
  } finally {
    progress.end();
    await inspector?.close();
    await processor.stop();
  }
}

/** How many rows were read on both sides; null before. */
async function rowsOf(job: Job): Promise<number | null> {
  let rows: number | null = null;
  for await (const { left, right } of job.rows<{ left: number; right: number }>()) rows = left + right;
  return rows;
}

/** A process that was killed or hung did not fail by itself. An error that the code threw it would throw again. */
function isWorthAnotherAttempt({ failure }: JobStatus): boolean {
  return failure === null || failure.code === 'ERR_UNSTUCK_JOB_EXIT';
}

/** What the input calls `tolerance.amount` was typed as `--tolerance amount=…`. */
function asOption({ message, subject }: ReconciliationInputError, rulesFile: string | null): string {
  // What stands in the rules file is told by its path in there.
  if (rulesFile !== null && /^rules(\.|$)/.test(subject))
    return `${rulesFile}: ${message.replace(/^rules(\.|: )/, '')}`;
  const isOption =
    /^((key|compare|ignore|memory|out|map|sample|duplicates)$|(tolerance|csv)(\.|$))/.test(subject) &&
    message.startsWith(subject);
  return isOption ? `--${message.replace(/^(tolerance|csv)\./, '$1 ')}` : message;
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
