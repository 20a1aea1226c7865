// A worker that chaos treats badly: node worker.ts URL LOG. Where the database is not there when it starts, it tries again.

import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { JobProcessor } from '../../../src/index.ts';
import { jobs } from './jobs.ts';

const [url, log = ''] = process.argv.slice(2);
const logger = pino({ level: 'info' }, pino.destination({ dest: log, append: true, sync: true }));
const processor = new JobProcessor({
  engine: url as `postgres://${string}`,
  jobs,
  logger,
  ...{ maxConcurrentJobs: 4, graceSeconds: 0.5, spares: 1 },
});
for (;;) {
  try {
    await processor.start();
    break;
  } catch (error) {
    logger.warn({ err: error }, 'not started');
    await sleep(200);
  }
}
