// Ours, on PostgreSQL, with its defaults.

import { pino } from 'pino';
import { PostgresEngine } from '../../src/engines/postgres/postgres.ts';
import { defineJob, JobProcessor } from '../../src/index.ts';
import { connectionString } from '../postgresServer.ts';
import type { NodeSystem } from './node.ts';

export async function open(space: string): Promise<NodeSystem> {
  let run: (n: number) => Promise<void> = async () => {};
  const open = (maxConcurrentJobs: number) =>
    new JobProcessor({
      engine: new PostgresEngine({ url: connectionString, schema: space }),
      jobs: { pause: defineJob({ run: (n: number) => run(n) }) },
      logger: pino({ level: 'silent' }),
      maxConcurrentJobs,
    });
  let processor = open(1);
  return {
    add: (numbers) => processor.submitMany('pause', numbers),
    async work(concurrency, given) {
      run = given;
      processor = open(concurrency);
      await processor.start();
    },
  };
}
