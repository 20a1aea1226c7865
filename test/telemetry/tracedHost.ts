// An app on a SQLite file, in a process of its own: it submits one job and ends, or works until it is ended.

import { trace } from '@opentelemetry/api';
import { pino } from 'pino';
import { JobProcessor } from '../../src/index.ts';
import remembering from '../fixtures/remembering.ts';
import tracedJob, { type TracedInput } from './tracedJob.ts';
import tracedThreadJob from './tracedThreadJob.ts';

export interface TracedOrder {
  path: string;
  submit?: { name: 'traced' | 'tracedThread'; input: TracedInput } | { name: 'remembering'; input: 'none' };
}

export type TracedWord = { started: true } | { submitted: string } | { state: string; id: string };

const { path, submit } = JSON.parse(process.argv[2] ?? '') as TracedOrder;
const say = (word: TracedWord) => process.stderr.write(`${JSON.stringify(word)}\n`);
const processor = new JobProcessor({
  engine: `sqlite:${path}`,
  jobs: { traced: tracedJob, tracedThread: tracedThreadJob, remembering },
  logger: pino({ level: 'silent' }),
  // Longer than the start of a child on a machine that is busy; no other attempt is meant to time out.
  heartbeatTimeoutSeconds: submit?.name !== 'remembering' && submit?.input.hangsIn ? 4 : 60,
  graceSeconds: 0.2,
  retry: { maxAttempts: 2, on: ['timedOut'], backoff: { kind: 'fixed', seconds: 0.1 } },
  spares: 0,
});
if (submit !== undefined) {
  await trace.getTracer('app').startActiveSpan('request', async (span) => {
    const { id } = await processor.submit(submit.name as 'traced', submit.input as TracedInput);
    span.end();
    say({ submitted: id });
  });
  await processor.stop();
} else {
  for (const state of ['running', 'completed', 'failed', 'timedOut'] as const)
    processor.on(state, ({ id }) => say({ state, id }));
  process.once('SIGTERM', () => processor.stop());
  await processor.start();
  say({ started: true });
}
