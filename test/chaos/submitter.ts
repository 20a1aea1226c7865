// A submitter that chaos kills: node submitter.ts FILE JOURNAL FIRST SEED. Submits one job after the other, each with
// a key of its own, and says each key when its submit is acknowledged.

import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { mulberry32 } from '../../examples/reconcile/generate.ts';
import { JobProcessor } from '../../src/index.ts';
import journaled from './journaledJob.ts';

const [path, journal = '', first, seed] = process.argv.slice(2);
const processor = new JobProcessor({
  engine: `sqlite:${path}`,
  jobs: { journaled },
  logger: pino({ level: 'silent' }),
});
for (let number = Number(first); ; number += 1) {
  // Of the job, and not of this process: what is tried again must be the same.
  const next = mulberry32(Number(seed) + number);
  const key = `job-${number}`;
  const input = { key, chunks: 1 + Math.floor(next() * 5), chunkMs: Math.floor(next() * 60), journal };
  process.stdout.write(`try ${key}\n`);
  await processor.submit('journaled', input, { idempotencyKey: key });
  process.stdout.write(`ok ${key}\n`);
  await sleep(60 + next() * 120);
}
