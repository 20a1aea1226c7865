// A machine that submits and works not: node submitter.ts URL FIRST STEP SEED. What it does with job N comes from seed and N. It says what it
// tries, and what was acknowledged; jobs that were submitted a moment ago it cancels at times, or times out by hand.

import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { pino } from 'pino';
import { mulberry32 } from '../../../examples/reconcile/generate.ts';
import { type Job, JobProcessor } from '../../../src/index.ts';
import { jobs } from './jobs.ts';

const [url, first, step, seed] = process.argv.slice(2);
const processor = new JobProcessor({
  engine: url as `postgres://${string}`,
  jobs,
  logger: pino({ level: 'silent' }),
});
const say = (line: string) => process.stdout.write(`${line}\n`);
const recent: { key: string; job: Job }[] = [];

/** As many are under way at most. */
const mostUnderWay = 20;
let underWay = 0;
for (let number = Number(first); ; number += Number(step)) {
  const next = mulberry32(Number(seed) + number * 7919);
  const kind = next();
  const key = `${kind < 0.5 ? 'steps' : kind < 0.6 ? 'endless' : kind < 0.85 ? 'short' : 'within'}-${number}`;
  say(`try ${key}`);
  underWay += 1;
  submitted(key, next).finally(() => {
    underWay -= 1;
  });
  if (next() < 0.2) end(next() < 0.6 ? 'cancelled' : 'timedOut');
  do await sleep(60 + next() * 200);
  while (underWay >= mostUnderWay);
}

/** Until it is acknowledged: the same again, with its key, which must not be there twice. */
async function submitted(key: string, next: () => number): Promise<void> {
  const how = next();
  if (key.startsWith('within')) return submitWithin(key, how);
  for (;;) {
    try {
      const job = await submit(key, mulberry32(how * 2 ** 32));
      say(`ok ${key}`);
      if (key.startsWith('steps')) recent.push({ key, job });
      return;
    } catch (error) {
      troubleOnly(error);
      await sleep(200);
    }
  }
}

async function submit(key: string, next: () => number): Promise<Job> {
  const options = { idempotencyKey: key, concurrencyKey: 'abc'[Math.floor(next() * 3)] as string };
  if (key.startsWith('short'))
    return processor.submit('short', { key, ms: Math.floor(next() * 200) }, options);
  if (key.startsWith('endless'))
    return processor.submit(
      'steps',
      { key, chunks: 1e6, chunkMs: 40 },
      { ...options, jobTimeoutSeconds: 0.5 + next() * 2 },
    );
  const work = { chunks: 1 + Math.floor(next() * 8), chunkMs: Math.floor(next() * 120) };
  return processor.submit('steps', { key, ...work }, options);
}

/** In a transaction of its own, with a row of its own: both are there, or neither. */
async function submitWithin(key: string, how: number): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 5000,
    query_timeout: 10_000,
  });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('BEGIN');
    await client.query('INSERT INTO audit.orders VALUES ($1)', [key]);
    await processor.submit('short', { key, ms: 10 }, { transaction: client, concurrencyKey: 'a' });
    if (how < 0.4) await client.query('ROLLBACK');
    else {
      await client.query('COMMIT');
      say(`ok ${key}`);
    }
  } catch (error) {
    troubleOnly(error);
    // Whether it was committed is not known; it is not done again.
  } finally {
    client.end().catch(() => {});
  }
}

/** Not waited for: it takes as long as the job's own machine needs to hear it. */
function end(how: 'cancelled' | 'timedOut'): void {
  const [found] = recent.splice(-3, 1);
  if (found === undefined) return;
  const { key, job } = found;
  say(`${how} ${key}`);
  const acting = how === 'cancelled' ? job.cancel('chaos') : processor.timeoutJob(job.id);
  acting.then(
    ({ state }) => say(`told ${key} ${state}`),
    () => {},
  );
}

/** What the database or the way to it may say. Anything else is a mistake, and ends the process. */
function troubleOnly(error: unknown): void {
  const { code = '' } = error as { code?: string };
  if (code.startsWith('ERR_UNSTUCK_') && code !== 'ERR_UNSTUCK_ENGINE') throw error;
}
