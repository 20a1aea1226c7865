// What must hold on every path, whatever happened: the job went as the chart foretold, nothing that was acknowledged is lost or
// there twice, each attempt began where the last checkpoint was, and a job that completed did what an undisturbed one does.

import { isDeepStrictEqual } from 'node:util';
import type { Jobs } from '../../runtime/definitions.ts';
import type { Job } from '../../runtime/job.ts';
import type { JobStatus } from '../../runtime/status.ts';
import { difference } from '../difference.ts';
import type { TestProcessor } from '../testProcessor.ts';
import { advice, type ComparedJob, type Undisturbed } from './undisturbed.ts';
import type { Foretold, WalkedPath } from './walk.ts';

/** What is wrong, in words. */
export async function judge(
  runtime: TestProcessor<Jobs>,
  handle: Job,
  path: WalkedPath,
  job: ComparedJob,
  undisturbed: Undisturbed,
): Promise<string[]> {
  const status = await handle.status();
  return [
    ...judgeHistory(status, path),
    ...(await judgeChunks(runtime, handle)),
    ...judgeFence(runtime, handle, path, undisturbed),
    ...(await judgeWork(runtime, handle, status, job, undisturbed)),
  ];
}

function judgeHistory({ history, attempt }: JobStatus, path: WalkedPath): string[] {
  const went = history.map(
    ({ state, timeout, stop }): Foretold => ({
      state,
      timeout: timeout ?? null,
      stop: stop === undefined ? null : { rung: stop.rung, confirmed: stop.confirmed },
    }),
  );
  const wrong: string[] = [];
  if (!isDeepStrictEqual(went, path.history)) {
    const lines = Array.from({ length: Math.max(went.length, path.history.length) }, (_, index) => {
      const [expected, actual] = [path.history[index], went[index]].map(line) as [string, string];
      return `  ${expected === actual ? ' ' : '✗'} ${expected.padEnd(40)} ${actual}`;
    });
    wrong.push(`it went another way\n    ${'the chart says'.padEnd(40)} it went\n${lines.join('\n')}`);
  }
  if (attempt !== path.attempt) wrong.push(`expected ${path.attempt} attempt(s), got ${attempt}`);
  return wrong;
}

function line(entry: Foretold | undefined): string {
  if (entry === undefined) return '(nothing)';
  const { state, timeout, stop } = entry;
  const proof = stop === null ? '' : `, ${stop.confirmed ? 'proven' : 'unconfirmed'} on ${stop.rung}`;
  return `${state}${timeout === null ? '' : ` (${timeout})`}${proof}`;
}

/** Exactly once, in order, each attempt from the last checkpoint on. */
export async function judgeChunks(runtime: TestProcessor<Jobs>, handle: Job): Promise<string[]> {
  const { chunks, startedFrom } = runtime.record(handle);
  const wrong: string[] = [];
  const numbers = chunks.map(({ chunk }) => chunk);
  if (numbers.some((chunk, index) => chunk !== index + 1))
    wrong.push(`expected each chunk acknowledged once and in order, got ${numbers.join(', ')}`);
  const acknowledged = chunks.flatMap(({ rows }) => rows);
  const stored = await runtime.rows(handle);
  if (!isDeepStrictEqual(stored, acknowledged))
    wrong.push(`rows: expected those of the acknowledged chunks, ${difference(acknowledged, stored)}`);
  for (const { attempt, checkpoint, chunks: done } of startedFrom) {
    const last = done === 0 ? undefined : chunks[done - 1]?.checkpoint;
    if (!isDeepStrictEqual(checkpoint, last))
      wrong.push(
        `attempt ${attempt}: expected to begin from the last checkpoint, ${difference(last, checkpoint)}`,
      );
  }
  return wrong;
}

/** Who lost its lease, and has a chunk to go, comes too late with it. */
function judgeFence(
  runtime: TestProcessor<Jobs>,
  handle: Job,
  { moves, stage }: WalkedPath,
  { chunks }: Undisturbed,
): string[] {
  const isLost = moves.some(
    ({ kind }) => typeof kind === 'object' && 'act' in kind && kind.act === 'lose lease',
  );
  const done = stage === 'start' ? 0 : stage === 'middle' ? Math.ceil(chunks / 2) : chunks - 1;
  if (
    !isLost ||
    chunks === 0 ||
    stage === 'result' ||
    done >= chunks ||
    runtime.record(handle).refused.length > 0
  )
    return [];
  return [
    'expected the late checkpoint of an attempt that had lost its lease to be refused, it was acknowledged',
  ];
}

async function judgeWork(
  runtime: TestProcessor<Jobs>,
  handle: Job,
  status: JobStatus,
  job: ComparedJob,
  undisturbed: Undisturbed,
): Promise<string[]> {
  const wrong: string[] = [];
  const rows = (await runtime.rows(handle)).map(job.row);
  const isCompleted = status.state === 'completed';
  const expected = isCompleted ? undisturbed.rows : undisturbed.rows.slice(0, rows.length);
  if (!isDeepStrictEqual(rows, expected))
    wrong.push(`rows: expected those of an undisturbed run, ${difference(expected, rows)}. ${advice}`);
  if (!isCompleted) return wrong;
  const result = job.result(await handle.result());
  if (!isDeepStrictEqual(result, undisturbed.result))
    wrong.push(
      `result: expected that of an undisturbed run, ${difference(undisturbed.result, result)}. ${advice}`,
    );
  return wrong;
}
