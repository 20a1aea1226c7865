// Ours, on SQLite with durability `full`; or, to see what that adds, in memory.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { MemoryEngine } from '../../src/engines/memory.ts';
import { SqliteEngine } from '../../src/engines/sqlite/sqlite.ts';
import { defineJob, JobProcessor } from '../../src/index.ts';

export async function open(space: string, variant: string) {
  const folder = mkdtempSync(join(tmpdir(), `${space}-`));
  const engine =
    variant === 'memory' ? new MemoryEngine() : new SqliteEngine({ path: join(folder, 'jobs.db') });
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
    commits: () => (engine instanceof SqliteEngine ? engine.commits : 0),
    async remove() {
      await processor.stop();
      rmSync(folder, { recursive: true });
    },
  };
}
