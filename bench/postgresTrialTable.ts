// Our table in the trial, with the columns, indexes and facts of the engine's, in batches: what a job's life must write there,
// whoever holds the queue.

import { randomUUID } from 'node:crypto';
import type { FrozenSettings } from '../src/engines/engine.ts';

type Run = (text: string, values?: unknown[]) => Promise<{ rows: never[] }>;

export function tableOf(schema: string, run: Run) {
  const running = (which: string) => `
    UPDATE ${schema}.jobs j SET state = 'running', attempt = j.attempt + 1, token = j.seq || '.' || (j.attempt + 1) || '-' || $2,
      owner = 'trial', started_at = $1::float8, last_heartbeat_at = $1::float8, last_progress_at = $1::float8, stage = NULL, due_at = NULL,
      lease_until = $1::float8 + 15000,
      history = j.history || ',{"state":"running","at":' || $1::float8 || ',"attempt":' || (j.attempt + 1) || '}'
    ${which} RETURNING j.*`;
  return {
    /** `isQueued`: false where another holds the queue. */
    async submit(
      jobs: readonly { id: string; data: object }[],
      settings: FrozenSettings,
      { isQueued = true } = {},
    ): Promise<void> {
      await run(
        `INSERT INTO ${schema}.jobs (seq, priority, key_limit, submitted_at, rested_at, rank, stage, in_order, id, name, state,
           input, settings, history)
         SELECT place, 0, 1, $2::float8, $2::float8, place, CASE WHEN $3 THEN 1 END, false, id, 'trial', 'queued', input, $4,
           '{"state":"queued","at":' || $2::float8 || ',"attempt":0}'
         FROM (SELECT nextval('${schema}.places') AS place, id, input
           FROM json_to_recordset($1) AS job(id text, input text)) AS fresh`,
        [
          JSON.stringify(jobs.map(({ id, data }) => ({ id, input: JSON.stringify(data) }))),
          Date.now(),
          isQueued,
          JSON.stringify(settings),
        ],
      );
    },
    async claim(limit: number): Promise<string[]> {
      const { rows } = await run(
        `WITH picked AS MATERIALIZED (
           SELECT id FROM ${schema}.jobs WHERE stage = 1 AND name = 'trial' ORDER BY rank, seq LIMIT $3 FOR UPDATE SKIP LOCKED)
         ${running('FROM picked WHERE j.id = picked.id')}`,
        [Date.now(), randomUUID(), limit],
      );
      return rows.map(({ id }: { id: string }) => id);
    },
    /** What another's queue has given out. */
    async start(ids: readonly string[]): Promise<void> {
      await run(running('WHERE j.id = ANY($3)'), [Date.now(), randomUUID(), ids]);
    },
    /** Fenced by the token; here it is read back, since only the cost is the subject. */
    async settle(ids: readonly string[]): Promise<void> {
      await run(
        `UPDATE ${schema}.jobs j SET state = 'completed', token = NULL, owner = NULL, lease_until = NULL, ended_at = $1::float8,
           result = 'null', history = j.history || ',{"state":"completed","at":' || $1::float8 || ',"attempt":' || j.attempt || '}'
         WHERE j.id = ANY($2) AND j.token IS NOT NULL RETURNING j.id`,
        [Date.now(), ids],
      );
    },
  };
}
