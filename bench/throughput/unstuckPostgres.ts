// Ours, on PostgreSQL.

import pg from 'pg';
import { pino } from 'pino';
import { PostgresEngine } from '../../src/engines/postgres/postgres.ts';
import { defineJob, JobProcessor } from '../../src/index.ts';
import { connectionString } from '../postgresServer.ts';

export async function open(space: string) {
  const engine = new PostgresEngine({ url: connectionString, schema: space });
  const open = (maxConcurrentJobs: number) =>
    new JobProcessor({
      engine,
      jobs: { noop: defineJob({ run: (input: number) => input }) },
      logger: pino({ level: 'silent' }),
      maxConcurrentJobs,
    });
  let processor = open(1);
  let completed = 0;
  return {
    addMany: (inputs: number[]) => processor.submitMany('noop', inputs),
    addOne: (input: number) => processor.submit('noop', input),
    async work(concurrency: number) {
      processor = open(concurrency);
      processor.on('completed', () => {
        completed += 1;
      });
      await processor.start();
    },
    counted: () => completed,
    commits: () => engine.commits,
    async remove() {
      await processor.stop();
      const client = new pg.Client({ connectionString });
      await client.connect();
      await client.query(`DROP SCHEMA ${space} CASCADE`);
      await client.end();
    },
  };
}
