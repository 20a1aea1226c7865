// What became of journaled jobs: those that were lost, and what was done twice. Asked when nothing runs any more.

import { existsSync, readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { JobProcessor } from '../../src/index.ts';
import type journaled from './journaledJob.ts';

export interface Count {
  /** Jobs that are stored. */
  submitted: number;
  completed: number;
  /** Acknowledged, but not there, not completed, or without all of its rows. */
  lost: number;
  /** A key with two jobs, or a row that is there twice. */
  doubled: number;
  chunksRepeatedAfterCheckpoint: number;
  settledTwice: number;
}

/** `acknowledged`: the keys whose submit was; `path`: of the engine's file. */
export async function countJobs(
  reader: JobProcessor<{ journaled: typeof journaled }>,
  { path, journal, acknowledged }: { path: string; journal: string; acknowledged: ReadonlySet<string> },
): Promise<Count> {
  const count: Count = {
    submitted: 0,
    completed: 0,
    lost: 0,
    doubled: 0,
    chunksRepeatedAfterCheckpoint: repeatedIn(journal),
    settledTwice: 0,
  };
  const whole = new Set<string>();
  for await (const { id, state, history } of reader.list({ limit: 100_000 })) {
    count.submitted += 1;
    if (state === 'completed') count.completed += 1;
    const ends = history.filter((entry) => /completed|failed|timedOut|cancelled/.test(entry.state));
    if (ends.length !== 1) count.settledTwice += 1;
    const job = await reader.get(id);
    const rows: number[] = [];
    for await (const row of job.rows<{ index: number }>()) rows.push(row.index);
    if (new Set(rows).size !== rows.length) count.doubled += 1;
    const { key, chunks } = inputOf(path, id);
    if (whole.has(key)) count.doubled += 1;
    if (state === 'completed' && (await job.result()) === chunks && rows.join() === upTo(chunks))
      whole.add(key);
  }
  for (const key of acknowledged) if (!whole.has(key)) count.lost += 1;
  return count;
}

function inputOf(path: string, id: string): { key: string; chunks: number } {
  const database = new DatabaseSync(path, { readOnly: true });
  const { input } = database.prepare('SELECT input FROM jobs WHERE id = ?').get(id) as { input: string };
  database.close();
  return JSON.parse(input);
}

function repeatedIn(journal: string): number {
  if (!existsSync(journal)) return 0;
  const done = new Set<string>();
  let repeated = 0;
  for (const line of readFileSync(journal, 'utf8').split('\n')) {
    const [what, key, index] = line.split(' ');
    if (what === 'ack') done.add(`${key} ${index}`);
    if (what === 'run' && done.has(`${key} ${index}`)) repeated += 1;
  }
  return repeated;
}

function upTo(chunks: number): string {
  return Array.from({ length: chunks }, (_, index) => index).join();
}
