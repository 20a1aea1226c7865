// The tables of the PostgreSQL engine, in a schema of their own, and how an older one becomes a newer one. A schema of a
// newer version than this code knows is refused, and one that is not ours is left as it is. Of any number of processes that
// set it up at the same time one does it, and the others wait for it.

import type { ClientBase } from 'pg';
import { EngineError } from '../engine.ts';
import { lockClasses, numberOf } from './locks.ts';

/**
 * Each step brings a schema from the version that is its index to the next. Never changed once released. Times are ms since
 * the epoch, as everywhere in the engine; JSON is text, since nothing in here is asked for by its inside.
 */
const migrations: readonly ((schema: string) => string)[] = [
  (schema) => `
  -- Of submissions, retries and promotions: what ranks are made of.
  CREATE SEQUENCE ${schema}.places;
  -- A number for each transaction that changed jobs: who has heard of fewer has missed some.
  CREATE SEQUENCE ${schema}.changes;
  CREATE TABLE ${schema}.jobs (
    -- In the order of submission.
    seq bigint NOT NULL,
    priority double precision NOT NULL,
    not_before double precision,
    key_limit double precision NOT NULL,
    submitted_at double precision NOT NULL,
    -- When it came to wait, at first or again.
    rested_at double precision NOT NULL,
    started_at double precision,
    ended_at double precision,
    queue_due_at double precision,
    deadline_at double precision,
    last_heartbeat_at double precision,
    last_progress_at double precision,
    items double precision NOT NULL DEFAULT 0,
    total double precision,
    -- At rest: its rank, the lowest starts first; what it waits for (stages.ts); and when it times out. All null otherwise, but for
    -- the stage of a live job that has a concurrency key.
    rank double precision,
    due_at double precision,
    -- Alive: until when its owner holds it, by the clock of the database.
    lease_until double precision,
    attempt integer NOT NULL DEFAULT 0,
    chunks integer NOT NULL DEFAULT 0,
    crashes integer NOT NULL DEFAULT 0,
    -- Rows that were appended.
    output_rows integer NOT NULL DEFAULT 0,
    stage smallint,
    in_order boolean NOT NULL,
    claimed_ahead boolean NOT NULL DEFAULT false,
    -- Its intent is one that ends the job, and not only the attempt.
    must_end boolean NOT NULL DEFAULT false,
    id text COLLATE "C" PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    input text NOT NULL,
    settings text NOT NULL,
    idempotency_key text COLLATE "C",
    concurrency_key text COLLATE "C",
    retry_of text,
    trace text,
    token text,
    owner text,
    process_group text,
    checkpoint text,
    intent text,
    timeout text,
    reason text,
    failure text,
    result text,
    stop text,
    -- JSON objects with commas between them.
    history text NOT NULL
  ) WITH (
    -- A heartbeat finds room beside its row, and touches no index: the half of a page is 5 times less of the log than a sixth of it.
    fillfactor = 50,
    -- Every job leaves two dead versions of its row: they go in small portions, soon.
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.02, autovacuum_analyze_threshold = 1000
  );
  CREATE UNIQUE INDEX jobs_by_key ON ${schema}.jobs (idempotency_key, name) WHERE idempotency_key IS NOT NULL;
  CREATE INDEX jobs_ready ON ${schema}.jobs (name, rank, seq) WHERE stage = 1;
  CREATE INDEX jobs_behind ON ${schema}.jobs (rank, seq) WHERE stage = 2;
  CREATE INDEX jobs_waiting ON ${schema}.jobs (not_before, seq) WHERE stage = 0;
  CREATE INDEX jobs_keyed ON ${schema}.jobs (name, concurrency_key, stage, rank, seq)
    WHERE concurrency_key IS NOT NULL AND stage IS NOT NULL;
  -- Those that keep others of their key waiting while they wait themselves.
  CREATE INDEX jobs_pausing ON ${schema}.jobs (name, concurrency_key) WHERE stage = 0 AND in_order AND state = 'retrying';
  CREATE INDEX jobs_due ON ${schema}.jobs (due_at) WHERE due_at IS NOT NULL;
  CREATE INDEX jobs_live ON ${schema}.jobs (name) WHERE token IS NOT NULL;
  CREATE INDEX jobs_by_state ON ${schema}.jobs (state, submitted_at, seq);
  CREATE INDEX jobs_by_name ON ${schema}.jobs (name, submitted_at, seq);
  CREATE INDEX jobs_ended ON ${schema}.jobs (state, ended_at) WHERE ended_at IS NOT NULL;
  -- How many jobs of each name are in each state: what each transaction has added and taken away, summed up now and then. One
  -- row for each would make every transaction wait for the one before.
  CREATE TABLE ${schema}.tally (
    name text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    n bigint NOT NULL,
    change bigint NOT NULL DEFAULT nextval('${schema}.changes')
  ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
  -- Attempts of names with a rate, as long as it needs them.
  CREATE TABLE ${schema}.starts (
    name text COLLATE "C" NOT NULL,
    at double precision NOT NULL,
    n integer NOT NULL
  );
  CREATE INDEX starts_by_name ON ${schema}.starts (name, at);
  CREATE TABLE ${schema}.output (
    job bigint NOT NULL,
    n integer NOT NULL,
    row text NOT NULL,
    PRIMARY KEY (job, n)
  );
  -- Jobs that are no more, with rows in output that are still to go.
  CREATE TABLE ${schema}.pruned (job bigint PRIMARY KEY);
  CREATE TABLE ${schema}.schedules (
    key text PRIMARY KEY,
    revision text NOT NULL,
    -- Of its jobs; their settings and the rest of them, JSON.
    name text NOT NULL,
    settings text NOT NULL,
    job text NOT NULL,
    cron text NOT NULL,
    time_zone text NOT NULL,
    overlap text NOT NULL,
    next_tick_at double precision NOT NULL,
    counted_from double precision NOT NULL,
    last_tick_at double precision,
    last_job_id text,
    last_skip_at double precision
  );
  CREATE INDEX schedules_next ON ${schema}.schedules (name, next_tick_at);
  CREATE TABLE ${schema}.paused (name text COLLATE "C" PRIMARY KEY);
  -- After a job of this key came to rest, or was alive and is no more: as many come to wait for a slot as may be alive, the first of
  -- them, each by its own limit; those after one that must wait wait behind. Who does this for a key is alone with it until
  -- the end of the transaction; a claim is not kept from it, since it turns a job that waits for a slot into one that is
  -- alive, and both are counted at once.
  CREATE FUNCTION ${schema}.refill(of_name text, of_key text) RETURNS TABLE (moved_id text, moved_state text)
  LANGUAGE plpgsql SET enable_seqscan = off AS $$
  DECLARE
    next record;
    held bigint;
    waited text[];
  BEGIN
    PERFORM pg_advisory_xact_lock(${lockClasses(schema).key}, hashtext(of_name || E'\\n' || of_key));
    LOOP
      -- What someone else holds is changed by him, and he comes here after that.
      SELECT j.id, j.state, j.rank, j.seq, j.key_limit INTO next FROM ${schema}.jobs j
        WHERE j.name = of_name AND j.concurrency_key = of_key AND j.stage = 2
        ORDER BY j.rank, j.seq LIMIT 1 FOR UPDATE SKIP LOCKED;
      EXIT WHEN NOT FOUND;
      IF waited IS NULL THEN
        waited := ARRAY(SELECT j.id FROM ${schema}.jobs j
          WHERE j.name = of_name AND j.concurrency_key = of_key AND j.stage = 1);
      END IF;
      IF waited <> '{}' THEN
        -- One that is being claimed is not put back.
        UPDATE ${schema}.jobs j SET stage = 2 WHERE j.id = ANY(ARRAY(
          SELECT l.id FROM ${schema}.jobs l WHERE l.name = of_name AND l.concurrency_key = of_key AND l.stage = 1
            AND (l.rank, l.seq) > (next.rank, next.seq) ORDER BY l.rank, l.seq FOR UPDATE SKIP LOCKED));
      END IF;
      SELECT count(*) + (
          SELECT count(*) FROM ${schema}.jobs p WHERE p.name = of_name AND p.concurrency_key = of_key
            AND p.stage = 0 AND p.in_order AND p.state = 'retrying')
        INTO held FROM ${schema}.jobs j
        WHERE j.name = of_name AND j.concurrency_key = of_key AND j.stage IN (1, 3);
      EXIT WHEN held >= next.key_limit;
      UPDATE ${schema}.jobs j SET stage = 1 WHERE j.id = next.id;
      CONTINUE WHEN next.id = ANY(waited);
      moved_id := next.id;
      moved_state := next.state;
      RETURN NEXT;
    END LOOP;
  END $$;
  `,
  (schema) => `
  -- Processors at work, each as it last told of itself (facts, JSON), by the clock of the database.
  CREATE TABLE ${schema}.nodes (
    id text COLLATE "C" PRIMARY KEY,
    facts text NOT NULL,
    seen_at double precision NOT NULL,
    -- From when on it counts as gone.
    gone_at double precision NOT NULL
  ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
  `,
];

