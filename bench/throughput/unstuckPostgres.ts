// Ours, on PostgreSQL.

import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { pino } from 'pino';
import { PostgresEngine } from '../../src/engines/postgres/postgres.ts';
import { defineJob, JobProcessor } from '../../src/index.ts';
import { connectionString } from '../postgresServer.ts';
import { noopsOn } from './noops.ts';

export async function open(space: string) {
  const engine = new PostgresEngine({ url: connectionString, schema: space });
  const noops = noopsOn(engine);
  return {
    ...noops,
    /** Submitted by an engine of its own, as by another process. */
    async startsAfter(perSecond: number, ms: number) {
      const submitted: number[] = [];
      const found: number[] = [];
      const worker = await new JobProcessor({
        engine,
        jobs: {
          timed: defineJob({
            run: (n: number) => {
              found.push(performance.now() - (submitted[n] as number));
            },
          }),
        },
        logger: pino({ level: 'silent' }),
      }).start();
      const submitter = new JobProcessor({
        engine: new PostgresEngine({ url: connectionString, schema: space }),
        jobs: { timed: defineJob({ run: (_: number) => {} }) },
        logger: pino({ level: 'silent' }),
      });
      for (let n = 0; n < (perSecond * ms) / 1000; n += 1) {
        submitted.push(performance.now());
        const job = await submitter.submit('timed', n);
        await job.result();
        await pause(1000 / perSecond);
      }
      await submitter.stop();
      await worker.drain();
      return found;
    },
    commits: () => engine.commits,
    async remove() {
      await noops.stop();
      const client = new pg.Client({ connectionString });
      await client.connect();
      await client.query(`DROP SCHEMA ${space} CASCADE`);
      await client.end();
    },
  };
}
