// What the job processes wrote down themselves (stepsJob.ts), read when all is over: chunks that were run again after their checkpoint was
// acknowledged, and attempts of a job that lived while another did.

import { existsSync, readFileSync } from 'node:fs';

/** Twice as long as two signs of life are apart on a busy machine, and more: it was stopped, ms. */
const absenceMs = 2000;
/** What was stopped while its lease ran out is ended by its watchdog as soon as it is awake: until then it may run on, ms. */
const lastMomentsMs = 1000;

interface Attempt {
  /** Of its lines, ms. */
  readonly times: number[];
}

export interface JournalCount {
  chunksRepeatedAfterCheckpoint: number;
  /** Attempts that ran on beside the next one of their job: those that were awake when it began at all, others for more than a last moment. */
  aliveTwice: number;
  /** Attempts that were stopped, and awake beside the next one for a last moment. */
  lastMoments: number;
  longestLastMomentMs: number;
  findings: string[];
}

export function readJournal(path: string): JournalCount {
  const count: JournalCount = {
    ...{
      chunksRepeatedAfterCheckpoint: 0,
      aliveTwice: 0,
      lastMoments: 0,
      longestLastMomentMs: 0,
      findings: [],
    },
  };
  const jobs = new Map<string, Map<string, Attempt>>();
  /** Of each chunk that was acknowledged: the line, and by whom. */
  const acknowledged = new Map<string, { line: number; token: string }>();
  const began = new Map<string, number>();
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  for (const [line, said] of text.split('\n').entries()) {
    const [key = '', token = '', at, what, index] = said.split(' ');
    if (what === undefined) continue;
    const attempts = jobs.get(key) ?? new Map<string, Attempt>();
    jobs.set(key, attempts);
    const attempt = attempts.get(token) ?? { times: [] };
    attempts.set(token, attempt);
    attempt.times.push(Number(at));
    if (!began.has(token)) began.set(token, line);
    const chunk = `${key} ${index}`;
    if (what === 'ack' && !acknowledged.has(chunk)) acknowledged.set(chunk, { line, token });
    const done = what === 'run' ? acknowledged.get(chunk) : undefined;
    // One that began before the other had it acknowledged is of the last moments.
    if (done !== undefined && (done.token === token || done.line < (began.get(token) as number))) {
      count.chunksRepeatedAfterCheckpoint += 1;
      count.findings.push(`chunksRepeatedAfterCheckpoint: ${said}, acknowledged by ${done.token}`);
    }
  }
  for (const attempts of jobs.values()) judge([...attempts.entries()], count);
  return count;
}

function judge(attempts: readonly [token: string, Attempt][], count: JournalCount): void {
  for (const [n, [token, { times }]] of attempts.entries()) {
    const [nextToken, { times: [next] = [] } = {}] = attempts[n + 1] ?? [];
    if (next === undefined) continue;
    const beside = times.filter((at) => at >= next);
    const [first] = beside;
    if (first === undefined) continue;
    const before = times.findLast((at) => at < next) ?? next;
    const moments = (beside.at(-1) as number) - first;
    if (first - before < absenceMs || moments > lastMomentsMs) {
      count.aliveTwice += 1;
      count.findings.push(
        `aliveTwice: ${token} ran on beside ${nextToken} from ${first - next} to ${(beside.at(-1) as number) - next} ms after its beginning, last seen ${next - before} ms before`,
      );
    } else {
      count.lastMoments += 1;
      count.longestLastMomentMs = Math.max(count.longestLastMomentMs, moments);
    }
  }
}
