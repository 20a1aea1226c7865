// An app with live jobs and hung ones that is not there for a while: it blocks its own loop, is stopped from
// outside, or has its wall clock set. It says which processes it has, and how each job ended.

import { pino } from 'pino';
import { systemClock } from '../../src/actors/systemClock.ts';
import { type Job, JobProcessor } from '../../src/index.ts';
import { children } from '../support/processes.ts';
import faultyJob from './faultyJob.ts';
import steadyJob from './steadyJob.ts';

export interface AbsenceOrder {
  /** What the hung jobs hang in. */
  hang: 'endlessLoop' | 'atomicsWait';
  /** How long live jobs need at least, from their start. */
  liveSeconds: number;
  /** The timeouts of silence and of standing still, for all. */
  timeoutSeconds: number;
  blockSeconds?: number;
  /** Hours by which the wall clock is off, one after the other. */
  wallHours?: number[];
}

export type AbsenceWord =
  | { begun: Record<string, number> }
  | {
      ended: Record<string, { state: string; timeout: string | null; stop: object | null; attempt: number }>;
    };

const order: AbsenceOrder = JSON.parse(process.argv[2] ?? '');
const say = (word: AbsenceWord) => process.stderr.write(`${JSON.stringify(word)}\n`);

let wallOffsetMs = 0;
const pids: Record<string, number> = {};
const names = new Map<string, string>();
const begun = Promise.withResolvers<void>();
const processor = await new JobProcessor({
  engine: 'memory',
  jobs: {
    process: steadyJob,
    thread: { ...steadyJob, isolation: 'thread' as const },
    hungProcess: faultyJob,
    hungThread: { ...faultyJob, isolation: 'thread' as const },
  },
  spares: 0,
  graceSeconds: 0.2,
  monitorIntervalSeconds: 0.5,
  clock: { ...systemClock, now: () => systemClock.now() + wallOffsetMs },
  logger: pino(
    {},
    {
      write(line) {
        const { msg, jobId, pids: said } = JSON.parse(line);
        if (msg !== 'hanging' && msg !== 'steady') return;
        pids[names.get(jobId) ?? ''] ??= said[0];
        if (Object.keys(pids).length === 4) begun.resolve();
      },
    },
  ),
}).start();

const silence = { heartbeatTimeoutSeconds: order.timeoutSeconds };
const both = { ...silence, progressTimeoutSeconds: order.timeoutSeconds };
const input = { seconds: order.liveSeconds };
const all: Record<string, Job> = {};
const submit = async (name: string, submitted: Promise<Job>) => {
  all[name] = await submitted;
  names.set(all[name].id, name);
};
await submit('process', processor.submit('process', input, both));
await submit('thread', processor.submit('thread', input, both));
await submit('hungProcess', processor.submit('hungProcess', order.hang, silence));
await submit('hungThread', processor.submit('hungThread', order.hang, silence));
await begun.promise;
if (children().length !== 2) throw new Error('expected two child processes');
say({ begun: pids });
const blockedUntil = performance.now() + (order.blockSeconds ?? 0) * 1000;
while (performance.now() < blockedUntil) {}
for (const hours of order.wallHours ?? []) {
  wallOffsetMs = hours * 3_600_000;
  await new Promise((resolve) => setTimeout(resolve, 400));
}
const ended: Extract<AbsenceWord, { ended: unknown }>['ended'] = {};
for (const [name, job] of Object.entries(all)) {
  await job.result().catch(() => {});
  const { state, timeout, stop, attempt } = await job.status();
  ended[name] = { state, timeout, stop, attempt };
}
say({ ended });
await processor.stop();