export const newestVersion = migrations.length;

/** A schema's name as it stands in statements. */
export function quoted(schema: string): string {
  return `"${schema.replaceAll('"', '""')}"`;
}

/**
 * Brings the schema up to date. `client` is in no transaction. Nothing is written where it is up to date already, so that a
 * role which may not make tables can work with one that was set up for it.
 */
export async function migrate(client: ClientBase, schema: string): Promise<void> {
  if ((await versionOf(client, schema)) === newestVersion) return;
  await client.query('BEGIN');
  try {
    // Another process may be here too.
    await client.query(`SELECT pg_advisory_xact_lock(${numberOf(`unstuck ${schema}`)})`);
    const version = await versionOf(client, schema);
    if (version === 0) {
      await client.query(`CREATE SCHEMA IF NOT EXISTS ${quoted(schema)}`);
      await client.query(
        `CREATE TABLE ${quoted(schema)}.migrations (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())`,
      );
    }
    for (const [step, sql] of migrations.entries()) {
      if (step < version) continue;
      await client.query(sql(quoted(schema)));
      await client.query(`INSERT INTO ${quoted(schema)}.migrations (version) VALUES (${step + 1})`);
    }
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  }
}

/** 0: nothing of it is there. Refused where it is newer than this code, or not ours. */
export async function versionOf(client: ClientBase, schema: string): Promise<number> {
  const { rows } = await client.query(
    `SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = $1 AND c.relname = 'migrations') AS ours,
       EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1) AS anything`,
    [schema],
  );
  const { ours, anything } = rows[0] as { ours: boolean; anything: boolean };
  if (!ours && anything)
    throw new EngineError(
      `schema ${schema}: expected one with jobs, or none, got tables of something else. Use another database, or move them.`,
    );
  if (!ours) return 0;
  const found = await client.query(
    `SELECT coalesce(max(version), 0)::int AS version FROM ${quoted(schema)}.migrations`,
  );
  const { version } = found.rows[0] as { version: number };
  if (version > migrations.length)
    throw new EngineError(
      `schema ${schema}: expected version ${migrations.length} or older, got version ${version}. Use the newer unstuck that made it.`,
    );
  return version;
}
