// What a job does when nobody disturbs it: what every other run of it is held against.

import type { AnyDefinition, Jobs } from '../../runtime/definitions.ts';
import type { SubmitOptions } from '../../runtime/submission.ts';
import { pathOf } from '../assertions.ts';
import type { TestProcessor, TestProcessorOptions } from '../testProcessor.ts';

export interface Undisturbed {
  readonly chunks: number;
  readonly result: unknown;
  readonly rows: readonly unknown[];
  /** For each chunk, how many rows there are by then. */
  readonly rowsAfter: readonly number[];
}

/** What is said of a job that is taken through paths: its input, and what of it differs from run to run. */
export interface ComparedJob {
  readonly definition: AnyDefinition;
  readonly input: unknown;
  readonly submit: SubmitOptions;
  /** Where it runs. */
  readonly machine: Pick<TestProcessorOptions<Jobs>, 'patienceSeconds' | 'freshModules' | 'unwind'>;
  /** The part of a row that is the same in every run. */
  row(row: unknown): unknown;
  /** The same of the result. */
  result(result: unknown): unknown;
}

export const subjectName = 'job';

/** For who reads that a run differs. */
export const advice =
  'What a job needs to go on must be in its checkpoint, and chunks() must begin from there; what differs by nature is left out by the options row and result.';

/** Rejects where it does not complete. */
export async function runUndisturbed(runtime: TestProcessor<Jobs>, job: ComparedJob): Promise<Undisturbed> {
  const handle = await runtime.submit(subjectName, job.input as never, job.submit);
  const status = await runtime.untilDone(handle);
  if (status.state !== 'completed') {
    const why = status.failure === null ? '' : `: ${status.failure.name}: ${status.failure.message}`;
    throw new Error(
      `an undisturbed run: expected the job to complete, it went ${pathOf(status)}${why}. The paths of a job begin where it works.`,
    );
  }
  const { chunks } = runtime.record(handle);
  let rows = 0;
  return {
    chunks: chunks.length,
    result: job.result(await handle.result()),
    rows: (await runtime.rows(handle)).map(job.row),
    rowsAfter: chunks.map(({ rows: more }) => {
      rows += more.length;
      return rows;
    }),
  };
}
