// An app that runs one faulty job beside which nothing else has a slot, for the cells in which a fault hits its
// host. It says what happens as JSON lines on standard error, and a tick every 50 ms while its loop lives.

import { pino } from 'pino';
import { JobProcessor, type JobSettings } from '../../src/index.ts';
import faultyJob, { type Fault } from './faultyJob.ts';

export interface HostOrder {
  isolation: 'process' | 'thread' | 'inline';
  fault: Fault;
  settings: JobSettings;
  onSlotsLost?: 'exit';
}

export type HostWord =
  | { tick: true }
  | { hanging: number[] }
  | { state: string; stop: object | null; failure: object | null; health: string; next: string };

const order: HostOrder = JSON.parse(process.argv[2] ?? '');
const say = (word: HostWord) => process.stderr.write(`${JSON.stringify(word)}\n`);

const processor = await new JobProcessor({
  engine: 'memory',
  jobs: { faulty: { ...faultyJob, isolation: order.isolation } },
  maxConcurrentJobs: 1,
  onSlotsLost: order.onSlotsLost,
  graceSeconds: 0.5,
  logger: pino(
    {},
    {
      write(line) {
        const { msg, pids } = JSON.parse(line);
        if (msg === 'hanging') say({ hanging: pids });
      },
    },
  ),
}).start();
setInterval(() => say({ tick: true }), 50);
const job = await processor.submit('faulty', order.fault, order.settings);
const next = await processor.submit('faulty', 'completes', { queueTimeoutSeconds: 60 });
await job.result().catch(() => {});
// Time for whoever waits to get the slot, if it is free.
await new Promise((resolve) => setTimeout(resolve, 300));
const { state, stop, failure } = await job.status();
say({
  state,
  stop,
  failure,
  health: (await processor.health()).status,
  next: (await next.status()).state,
});
