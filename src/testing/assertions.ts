// What a job went through, as a line that a person reads, and the questions that tests ask of it. Each answers with a message
// that shows what was expected and what was, step by step.

import { AssertionError } from 'node:assert';
import type { StopRecord } from '../machines/ladder.ts';
import { isFinal, type JobState, jobStates, type TimeoutKind } from '../machines/states.ts';
import type { Job } from '../runtime/job.ts';
import type { JobStatus, JobTransition } from '../runtime/status.ts';

/** A job, or what was told of it. */
export type Subject = Pick<Job, 'status'> | JobStatus;

/** A state, `'stopping'`; or with what led there, `'stopping (heartbeat)'`, `'stopping (cancel)'`. */
export type PathStep = JobState | `${JobState} (${string})`;

/** The same of a whole path, as `pathOf` writes it: `'queued → running → completed'`. */
export type PathText = `${string} → ${string}`;

/** How a job ended; only what is named is looked at. */
export interface ExpectedEnd {
  timeout?: TimeoutKind | null;
  attempt?: number;
  reason?: string | null;
  /** A part of the message of the failure. */
  failure?: string;
}

/** Whether it is so, and in words why not, or that it is. */
export interface Check {
  readonly pass: boolean;
  message(): string;
  readonly actual: unknown;
  readonly expected: unknown;
}

/**
 * A job's states in their order, with what led to each that was not wanted:
 * `queued → running → stopping (heartbeat) → retrying → running → completed`.
 */
export function pathOf({ history }: Pick<JobStatus, 'history'>): string {
  return stepsOf(history).join(' → ');
}

function stepsOf(history: readonly JobTransition[]): string[] {
  return history.map((entry, index) => {
    const why = whyOf(entry, history[index - 1]?.state);
    return why === null ? entry.state : `${entry.state} (${why})`;
  });
}

/** Said once: where a stop came first, with the stop. */
function whyOf({ state, timeout, stop }: JobTransition, before: JobState | undefined): string | null {
  if (state === 'stopping') return timeout ?? 'cancel';
  if (stop?.confirmed === false) return 'unconfirmed';
  return before === 'stopping' ? null : (timeout ?? null);
}

async function statusOf(subject: Subject): Promise<JobStatus> {
  if (typeof subject === 'object' && subject !== null) {
    if ('history' in subject) return subject;
    if (typeof subject.status === 'function') return subject.status();
  }
  throw new TypeError(`expected a job, or its status, got ${subject === null ? 'null' : typeof subject}`);
}

