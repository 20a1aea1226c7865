// A job's own code on every path that the chart of a job allows: what users call.

import { isChunked } from '../../actors/jobCode.ts';
import { isolationOf, type JobDefinition, type Jobs } from '../../runtime/definitions.ts';
import { TestProcessor } from '../testProcessor.ts';
import { type ComparedOptions, comparedJob, type InputAndOptions } from './comparedJob.ts';
import { Drive } from './drive.ts';
import { judge } from './judge.ts';
import { type ComparedJob, runUndisturbed, subjectName, type Undisturbed } from './undisturbed.ts';
import { describePath, type WalkedPath, walk } from './walk.ts';

/** One way through the life of a job. */
export interface JobPath {
  /** `heartbeat timeout after a checkpoint, its loop does not turn, terminated, tried again: completed at attempt 2` */
  readonly description: string;
  /** Takes the job along it. Rejects where it went another way, or something of it is lost, twice or other than undisturbed. */
  run(): Promise<void>;
}

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
export function jobPaths<D extends Jobs[string]>(
  definition: D,
  ...[input, options = {}]: InputAndOptions<D, ComparedOptions>
): JobPath[] {
  const job = comparedJob(definition, input, options);
  const subject = { isChunked: isChunked(job.definition), isolation: isolationOf(job.definition) };
  const runs = new PathRuns(job);
  return walk(subject).map((path) => ({ description: describePath(path), run: () => runs.run(path) }));
}

class PathRuns {
  readonly #job: ComparedJob;
  #runtime: Promise<TestProcessor<Jobs>> | null = null;
  #undisturbed: Promise<Undisturbed> | null = null;
  #last: Promise<unknown> = Promise.resolve();

  constructor(job: ComparedJob) {
    this.#job = job;
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
      ...this.#job.machine,
      logLevel: 'silent',
    }).start();
  }
}
