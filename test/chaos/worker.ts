// A worker that chaos kills: node worker.ts FILE. Says `ready` once it works.

import { pino } from 'pino';
import { JobProcessor } from '../../src/index.ts';
import journaled from './journaledJob.ts';

const processor = new JobProcessor({
  engine: `sqlite:${process.argv[2]}`,
  jobs: { journaled },
  maxConcurrentJobs: 3,
  graceSeconds: 0.5,
  logger: pino({ level: 'error' }, pino.destination({ fd: 2, sync: true })),
});
await processor.start();
console.log('ready');
