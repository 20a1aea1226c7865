// Whether a job goes on rightly from each of its checkpoints: killed before and after each is acknowledged, it must come to
// the result and the rows of a run that nobody disturbed.

import { isDeepStrictEqual } from 'node:util';
import { isChunked } from '../actors/jobCode.ts';
import { isolationOf, type JobDefinition, type Jobs } from '../runtime/definitions.ts';
import { pathOf } from './assertions.ts';
import { difference } from './difference.ts';
import { type ComparedOptions, comparedJob, type InputAndOptions } from './paths/comparedJob.ts';
import { judgeChunks } from './paths/judge.ts';
import {
  advice,
  type ComparedJob,
  runUndisturbed,
  subjectName,
  type Undisturbed,
} from './paths/undisturbed.ts';
import { TestProcessor } from './testProcessor.ts';

/** What `checkResumes` has checked. */
export interface ResumeReport {
  /** Of an undisturbed run. */
  readonly chunks: number;
  /** Runs in which the job was killed, and went on. */
  readonly kills: number;
}

interface Kill {
  readonly says: string;
  readonly place: { readonly chunk?: number; readonly at: 'checkpoint' | 'acknowledged' | 'outcome' };
}

/**
 * Runs a job undisturbed, then killed before and after the acknowledgement of each of its checkpoints and resumed, and
 * compares results and rows: `await checkResumes(invoices, { customers })`. With `freshModules: true` each attempt imports the
 * job's file anew, so that what it keeps in a variable is missed. Rejects with the chunk and what differs. Take a small input: of
 * n chunks there are 2 n runs.
 */
export async function checkResumes<D extends Jobs[string]>(
  definition: D,
  ...[input, options = {}]: InputAndOptions<D, ComparedOptions>
): Promise<ResumeReport> {
  const job = comparedJob(definition, input, options);
  const runtime = await new TestProcessor<Jobs>({
    jobs: { [subjectName]: job.definition as JobDefinition },
    ...job.machine,
    logLevel: 'silent',
  }).start();
  const undisturbed = await runUndisturbed(runtime, job);
  const kills = killsOf(undisturbed.chunks, isChunked(job.definition));
  for (const kill of kills) {
    const wrong = await runKilled(runtime, job, kill, undisturbed);
    if (wrong !== null) throw new Error(`killed ${kill.says}, and resumed: ${wrong}`);
  }
  await runtime.stop();
  return { chunks: undisturbed.chunks, kills: kills.length };
}

function killsOf(chunks: number, isChunked: boolean): Kill[] {
  const inChunks = Array.from({ length: chunks }, (_, index): Kill[] => {
    const chunk = index + 1;
    return [
      {
        says: `after chunk ${chunk}, before its checkpoint was acknowledged`,
        place: { chunk, at: 'checkpoint' },
      },
      { says: `after chunk ${chunk} was acknowledged`, place: { chunk, at: 'acknowledged' } },
    ];
  });
  const last: Kill = {
    says: isChunked ? 'after its last chunk, with its result at hand' : 'with its result at hand',
    place: { at: 'outcome' },
  };
  return [...inChunks.flat(), last];
}

/** What is wrong; null: nothing. */
async function runKilled(
  runtime: TestProcessor<Jobs>,
  job: ComparedJob,
  { place }: Kill,
  undisturbed: Undisturbed,
): Promise<string | null> {
  // Nothing can kill code that is inline but the end of its host, which has its memory too.
  const fault = runtime.fault(isolationOf(job.definition) === 'inline' ? 'fail' : 'crash', {
    ...place,
    job: subjectName,
  });
  const handle = await runtime.submit(subjectName, job.input as never, {
    ...job.submit,
    retry: { maxAttempts: 2, on: ['failed'] },
  });
  const status = await runtime.untilDone(handle);
  if (!fault.hasHappened)
    return 'expected it to come there, as it did undisturbed; it did not. Does it do the same each time?';
  if (status.state !== 'completed') {
    const { failure } = status;
    return `expected it to complete, it went ${pathOf(status)}${failure === null ? '' : `: ${failure.message}`}`;
  }
  const result = job.result(await handle.result());
  if (!isDeepStrictEqual(result, undisturbed.result))
    return `result: ${difference(undisturbed.result, result)}. ${advice}`;
  const rows = (await runtime.rows(handle)).map(job.row);
  if (!isDeepStrictEqual(rows, undisturbed.rows))
    return `rows: ${difference(undisturbed.rows, rows)}. ${advice}`;
  const [wrong = null] = await judgeChunks(runtime, handle);
  return wrong;
}
