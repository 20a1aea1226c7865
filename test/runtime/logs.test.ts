// What an operator reads, as docs/logs.md has it: one line a transition, its level, its fields; and never a payload.

import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { defineJob, JobProcessor } from '../../src/index.ts';
import { SimulatedClock } from '../../src/testing/simulatedClock.ts';
import ways from '../fixtures/ways.ts';
import { capturedLog } from '../support/capturedLog.ts';

const flaky = defineJob({
  retry: { maxAttempts: 2 },
  run: (_: object, { attempt, log }) => {
    log.info({ card: { number: '4111' } }, 'charging');
    if (attempt === 1) throw new Error('card refused');
    return { secret: 'result' };
  },
});
const heeds = defineJob({
  run: (_: object, { signal }) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
});

interface Line {
  level: string;
  msg: string;
  [field: string]: unknown;
}

async function logged(level = 'info', redact: string[] = []) {
  const lines: Line[] = [];
  const logger = pino(
    { level, redact, base: null, timestamp: false, formatters: { level: (label) => ({ level: label }) } },
    { write: (line: string) => void lines.push(JSON.parse(line)) },
  );
  const processor = new JobProcessor({ engine: 'memory', jobs: { flaky, heeds, ways }, logger });
  onTestFinished(() => processor.stop());
  await processor.start();
  const of = (id: string) => lines.filter(({ jobId, msg }) => jobId === id || msg.includes(id));
  return { processor, lines, of };
}

test('each transition is a line, with the job, its attempt, and a level that fits', async () => {
  const { processor, of } = await logged('debug');
  const job = await processor.submit('flaky', { input: 'secret' });
  await job.result();
  const found = of(job.id).map(({ level, msg, job: name, attempt, state }) => [
    level,
    msg,
    name,
    attempt,
    state,
  ]);
  const said = (state: string) => `job ${job.id} ${state}`;
  expect(found).toEqual([
    ['debug', said('queued'), 'flaky', undefined, 'queued'],
    ['info', said('running'), 'flaky', 1, 'running'],
    ['info', 'charging', 'flaky', 1, undefined],
    ['warn', said('retrying'), 'flaky', 1, 'retrying'],
    ['info', said('running'), 'flaky', 2, 'running'],
    ['info', 'charging', 'flaky', 2, undefined],
    ['info', said('completed'), 'flaky', 2, 'completed'],
  ]);
  expect(of(job.id)[3]).toMatchObject({ err: { message: 'card refused' } });
});

test('a timeout is told by the lines that alarms look for, among the transitions', async () => {
  const { processor, of, lines } = await logged();
  const job = await processor.submit('heeds', {}, { jobTimeoutSeconds: 0.05 });
  await job.result().catch(() => {});
  expect(lines.map(({ level, msg }) => `${level}: ${msg}`)).toEqual([
    `info: job ${job.id} running`,
    'warn: Found 1 stuck job(s), forcing timeout',
    `warn: job ${job.id} stopping`,
    `info: Successfully timed out stuck job ${job.id}`,
    `warn: job ${job.id} timedOut`,
  ]);
  expect(of(job.id)).toHaveLength(5);
  expect(lines[2]).toMatchObject({ state: 'stopping', timeout: 'job', foundBy: 'timer' });
  expect(lines[4]).toMatchObject({ timeout: 'job', stop: { confirmed: true } });
});

test('a timeout by hand of a job whose owner is gone is told by whoever carries it out', async () => {
  const clock = new SimulatedClock();
  const engine = new MemoryEngine();
  const { logger, lines } = capturedLog();
  const processor = new JobProcessor({ engine, clock, jobs: { heeds }, logger });
  onTestFinished(() => processor.stop());
  const job = await processor.submit('heeds', {});
  await engine.claim({ owner: 'gone', limit: 1, ahead: 0, names: ['heeds'], leaseMs: 15_000 });
  await processor.start();
  const asked = processor.timeoutJob(job.id);
  await clock.advance(20);
  expect((await asked).state).toBe('timedOut');
  expect(lines).toEqual([
    expect.stringMatching(/queued$/),
    expect.stringMatching(/lost its owner$/),
    'WARN: Found 1 stuck job(s), forcing timeout',
    `INFO: Successfully timed out stuck job ${job.id}`,
    `WARN: job ${job.id} timedOut`,
  ]);
});

test('no payload is logged, and what the logger redacts is redacted in the lines of jobs too', async () => {
  const { processor, lines } = await logged('trace', ['card.number', 'rows']);
  await (await processor.submit('flaky', { input: 'secret' })).result();
  await (await processor.submit('ways', 'print')).result();
  expect(JSON.stringify(lines)).not.toMatch(/secret|4111/);
  expect(lines.find(({ msg }) => msg === 'charging')).toMatchObject({ card: { number: '[Redacted]' } });
  // Written in a process of its own.
  expect(lines.find(({ msg }) => msg === 'log line')).toMatchObject({ rows: '[Redacted]', level: 'info' });
});
