// Ours, on SQLite with durability `full`.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { SqliteEngine } from '../../src/engines/sqlite/sqlite.ts';
import { defineJob, JobProcessor } from '../../src/index.ts';

export async function open(space: string) {
  const folder = mkdtempSync(join(tmpdir(), `${space}-`));
  const engine = new SqliteEngine({ path: join(folder, 'jobs.db') });
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
      rmSync(folder, { recursive: true });
    },
  };
}