/** Went through these states and no others, in this order, so far. */
export async function checkGone(subject: Subject, given: readonly (PathStep | PathText)[]): Promise<Check> {
  const steps = given.flatMap((step) => step.split(/ (?:→|->) /));
  for (const step of steps) checkState(step.replace(/ \(.*$/, ''));
  const { id, name, history } = await statusOf(subject);
  const actual = stepsOf(history);
  const fits = (index: number) => {
    const [step, expected] = [actual[index], steps[index]];
    return step === expected || (expected !== undefined && step?.replace(/ \(.*$/, '') === expected);
  };
  const longest = Math.max(actual.length, steps.length);
  const lines = Array.from({ length: longest }, (_, index) => {
    const [expected = '(nothing)', step = '(nothing)'] = [steps[index], actual[index]];
    return `${fits(index) ? '  ' : '✗ '}${expected.padEnd(24)} ${step}`;
  });
  return {
    pass: lines.every((line) => !line.startsWith('✗')),
    message: () =>
      `job ${id} (${name}) went another way\n  ${'expected'.padEnd(24)} went\n${lines.join('\n')}`,
    actual,
    expected: steps,
  };
}

/** A word that is no state would be there never, and `not` of it always. */
function checkState(state: string, known: readonly JobState[] = jobStates): void {
  if (!known.includes(state as JobState))
    throw new TypeError(`expected one of ${known.join(', ')}, got ${JSON.stringify(state)}`);
}

function checkFields(expected: object, known: readonly string[]): void {
  for (const field of Object.keys(expected))
    if (!known.includes(field))
      throw new TypeError(`expected one of ${known.join(', ')}, got ${JSON.stringify(field)}`);
}

/** Is in this final state, with these facts. */
export async function checkEnd(subject: Subject, state: JobState, expected: ExpectedEnd): Promise<Check> {
  checkState(state, jobStates.filter(isFinal));
  checkFields(expected, ['timeout', 'attempt', 'reason', 'failure']);
  const status = await statusOf(subject);
  const facts: Record<string, [expected: unknown, actual: unknown, fits: boolean]> = {
    state: [state, status.state, status.state === state],
  };
  for (const field of ['timeout', 'attempt', 'reason'] as const)
    if (expected[field] !== undefined)
      facts[field] = [expected[field], status[field], status[field] === expected[field]];
  if (expected.failure !== undefined) {
    const message = status.failure?.message ?? null;
    facts.failure = [expected.failure, message, message?.includes(expected.failure) === true];
  }
  const wrong = Object.entries(facts).filter(([, [, , fits]]) => !fits);
  const lines = wrong.map(
    ([field, [wanted, got]]) => `  ${field}: expected ${show(wanted)}, got ${show(got)}`,
  );
  return {
    pass: wrong.length === 0,
    message: () =>
      `job ${status.id} (${status.name}) ended otherwise\n${lines.join('\n')}\n  went: ${pathOf(status)}`,
    actual: Object.fromEntries(Object.entries(facts).map(([field, [, got]]) => [field, got])),
    expected: { state, ...expected },
  };
}

/** Each attempt that had to be stopped was proven over; there was one; the last on this rung, where it is named. */
export async function checkProvenStopped(
  subject: Subject,
  expected: { rung?: StopRecord['rung'] } = {},
): Promise<Check> {
  checkFields(expected, ['rung']);
  const { rung } = expected;
  const { id, name, history } = await statusOf(subject);
  const stops = history.flatMap(({ stop }) => (stop === undefined ? [] : [stop]));
  const last = stops.at(-1);
  const areProven = stops.length > 0 && stops.every(({ confirmed }) => confirmed);
  const wanted = rung === undefined ? 'a proven stop' : `a proven stop on the rung ${rung}`;
  const said = stops.map((stop) => `${stop.confirmed ? 'proven' : 'not proven'} on the rung ${stop.rung}`);
  return {
    pass: areProven && (rung === undefined || last?.rung === rung),
    message: () =>
      `job ${id} (${name}): expected ${wanted}, got ${said.join(', ') || 'no stop'}\n  went: ${pathOf({ history })}`,
    actual: stops,
    expected: { confirmed: true, ...(rung === undefined ? {} : { rung }) },
  };
}

function show(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function assertCheck(check: Check): void {
  if (check.pass) return;
  const { actual, expected } = check;
  throw new AssertionError({ message: check.message(), actual, expected, operator: 'unstuck/testing' });
}

/**
 * Asserts that a job went through these states, and no others, so far:
 * `await assertGone(job, 'queued → running → stopping (heartbeat) → timedOut')`, or each as an argument of its own.
 */
export async function assertGone(subject: Subject, ...steps: (PathStep | PathText)[]): Promise<void> {
  assertCheck(await checkGone(subject, steps));
}

/** Asserts that a job is in this final state, with these facts: `await assertEnd(job, 'timedOut', { timeout: 'job' })`. */
export async function assertEnd(
  subject: Subject,
  state: JobState,
  expected: ExpectedEnd = {},
): Promise<void> {
  assertCheck(await checkEnd(subject, state, expected));
}

/** Asserts that an attempt had to be stopped, and that nothing of any runs any more; on this rung of the ladder. */
export async function assertProvenStopped(
  subject: Subject,
  expected: { rung?: StopRecord['rung'] } = {},
): Promise<void> {
  assertCheck(await checkProvenStopped(subject, expected));
}
