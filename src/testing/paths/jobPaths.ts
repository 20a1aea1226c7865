// A job's own code on every path that the chart of a job allows: what users call.

import { isChunked } from '../../actors/jobCode.ts';
import type { InputOf, JobDefinition, Jobs } from '../../runtime/definitions.ts';
import { type AnyDefinition, isolationOf } from '../../runtime/definitions.ts';
import { ConfigurationError, describeValue } from '../../runtime/errors.ts';
import type { SubmitOptions } from '../../runtime/submission.ts';
import { TestProcessor } from '../testProcessor.ts';
import { Drive } from './drive.ts';
import { judge } from './judge.ts';
import { type ComparedJob, runUndisturbed, subjectName, type Undisturbed } from './undisturbed.ts';
import { describePath, type WalkedPath, walk } from './walk.ts';

/** How runs of one job are compared. */
export interface ComparedOptions {
  /** Settings of each run, such as `chunkSize`. Timeouts and retries are those of the path. */
  submit?: Pick<SubmitOptions, 'chunkSize'>;
  /** The part of a row that is the same in every run: `({ attempt, ...row }) => row`. Default: the whole row. */
  row?: (row: never) => unknown;
  /** The same of the result. */
  result?: (result: never) => unknown;
  /** Real seconds that the job's code may take from one point to the next. Default 5. */
  patienceSeconds?: number;
}

/** One way through the life of a job. */
export interface JobPath {
  /** `heartbeat timeout after a checkpoint, its loop does not turn, terminated, tried again: completed at attempt 2` */
  readonly description: string;
  /** Takes the job along it. Rejects where it went another way, or something of it is lost, twice or other than undisturbed. */
  run(): Promise<void>;
}

/** @internal What definitions and options of one job say, checked. */
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
  const { submit = {}, row = (value: unknown) => value, result = (value: unknown) => value } = options;
  for (const [field, value] of Object.entries({ row, result }))
    if (typeof value !== 'function') throw new ConfigurationError(field, 'a function', describeValue(value));
  return {
    definition: definition as AnyDefinition,
    input,
    submit,
    row: row as (row: unknown) => unknown,
    result: result as (result: unknown) => unknown,
  };
}

/** The input of a definition; it may be left out where there is none. */
export type InputAndOptions<D, O> =
  undefined extends InputOf<D> ? [input?: InputOf<D>, options?: O] : [input: InputOf<D>, options?: O];

/**
 * Every path that the chart of a job allows when one thing happens to its first attempt, at each stage of it: each timeout, a
 * cancel, an error, a crash of its process or of the processor, a lost lease; it leaves, is killed or cannot be; it is tried
 * again or not. Run on simulated time with the job's own code:
 *
 *     for (const path of jobPaths(invoices, { customers })) test(path.description, () => path.run());
 *
 * The paths share a processor, and run one after the other. The job must complete when it is not disturbed, in the same way
 * each time.
 */
export function jobPaths<D extends JobDefinition<never, unknown>>(
  definition: D,
  ...[input, options = {}]: InputAndOptions<D, ComparedOptions>
): JobPath[] {
  const job = comparedJob(definition, input, options);
  const { patienceSeconds = 5 } = options;
  const subject = { isChunked: isChunked(job.definition), isolation: isolationOf(job.definition) };
  const runs = new PathRuns(job, patienceSeconds);
  return walk(subject).map((path) => ({ description: describePath(path), run: () => runs.run(path) }));
}

class PathRuns {
  readonly #job: ComparedJob;
  readonly #patienceSeconds: number;
  #runtime: Promise<TestProcessor<Jobs>> | null = null;
  #undisturbed: Promise<Undisturbed> | null = null;
  #last: Promise<unknown> = Promise.resolve();

  constructor(job: ComparedJob, patienceSeconds: number) {
    this.#job = job;
    this.#patienceSeconds = patienceSeconds;
  }

  /** One after the other, also where tests are run side by side: they have one time. */
  run(path: WalkedPath): Promise<void> {
    const run = this.#last.then(() => this.#run(path));
    this.#last = run.catch(() => {});
    return run;
  }

  async #run(path: WalkedPath): Promise<void> {
    this.#runtime ??= this.#start();
    const runtime = await this.#runtime;
    try {
      this.#undisturbed ??= runUndisturbed(runtime, this.#job);
      const undisturbed = await this.#undisturbed;
      const handle = await new Drive(runtime, path, this.#job, undisturbed).run();
      const wrong = await judge(runtime, handle, path, this.#job, undisturbed);
      if (wrong.length > 0) throw new Error(wrong.join('\n'));
      runtime.forget(handle);
    } catch (error) {
      // What is left of it must not disturb the next.
      this.#runtime = null;
      if (error instanceof Error) error.message = `${describePath(path)}\n${error.message}`;
      throw error;
    }
  }

  #start(): Promise<TestProcessor<Jobs>> {
    return new TestProcessor<Jobs>({
      jobs: { [subjectName]: this.#job.definition as JobDefinition },
      patienceSeconds: this.#patienceSeconds,
      logLevel: 'silent',
    }).start();
  }
}
