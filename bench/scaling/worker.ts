// One worker process of several on one PostgreSQL database: node worker.ts URL SCHEMA CONCURRENCY. It says how many jobs have
// completed in it, and what it has used of its processor, when it is asked.

import { pino } from 'pino';
import { PostgresEngine } from '../../src/engines/postgres/postgres.ts';
import { defineJob, JobProcessor } from '../../src/index.ts';

export interface WorkerFigures {
  completed: number;
  /** Microseconds of processor time since it began. */
  processor: number;
}

const [url = '', schema = '', concurrency = ''] = process.argv.slice(2);
const processor = new JobProcessor({
  engine: new PostgresEngine({ url, schema }),
  jobs: { noop: defineJob({ run: (input: number) => input }) },
  logger: pino({ level: 'silent' }),
  maxConcurrentJobs: Number(concurrency),
});
let completed = 0;
processor.on('completed', () => {
  completed += 1;
});
process.on('message', async (order: 'start' | 'tell') => {
  if (order === 'start') await processor.start();
  const { user, system } = process.cpuUsage();
  process.send?.({ completed, processor: user + system } satisfies WorkerFigures);
});
process.on('disconnect', () => process.exit());
process.send?.({ completed: 0, processor: 0 } satisfies WorkerFigures);
